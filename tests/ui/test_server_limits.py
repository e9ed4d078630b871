"""The server under clients that ask for much, for nothing, or never; and with few file handles."""

from __future__ import annotations

import asyncio
import http.client
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pages
import pytest
import serving
import websockets
from searching import clustered
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.testing.v1 import AppTest
from support import ROOT

from search_ui.parts import page_frame
from search_ui.server import budget, event_routes
from store import handles as store_handles
from store.library import Library
from store.lock import locked
from store.tables.writer import File, Indexed, SpaceIdentity, Writer
from store.wildcards import MAX_WILDCARDS

ROWS = 20_000
HANDLES = 256


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 20,000 pictures, each in a folder of its own whose name is long and alike."""
    folder = tmp_path_factory.mktemp("many") / "library"
    with locked(folder), Library.create(folder) as library:
        writer = Writer(library.catalog.engine)
        root = writer.add_root(b"/photos")
        space = writer.add_space(SpaceIdentity("key", "made", "made", "", "{}", 8, False))
        facts = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1, "keywords": ("a" * 60,)}
        for start in range(0, ROWS, 1_000):
            writer.commit(
                [
                    Indexed(
                        File(root, f"{'a' * 150}{number}/{'a' * 150}{number}.jpg".encode(), 10, 1),
                        number.to_bytes(32, "big"), facts, {space: vector},
                    )
                    for number, vector in enumerate(clustered(1_000, 8), start)
                ], [],
            )  # fmt: skip
        writer.make_default(space)
    return folder


def get(url: str, path: str, timeout: float = 60) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        connection.request("GET", path, headers={"User-Agent": threading.current_thread().name, **serving.header()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def listen(url: str) -> tuple[http.client.HTTPConnection, int, bytes]:
    """Open a stream of what changes: the connection, the status and the first line."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/events", headers=serving.header())
    answer = connection.getresponse()
    return connection, answer.status, answer.readline()


def test_pages_that_listen_keep_no_place_of_other_requests(drawn: Path, tmp_path: Path) -> None:
    with serving.running(drawn / "library", tmp_path / "log") as url:
        opened = [listen(url) for _ in range(event_routes.MOST)]
        for _, status, line in opened:
            state = json.loads(line.removeprefix(b"data: "))
            assert (status, state["run"], state["newest"] > 0) == (200, None, True)
        assert get(url, "/events")[0] == 503
        assert get(url, f"/thumb/{'0' * 64}.jpg")[0] == 404
        with locked(drawn / "library"):
            for connection, _, _ in opened:
                connection.close()
            deadline = time.monotonic() + 30
            while True:  # those that left make room
                listener, status, line = listen(url)
                if status == 200:
                    break
                listener.close()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert json.loads(line.removeprefix(b"data: "))["run"]["head"] == "Starting to index"
        listener.close()
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log and "timeout" not in log, log


def test_the_worst_patterns_are_answered_in_seconds_and_others_go_on(many: Path, tmp_path: Path) -> None:
    worst = ["*a" * (MAX_WILDCARDS // 2 - 1) + "*b", "?" * MAX_WILDCARDS + "b", "*" * MAX_WILDCARDS + "b"]
    texts = [f"{key}:{pattern}" for pattern in worst for key in ("folder", "name", "keyword")]
    asked = [*texts, " ".join(texts), " ".join(f"-{text}" for text in texts)]
    answers: dict[str, tuple[int, float]] = {}
    with serving.running(many, tmp_path / "log") as url:

        def ask(text: str) -> None:
            began = time.monotonic()
            status, _, _ = get(url, f"/api/v1/facets?q={quote(text)}")
            answers[text] = status, time.monotonic() - began

        threads = [threading.Thread(target=ask, args=[text]) for text in asked]
        for thread in threads:
            thread.start()
        waits = []
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert get(url, "/healthz")[0] == 200
            assert get(url, f"/thumb/{'0' * 64}.jpg")[0] == 404
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        assert {status for status, _ in answers.values()} == {200}
        assert max(seconds for _, seconds in answers.values()) < 30
        assert max(waits) < 10
        status, _, text = get(url, f"/api/v1/facets?q=folder:{'*' * 60}")
        assert status == 422
        assert f"up to {MAX_WILDCARDS} wildcards" in json.loads(text)["detail"]


async def _load(url: str, *, leaves: bool = False) -> None:
    """Load the page as a browser does, to the end of its script, and leave; or leave at once."""
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    protocol = websockets.Subprotocol("streamlit")
    async with websockets.connect(
        address,
        subprotocols=[protocol],
        origin=websockets.Origin(url),
        max_size=None,
        additional_headers=serving.header(),
    ) as page:
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        await page.send(asked.SerializeToString())
        while not leaves:
            message = ForwardMsg()
            message.ParseFromString(bytes(await asyncio.wait_for(page.recv(), 60)))  # type: ignore[arg-type]
            if message.WhichOneof("type") == "script_finished":
                return


def _taken_on(port: int) -> int | None:
    """How many connections to a port its server has taken on and not ended; None where the system does not tell."""
    table = Path("/proc/net/tcp")
    if not table.exists():
        return None
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    # Established or ended by the other side; those that wait to be taken on have no file yet.
    return sum(row[1].endswith(f":{port:04X}") and row[3] in ("01", "08") and row[9] != "0" for row in rows)


@pytest.mark.parametrize("handles", [128, 160, 200, 256, 257, 300, 512, 1_000, 1_024, 2_048, 4_096])
def test_what_may_be_open_at_once_fits_into_the_handles(handles: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_handles, "raise_limit", lambda: handles)
    # A page has a socket and an event loop of three handles; a connection one and the file that is sent; those that
    # were taken on in three turns of the event loop can be too many.
    pages = 4 * budget.most_pages() + 3 * budget.most_left()
    database = 2 * (8 + 24) + 1
    others = 40
    assert pages + 2 * budget.most_connections() + 3 * budget.most_accepted() + database + others <= handles
    assert budget.most_streams() < budget.most_connections()


@pytest.mark.parametrize("loads", [100, pytest.param(300, marks=pytest.mark.nightly)])
def test_a_server_with_256_handles_serves_pages_beside_silent_connections(
    loads: int, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving.running(drawn / "library", tmp_path / "log", handles=HANDLES) as url:

        async def load_all() -> None:
            for _ in range(0, loads, 4):
                await asyncio.gather(*(_load(url) for _ in range(4)))

        async def leave_all() -> None:
            for _ in range(2):
                # Too many pages at once are refused.
                await asyncio.gather(*(_load(url, leaves=True) for _ in range(20)), return_exceptions=True)

        asyncio.run(load_all())
        asyncio.run(leave_all())
        address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        silent = [socket.create_connection(address, 5) for _ in range(400)]
        try:
            for _ in range(20):
                assert get(url, "/healthz")[0] == 200
            asyncio.run(_load(url))
            with monkeypatch.context() as patch:
                patch.setattr(store_handles, "raise_limit", lambda: HANDLES)
                most = budget.most_connections() + 3 * budget.most_accepted()
            if (found := _taken_on(address[1])) is not None:
                assert found <= most
        finally:
            for each in silent:
                each.close()
    assert "Too many open files" not in (tmp_path / "log").read_text()


def test_a_process_raises_its_limit_of_handles_as_far_as_it_may() -> None:
    script = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))
from store.handles import raise_limit
print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for given, expected in ((300, 300), (hard, 4_096 if hard == resource.RLIM_INFINITY else min(4_096, hard))):
        made = subprocess.run(
            [sys.executable, "-c", script.format(hard=given)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert made.stdout.split() == [str(expected)] * 2


def test_a_page_whose_search_took_too_long_says_so(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(drawn / "library"))
    monkeypatch.setattr(page_frame, "PAGE_SECONDS", 0.0)
    app = AppTest.from_file(str(pages.APP), default_timeout=60)
    app.query_params["q"] = "folder:a*"
    app.run()
    assert not app.exception, app.exception
    assert "longer than the 0 seconds it may take" in pages.said(app)
