"""Loopback is not the owner: who gets in, and what every answer carries."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import serving
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.testclient import TestClient
from support import ROOT, as_nobody
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from search_ui.__main__ import cli
from search_ui.server import api, asgi, failed_routes, map_routes, picture_routes, zip_routes
from search_ui.server.gate import Gate
from search_ui.server.tokens import TokenError, file_of, renew, token_of
from store.paths import default_library

TOKEN = os.environ["SIGHTLINE_TOKEN"]
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
STREAMLIT = (
    "/", "/library", "/map", "/anything/else", "/favicon.png", "/_stcore/health", "/_stcore/host-config",
    "/_stcore/metrics", "/_stcore/script-health-check", "/_stcore/agent/openapi.json", "/_stcore/upload_file/a/b",
    "/_stcore/bidi-components/a/b.js", "/_stcore/stream", "/media/0.jpg", "/component/a/index.html", "/oauth2callback",
    "/auth/login", "/static/index.html", "//", "/healthz/x", "/app/static/x",
)  # fmt: skip


@pytest.fixture(scope="module")
def url(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("token") / "log.txt"
    with serving.running(drawn / "library", log) as address:
        yield address
    assert "Traceback" not in log.read_text()


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose token is in a file."""
    monkeypatch.delenv("SIGHTLINE_TOKEN")
    for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    return tmp_path / "home"


def addresses() -> list[tuple[str, str]]:
    """A method and an address for every route there is, ours and Streamlit's."""
    ours = [
        *picture_routes.routes(), *map_routes.routes(), *failed_routes.routes(), *zip_routes.routes(),
        *api.json_api().routes,
    ]  # fmt: skip
    found = [("GET", "/metrics"), ("GET", "/api"), ("GET", "/api/v9/x"), ("OPTIONS", "/api/v1/status")]
    for route in ours:
        path = re.sub(r"\{[^}]*\}", "1", str(getattr(route, "path", "")))
        found += [(method, path) for method in getattr(route, "methods", None) or ()]
    found += [(method, path) for path in STREAMLIT for method in ("GET", "HEAD", "POST", "PUT")]
    return found


def socket_refusal(url: str, **headers: str) -> httpx.Response | None:
    """Why a WebSocket is refused; None where it is opened."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    origin = given.pop("Origin", None)
    try:
        with connect(
            f"{url.replace('http', 'ws')}/_stcore/stream", origin=origin, additional_headers=given,  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
        ):  # fmt: skip
            return None
    except InvalidStatus as refused:
        answer = refused.response
        return httpx.Response(
            answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body or b"")
        )


def cookie_of(answer: Any) -> str:
    return str(answer.headers["set-cookie"]).split(";")[0]


def test_every_route_refuses_who_has_no_token_and_answers_who_has(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        for method, path in addresses():
            for headers in ({}, BROWSER, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
                answer = client.request(method, f"{url}{path}", headers=headers)
                assert answer.status_code == 401, (method, path, headers)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert "no-store" in answer.headers["cache-control"]
            assert client.request(method, f"{url}{path}", headers=serving.header()).status_code != 401, path


def test_every_answer_says_how_it_may_be_used(url: str) -> None:
    refused = socket_refusal(url)
    assert refused is not None
    answers = [refused]
    with httpx.Client(base_url=url, timeout=60) as client:
        for method, path in addresses():
            answers += [client.request(method, f"{url}{path}"), client.request(method, path, headers=serving.header())]
        page = client.get("/", headers=serving.header())
        for static in re.findall(r'(?:src|href)="\./(static/[^"]+)"', page.text)[:6]:
            answers.append(client.get(f"/{static}", headers=serving.header()))
            assert answers[-1].status_code == 200
        answers += [
            page, client.get(f"/?token={TOKEN}"), client.get("/?token=wrong"), client.get("/healthz"),
            client.get("/", headers={"Host": "evil.example"}), client.get("/api", headers={"Host": "evil.example"}),
            client.get("/api", headers={"Origin": "null"}), client.get("/media/..%2fx", headers=serving.header()),
        ]  # fmt: skip
    for answer in answers:
        said = (answer.status_code, str(answer.headers))
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], said
        assert answer.headers["referrer-policy"] == "no-referrer", said
        assert answer.headers["x-frame-options"] == "SAMEORIGIN", said
        (policy,) = answer.headers.get_list("content-security-policy")
        parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        is_page = answer.headers.get("content-type", "text/html").startswith("text/html")
        assert parts["default-src"] == ("'self'" if is_page else "'none'"), said
        # Nothing that stands in a page runs, but what Streamlit's own holds.
        allowed = {part for part in parts.get("script-src", "").split() if not part.startswith("'sha256-")}
        assert allowed == ({"'self'", "blob:", "'wasm-unsafe-eval'"} if is_page else set()), said
        assert "access-control-allow-origin" not in answer.headers, said


def test_an_answer_that_fails_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(request: object) -> None:
        raise RuntimeError("on purpose")

    from starlette.routing import Route

    app = Starlette(routes=[Route("/x", fails)], middleware=asgi.middleware(gate=Gate(None)))
    answer = TestClient(app, base_url="http://127.0.0.1:8501", raise_server_exceptions=False).get("/x")
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "on purpose" not in answer.text


def test_the_socket_is_for_pages_of_this_server_that_have_the_token(url: str) -> None:
    port = urlsplit(url).port or 0
    right = serving.header()
    assert socket_refusal(url, **right) is None  # a program
    assert socket_refusal(url, **right, Origin=url) is None
    assert socket_refusal(url, **right, Origin=url, Sec_Fetch_Site="same-origin") is None
    cookie = cookie_of(httpx.get(f"{url}/?token={TOKEN}"))
    assert socket_refusal(url, Cookie=cookie, Origin=url) is None
    for headers, status in (
        ({}, 401), ({"Origin": url}, 401), ({"Cookie": "x=y", "Origin": url}, 401),
        ({**right, "Origin": "http://evil.example"}, 403), ({**right, "Origin": "null"}, 403),
        ({**right, "Origin": "http://["}, 403), ({"Origin": "http://a]"}, 403), ({**right, "Origin": f"{url}/x"}, 403),
        ({**right, "Origin": f"http://127.0.0.1:{port + 1}"}, 403), ({**right, "Origin": "http://127.0.0.1"}, 403),
        ({**right, "Origin": f"http://localhost:{port}"}, 403), ({"Cookie": cookie, "Origin": "http://localhost"}, 403),
        ({**right, "Sec_Fetch_Site": "same-site"}, 403), ({**right, "Origin": url, "Sec_Fetch_Site": "x"}, 403),
    ):  # fmt: skip
        refused = socket_refusal(url, **headers)
        assert refused is not None
        assert refused.status_code == status, headers


def test_who_is_refused_fills_no_log(library: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving.running(library, log) as url:
        before = log.read_text()
        for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "http://["}, {"Cookie": "x"}):
            assert socket_refusal(url, **headers) is not None
        for text in (b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET  /\r\n\r\n"):
            with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port or 0), 10) as connection:
                connection.sendall(text)
                assert connection.recv(12) == b"HTTP/1.1 400"
        upgrade = {"Upgrade": "other", "Connection": "Upgrade"}
        assert httpx.get(f"{url}/metrics", headers=upgrade).status_code == 401
        assert log.read_text() == before


def test_the_address_with_the_token_becomes_a_cookie_and_an_address_without(url: str) -> None:
    answer = httpx.get(f"{url}/library?q=red+boat&token={TOKEN}&folder=%C3%A4%2F%26", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/library?q=red+boat&folder=%C3%A4%2F%26")
    name, *attributes = re.split("; ?", answer.headers["set-cookie"])
    assert name.startswith(f"sightline-{urlsplit(url).port}=")
    assert TOKEN not in name
    assert {"httponly", "samesite=strict", "path=/"} <= {each.lower() for each in attributes}
    assert "secure" not in {each.lower() for each in attributes}  # a browser would not keep it from plain HTTP
    with httpx.Client(base_url=url, headers={"Cookie": cookie_of(answer)}, timeout=60) as browser:
        assert browser.get("/").status_code == 200
        assert browser.get("/api/v1/status").status_code == 200
        assert browser.get("/healthz").json()["generation"] is not None
        # An old bookmark harms nobody who is in.
        assert browser.get("/?token=old&q=x").headers["location"] == "/?q=x"
    assert httpx.get(f"{url}//evil.example/?token={TOKEN}").headers["location"] == "/evil.example/"
    for wrong in ("", "wrong", TOKEN[:-1], TOKEN + "x", "é"):
        answer = httpx.get(f"{url}/", params={"token": wrong}, headers=BROWSER)
        assert answer.status_code == 401
        assert "not the right one" in answer.text
        assert "set-cookie" not in answer.headers


def test_a_cookie_of_another_token_port_or_time_does_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(token: str, base: str = "http://127.0.0.1:8501") -> TestClient:
        app = Starlette(middleware=asgi.middleware(["photos.example"], Gate(token)))
        return TestClient(app, base_url=base, follow_redirects=False)

    given = client("a").get("/x?token=a")
    cookie = cookie_of(given)
    ours = {"Cookie": f"other=1; {cookie}"}
    assert client("a").get("/metrics", headers=ours).status_code == 200
    # Who set another cookie of that name beside it does not keep the owner out.
    assert client("a").get("/metrics", headers={"Cookie": f"sightline-8501=x; {cookie}"}).status_code == 200
    assert client("b").get("/metrics", headers=ours).status_code == 401
    assert client("a", "http://127.0.0.1:8502").get("/metrics", headers=ours).status_code == 401
    until, signature = cookie.split("=")[1].split(".")
    for forged in (f"{int(until) + 1}.{signature}", f"{until}.", f"{until}.{'0' * 64}", "a", ".", "9" * 400):
        assert client("a").get("/metrics", headers={"Cookie": f"sightline-8501={forged}"}).status_code == 401
    later = time.time() + 31 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    assert client("a").get("/metrics", headers=ours).status_code == 401
    secure = client("a", "https://photos.example").get("/x?token=a").headers["set-cookie"]
    assert secure.startswith("sightline=")
    assert "secure" in secure.lower()


def test_who_is_not_let_in_reads_how_to_get_in(url: str) -> None:
    for headers in (BROWSER, {**BROWSER, "Cookie": "sightline=1.2", "Sec-Fetch-Site": "none"}):
        answer = httpx.get(f"{url}/library", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"].startswith("text/html")
        assert "python -m search_ui address" in answer.text
        assert 'name="token"' in answer.text
        assert "http-equiv" not in answer.text
    # Who gives the token there comes to what the address asked for.
    answer = httpx.get(f"{url}/?token=old&q=%22red+boat%22+%26&folder=%3Cb%3E", headers=BROWSER)
    assert re.findall('name="([^"]*)" value="([^"]*)"', answer.text) == [
        ("q", "&quot;red boat&quot; &amp;"), ("folder", "&lt;b&gt;")
    ]  # fmt: skip
    assert httpx.get(f"{url}/api/v1/status").json()["status"] == 401
    assert "address --header" in httpx.get(f"{url}/metrics").json()["error"]


def test_a_link_of_another_site_opens_the_page_by_way_of_our_own(url: str) -> None:
    # The browser does not send the cookie along with such a link, but with the page's own loading of itself.
    answer = httpx.get(f"{url}/?q=boat", headers={**BROWSER, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 401
    assert '<meta http-equiv="refresh" content="0">' in answer.text
    for dest in ("iframe", "image", "script", "empty"):
        framed = httpx.get(url, headers={**serving.header(), "Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": dest})
        assert framed.status_code == 403, dest


def test_health_without_a_token_tells_nothing(url: str) -> None:
    assert httpx.get(f"{url}/healthz").json() == {"ok": True}
    assert set(httpx.get(f"{url}/healthz", headers=serving.header()).json()) == {"ok", "generation"}


# -- the file -------------------------------------------------------------------------------------------------------


def test_the_token_is_made_once_and_only_its_owner_can_read_it(
    own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = default_library()
    before = os.umask(0)
    try:
        token = token_of(library)
    finally:
        os.umask(before)
    assert re.fullmatch(r"[\w-]{43}", token)  # 256 bits
    assert token_of(library) == token, "a page that is open when the server is started again goes on"
    assert token_of(library.parent / "another") != token
    path = file_of(library)
    assert path.is_relative_to(own_state)
    assert path.read_text() == f"{token}\n"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        if os.geteuid() == 0:
            with as_nobody(), pytest.raises(PermissionError):
                path.read_text()
    other = renew(library)
    assert other != token
    assert token_of(library) == other
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(path.name)] == [path.name]
    (library.parent / "link").symlink_to(library)
    library.mkdir()
    assert token_of(library.parent / "link") == other


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_token_that_others_may_know_is_not_taken(own_state: Path, tmp_path: Path) -> None:
    library = default_library()
    path = file_of(library)
    token_of(library)
    path.chmod(0o640)
    with pytest.raises(TokenError, match="open to other users"):
        token_of(library)
    path.unlink()
    (tmp_path / "elsewhere").write_text("a-token-of-somebody-else\n")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokenError, match="can't be kept"):
        token_of(library)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(TokenError, match="in the place of the token"):
        token_of(library)
    path.unlink()
    path.parent.chmod(0o755)
    with pytest.raises(TokenError, match="open to other users"):
        token_of(library)
    path.parent.chmod(0o700)
    if os.geteuid() == 0:
        path.write_text("a-token-of-somebody-else\n")
        path.chmod(0o600)
        os.chown(path, 65534, 65534)
        with pytest.raises(TokenError, match="belongs to user 65534"):
            token_of(library)
        path.unlink()
    path.touch(mode=0o600)  # a server that ended before it had written
    assert len(token_of(library)) == 43


def test_the_command_prints_the_address_and_the_header(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["address", *arguments])
        assert done.exit_code == 0, done.output
        return done.output.strip()

    token = token_of(default_library())
    assert said("--port", "8600") == f"http://127.0.0.1:8600/?token={token}"
    assert said("--header") == f"Authorization: Bearer {token}"
    assert token not in said("--new")
    monkeypatch.setenv("SIGHTLINE_TOKEN", "given-by-the-owner")
    assert said() == "http://127.0.0.1:8501/?token=given-by-the-owner"
    for wrong in ("", "a b", "ä", "x" * 513):
        monkeypatch.setenv("SIGHTLINE_TOKEN", wrong)
        with pytest.raises(TokenError, match="SIGHTLINE_TOKEN must be"):
            token_of(default_library())


# -- starting -------------------------------------------------------------------------------------------------------


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The server's command, where it is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "search_ui", "--port", str(serving.free_port()), "--no-browser", *arguments],
        cwd=ROOT, text=True, capture_output=True, check=False, timeout=60, env={**os.environ, **environment},
    )  # fmt: skip


def test_beyond_this_machine_a_token_is_needed(library: Path) -> None:
    for arguments, environment, said in (
        (("--host", "0.0.0.0", "--no-token"), {}, "--host 0.0.0.0 lets others reach the pictures"),
        (("--host", "::", "--no-token"), {}, "--host :: lets others"),
        (("--allow-host", "photos.example", "--no-token"), {}, "--allow-host photos.example lets others"),
        (("--host", "0.0.0.0"), {"SIGHTLINE_TOKEN": "guessable"}, "has 9 characters"),
    ):
        done = started("--library", str(library), *arguments, **environment)
        assert done.returncode == 2, arguments
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    log = library.parent / "log.txt"
    with serving.running(library, log, "--host", "0.0.0.0") as url:
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers=serving.header()).status_code == 200
    assert "whoever can reach this address and has the token" in log.read_text()


def test_without_a_token_by_decision(library: Path) -> None:
    log = library.parent / "log.txt"
    with serving.running(library, log, "--no-token") as url:
        assert httpx.get(url).status_code == 200
        assert httpx.get(f"{url}/metrics").status_code == 200
        assert socket_refusal(url, Origin=url) is None
        for headers in ({"Origin": "http://127.0.0.1:1"}, {"Origin": url, "Sec_Fetch_Site": "same-site"}):
            refused = socket_refusal(url, **headers)
            assert refused is not None
            assert refused.status_code == 403
        assert httpx.get(f"{url}/?token=old").headers["location"] == "/"
    assert "Without a token: every user and program of this machine" in log.read_text()
    assert "token=" not in log.read_text()


def test_the_server_finds_its_token_again_and_tells_nobody(drawn: Path, own_state: Path, tmp_path: Path) -> None:
    library = drawn / "library"
    with serving.running(library, tmp_path / "log.txt") as url:
        token = token_of(library)
        answer = httpx.get(f"{url}/?token={token}", headers=BROWSER)
        cookie = {"Cookie": cookie_of(answer)}
        assert httpx.get(f"{url}/api/v1/status", headers=cookie).status_code == 200
        for table in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert token.encode() not in table.read_bytes()
            except OSError:
                continue
    printed = (tmp_path / "log.txt").read_text()
    assert f"Sightline is at {url}/?token={token}" in printed
    assert printed.count(token) == 1
    log = tmp_path / "again.txt"
    code = (
        "import os, uvicorn; from search_ui.server.asgi import configure, create_app; app = create_app(); "
        f"configure('127.0.0.1', {urlsplit(url).port}); uvicorn.run(app, port={urlsplit(url).port}, access_log=True)"
    )
    with serving.served(["-c", code], urlsplit(url).port or 0, log, SIGHTLINE_LIBRARY=str(library)) as again:
        # The module form, restarted on the same port: the browser is still in, and addresses with tokens aren't logged.
        assert httpx.get(f"{again}/api/v1/status", headers=cookie).status_code == 200
        assert httpx.get(f"{again}/?q=seen&token={token}", headers=BROWSER).status_code == 303
        assert httpx.get(f"{again}/?q=seen&token={token}x", headers=BROWSER).status_code == 401
    assert "/?q=seen" in log.read_text()
    assert token not in log.read_text()


OPENER = """
import sys, urllib.request, urllib.error, pathlib
class Kept(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
opened = urllib.request.build_opener(Kept)
def status(address):
    try: return opened.open(address).status
    except urllib.error.HTTPError as error: return error.code
folder = pathlib.Path(sys.argv[1])
address = sys.argv[2]
(folder / "new").write_text(f"{address}\\n{status(address)}\\n{status(address)}")
(folder / "new").rename(folder / "opened")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="BROWSER names a command")
def test_a_browser_is_opened_with_what_is_of_no_use_to_who_sees_its_command(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "opener.py").write_text(OPENER)
    monkeypatch.setenv("BROWSER", f"{sys.executable} {tmp_path / 'opener.py'} {tmp_path} %s")
    with serving.running(library, tmp_path / "log.txt", "--browser") as url:
        for _ in range(200):
            if (tmp_path / "opened").exists():
                break
            time.sleep(0.1)
        address, first, second = (tmp_path / "opened").read_text().split()
        assert address.startswith(f"{url}/?token=")
        (ticket,) = parse_qs(urlsplit(address).query)["token"]
        assert ticket != TOKEN
        assert (first, second) == ("303", "401"), "it lets one browser in"
        assert httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {ticket}"}).status_code == 401


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs two users, and /proc")
def test_a_browser_of_another_user_is_not_let_in_by_it(tmp_path: Path) -> None:
    import threading

    import uvicorn

    gate = Gate("a-token-of-this-test")
    app = Starlette(middleware=asgi.middleware(gate=gate))
    port = serving.free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)

        def asked(**more: Any) -> int:
            code = (
                "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', int(sys.argv[1])); "
                "c.request('GET', '/x?token=' + sys.stdin.read()); print(c.getresponse().status)"
            )
            done = subprocess.run(
                ["/usr/bin/env", "python3", "-c", code, str(port)], input=gate.ticket(), capture_output=True, text=True,
                check=True, cwd="/", **more,
            )  # fmt: skip
            return int(done.stdout)

        assert asked() == 303
        assert asked(user=65534, extra_groups=[]) == 401
    finally:
        server.should_exit = True
        thread.join()
