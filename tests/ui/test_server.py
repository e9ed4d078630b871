"""The routes beside Streamlit's, and who may use them."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import indexing
import numpy as np
import pytest
import serving
from PIL import Image
from starlette.testclient import TestClient, WebSocketDenialResponse
from support import ROOT, as_nobody

from search_ui.runtime.services import services
from search_ui.runtime.uploads import UploadCache
from search_ui.server import asgi
from sightline.images.pools import pool
from sightline.media import reading
from sightline.query.types import MAX_PICTURE_BYTES, MAX_TERMS
from store.paths import default_library

BASE = "http://127.0.0.1:8501"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_space: str) -> Path:
    """A folder with `photos/` and the `library/` of them."""
    folder = tmp_path_factory.mktemp("server")
    photos = folder / "photos"
    photos.mkdir()
    for number in range(3):
        Image.new("RGB", (640, 480), (80 * number, 120, 40)).save(photos / f"{number}.jpg")
    indexing.add(folder / "library", photos, tiny_space)
    return folder


@pytest.fixture
def library(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made / "library", tmp_path / "library")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    return tmp_path / "library"


@pytest.fixture(scope="module")
def app() -> Iterator[TestClient]:
    # One for all: a process can have only one Streamlit runtime. Which library it serves is asked at each request.
    application = asgi.create_app(["photos.example"])
    asgi.configure("127.0.0.1", 8501, ["photos.example"])
    with TestClient(application, base_url=BASE, headers=serving.header(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(app: TestClient, library: Path) -> TestClient:
    return app


@dataclass
class Own:
    """A folder of one test, in its library."""

    folder: Path
    library: Path
    space: str

    def add(self, name: str, size: tuple[int, int]) -> int:
        """Index a new picture; returns its content id."""
        image = Image.effect_noise(size, 60).convert("RGB")
        image.save(self.folder / name)
        self.index()
        return services().searcher().recent(1)[0].content_id

    def index(self) -> None:
        indexing.add(self.library, self.folder, self.space)


@pytest.fixture
def own(library: Path, tmp_path: Path, tiny_space: str) -> Own:
    (tmp_path / "own").mkdir()
    return Own(tmp_path / "own", library, tiny_space)


def a_hash() -> str:
    return services().searcher().recent(1)[0].hash.hex()


def test_a_thumbnail_is_served_by_hash_to_be_kept(client: TestClient) -> None:
    answer = client.get(f"/thumb/{a_hash()}.jpg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    assert max(Image.open(io.BytesIO(answer.content)).size) <= 512
    again = client.get(f"/thumb/{a_hash()}.jpg", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/thumb",
        "/thumb/",
        "/thumb/../thumb/x.jpg",
        "/thumb/%2e%2e/%2e%2e/etc/passwd",
        "/thumb/..%2f..%2fetc%2fpasswd",
        "/thumb//etc/passwd",
        "/thumb/%00.jpg",
        "/thumb/\\\\server\\share.jpg",
        "/thumb/0.jpg",
        f"/thumb/{'0' * 63}.jpg",
        f"/thumb/{'0' * 64}.jpg",
        f"/thumb/{'A' * 64}.jpg",
        f"/thumb/{'0' * 64}.png",
        f"/thumb/{'0' * 64}.jpg%0a",
        "/thumb/" + "\u0660" * 64 + ".jpg",
        f"/thumb/{'0' * 5000}.jpg",
        "/picture/0.jpg",
        "/picture/",
        "/preview",
        "/preview/",
        "/preview/..%2f..%2fetc%2fpasswd",
        f"/preview/{'0' * 64}.jpg",
        f"/preview/{'A' * 64}.jpg",
        f"/preview/{'0' * 64}.jpg/x",
        "/tile",
        f"/tile/{'0' * 64}.jpg",
        f"/tile/{'0' * 64}/1/0-0.jpg",
        f"/tile/{'0' * 64}/1/0-0.jpg%0a",
        "/tile/..%2f..%2fetc%2fpasswd/1/0-0.jpg",
        "/original",
        "/original/",
        "/original/0",
        "/original/01",
        "/original/-1",
        "/original/1.jpg",
        "/original/1/2",
        "/original/999999",
        f"/original/{'9' * 18}",
        f"/original/{'9' * 5000}",
        "/original/\u0661",
        "/original/1%0a",
        "/original/..%2f..%2fetc%2fpasswd",
        "/original/%2fetc%2fpasswd",
        "/original//etc/passwd",
    ],
)
def test_what_is_no_picture_is_never_found(client: TestClient, path: str) -> None:
    answer = client.get(path)
    # Streamlit would answer an unknown address with its own page and 200.
    assert answer.status_code == 404, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "error" in answer.json()


def test_uppercase_and_unknown_are_our_own_404(client: TestClient) -> None:
    for name in (f"{a_hash().upper()}.jpg", f"{'0' * 64}.jpg", f"{a_hash()[:-1]}.jpg", f"{a_hash()}.jpg%0a"):
        answer = client.get(f"/thumb/{name}")
        assert answer.status_code == 404
        assert answer.json() == {"error": "There is no such picture."}


def test_a_missing_thumbnail_is_made_again(client: TestClient) -> None:
    thumbnails, content_hash = services().library().thumbnails, a_hash()
    before = thumbnails.read(bytes.fromhex(content_hash))
    thumbnails.remove(bytes.fromhex(content_hash))
    answer = client.get(f"/thumb/{content_hash}.jpg")
    assert answer.status_code == 200
    assert answer.content == before == thumbnails.read(bytes.fromhex(content_hash))


def test_a_thumbnail_is_not_made_of_a_file_that_changed(client: TestClient, made: Path) -> None:
    content_hash = a_hash()
    photo = services().searcher().recent(1)[0]
    file = made / "photos" / photo.display
    original = file.read_bytes()
    services().library().thumbnails.remove(bytes.fromhex(content_hash))
    try:
        Image.new("RGB", (64, 64), "red").save(file)
        assert client.get(f"/thumb/{content_hash}.jpg").status_code == 404
        file.unlink()
        os.mkfifo(file)  # to open it would wait for ever
        assert client.get(f"/thumb/{content_hash}.jpg").status_code == 404
    finally:
        file.unlink()
        file.write_bytes(original)
    assert client.get(f"/thumb/{content_hash}.jpg").status_code == 200


def test_a_preview_is_made_when_asked_for_and_kept(client: TestClient) -> None:
    previews, content_hash = services().library().previews, a_hash()
    assert previews.read(bytes.fromhex(content_hash)) is None
    answer = client.get(f"/preview/{content_hash}.jpg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert Image.open(io.BytesIO(answer.content)).size == (640, 480)  # never larger than the original
    assert previews.read(bytes.fromhex(content_hash)) == answer.content
    for known in (answer.headers["etag"], f'"x", W/{answer.headers["etag"]}', "*"):
        again = client.get(f"/preview/{content_hash}.jpg", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/preview/{content_hash}.jpg", headers={"If-None-Match": '"x"'}).status_code == 200
    head = client.head(f"/preview/{content_hash}.jpg")
    assert (head.status_code, head.content) == (200, b"")


def test_a_preview_outlives_its_file_and_is_not_made_of_another(client: TestClient, own: Own) -> None:
    id_ = own.add("a.jpg", (2000, 1000))
    content_hash = services().library().catalog.photos([id_])[id_].hash
    file = own.folder / "a.jpg"
    before = file.read_bytes()
    Image.new("RGB", (64, 64), "red").save(file)
    assert client.get(f"/preview/{content_hash.hex()}.jpg").json() == {"error": "There is no such picture."}
    file.write_bytes(before)
    answer = client.get(f"/preview/{content_hash.hex()}.jpg")
    assert Image.open(io.BytesIO(answer.content)).size == (1600, 800)
    file.unlink()
    assert client.get(f"/preview/{content_hash.hex()}.jpg").content == answer.content
    services().library().previews.remove(content_hash)
    assert client.get(f"/preview/{content_hash.hex()}.jpg").status_code == 404


def test_a_sliver_that_an_older_version_made_is_made_again(client: TestClient, own: Own) -> None:
    long, short = own.add("long.png", (300, 4500)), own.add("short.png", (30, 512))
    library = services().library()
    long_hash, short_hash = (library.catalog.photos([id_])[id_].hash for id_ in (long, short))
    for store, kind, sliver, expected in (
        (library.previews, "preview", (107, 1600), (300, 4500)),
        (library.thumbnails, "thumb", (34, 512), (170, 2550)),
    ):
        buffer = io.BytesIO()
        Image.new("RGB", sliver).save(buffer, "JPEG")
        store.write(long_hash, buffer.getvalue())
        answer = client.get(f"/{kind}/{long_hash.hex()}.jpg")
        assert Image.open(io.BytesIO(answer.content)).size == expected
        assert store.read(long_hash) == answer.content
        # Where the file is not there, a sliver is better than nothing.
        store.write(long_hash, buffer.getvalue())
        (own.folder / "long.png").rename(own.folder / "away")
        assert client.get(f"/{kind}/{long_hash.hex()}.jpg").content == buffer.getvalue()
        (own.folder / "away").rename(own.folder / "long.png")
    # What is no larger itself is whole as it is.
    small = client.get(f"/thumb/{short_hash.hex()}.jpg").content
    assert Image.open(io.BytesIO(small)).size == (30, 512)
    (own.folder / "short.png").unlink()
    assert client.get(f"/thumb/{short_hash.hex()}.jpg").content == small


def test_a_tile_is_a_part_of_the_file_itself_to_be_kept(client: TestClient, own: Own) -> None:
    id_ = own.add("a.png", (2500, 1200))
    content_hash = services().library().catalog.photos([id_])[id_].hash.hex()
    pixels = np.asarray(Image.open(own.folder / "a.png")).astype(int)
    for column, row, box in ((0, 0, (0, 0, 1025, 1025)), (2, 1, (2048, 1024, 2500, 1200))):
        answer = client.get(f"/tile/{content_hash}/1/{column}-{row}.jpg")
        assert answer.status_code == 200
        left, top, right, bottom = box
        shown = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert np.abs(shown - pixels[top:bottom, left:right]).mean() < 3
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    address = f"/tile/{content_hash}/2/1-0.jpg"
    answer = client.get(address)
    assert Image.open(io.BytesIO(answer.content)).size == (1250 - 1024, 600)
    assert client.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    for wrong in (
        "1/3-0",
        "1/0-2",
        "1/0-00",
        "1/-1-0",
        "3/0-0",
        "01/0-0",
        "0/0-0",
        "128/0-0",
        "1/0-0-0",
        "1/0",
        "0-0",
        "1/999999-0",
    ):
        refused = client.get(f"/tile/{content_hash}/{wrong}.jpg")
        assert (refused.status_code, refused.json()) == (404, {"error": "There is no such picture."}), wrong
        assert refused.headers["cache-control"] == "private, no-store"
    assert client.get(address, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get(address, headers={"Host": "evil.example"}).status_code == 400


def test_who_waits_too_long_for_a_tile_is_asked_to_come_again(
    client: TestClient, own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = own.add("a.png", (1700, 1200))
    address = f"/tile/{services().library().catalog.photos([id_])[id_].hash.hex()}/1/0-0.jpg"
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0.05)
    with pool("photos").reader(), pool("photos").reader():
        answer = client.get(address)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Try again" in answer.json()["error"]
    assert client.get(address).status_code == 200


def test_previews_of_a_library_that_may_not_be_written_are_shown_and_not_kept(
    client: TestClient, public_tmp: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, photos = public_tmp / "library", public_tmp / "photos"
    photos.mkdir(mode=0o755)
    Image.new("RGB", (640, 480), "teal").save(photos / "a.png")
    indexing.add(library, photos, tiny_space)
    for path in (library, *library.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    with as_nobody():
        assert services().library().readonly
        answers = [client.get(f"/{kind}/{a_hash()}.jpg").status_code for kind in ("thumb", "preview")]
        answers.append(client.get("/original/1").status_code)
    assert answers == [200, 200, 200]
    assert not (library / "previews").exists()
    for path in (library, *library.rglob("*")):
        path.chmod(0o755)


def test_the_file_itself_is_a_download_under_its_own_name(client: TestClient, own: Own) -> None:
    id_ = own.add("boat.jpg", (900, 600))
    data = (own.folder / "boat.jpg").read_bytes()
    answer = client.get(f"/original/{id_}")
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == str(len(data))
    assert answer.headers["content-disposition"] == 'attachment; filename="boat.jpg"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "private, no-cache"
    etag = answer.headers["etag"]
    assert etag == f'"{hashlib.sha256(data).hexdigest()}"'
    known = client.get(f"/original/{id_}", headers={"If-None-Match": etag})
    assert (known.status_code, known.content) == (304, b"")
    head = client.head(f"/original/{id_}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(data)))
    assert client.post(f"/original/{id_}").status_code == 405


def test_a_download_goes_on_where_it_broke_off(client: TestClient, own: Own) -> None:
    id_ = own.add("boat.jpg", (900, 600))
    data = (own.folder / "boat.jpg").read_bytes()
    etag = client.head(f"/original/{id_}").headers["etag"]
    for asked, part in (("bytes=0-9", data[:10]), ("bytes=100-", data[100:]), ("bytes=-7", data[-7:])):
        answer = client.get(f"/original/{id_}", headers={"Range": asked, "If-Range": etag})
        assert (answer.status_code, answer.content) == (206, part), asked
    assert client.get(f"/original/{id_}", headers={"Range": "bytes=0-9", "If-Range": '"old"'}).content == data
    assert client.get(f"/original/{id_}", headers={"Range": f"bytes={len(data)}-"}).status_code == 416


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name may be any bytes")
@pytest.mark.parametrize(
    ("name", "header"),
    [
        (b"<img src=x onerror=alert(1)>.jpg", "attachment; filename=\"_img src=x onerror=alert(1)_.jpg\"; "
         "filename*=UTF-8''%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E.jpg"),
        (b'a"b\\c%41;x.jpg', "attachment; filename=\"a_b_c_41;x.jpg\"; "
         "filename*=UTF-8''a%22b%5Cc%2541%3Bx.jpg"),
        (b"x\r\nSet-Cookie: a=b.jpg", "attachment; filename=\"x__Set-Cookie_ a=b.jpg\"; "
         "filename*=UTF-8''x%0D%0ASet-Cookie%3A%20a%3Db.jpg"),
        ("Grüße 🌊.jpg".encode(), "attachment; filename=\"Gr__e _.jpg\"; "
         "filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%F0%9F%8C%8A.jpg"),
        (b"caf\xe9.jpg", 'attachment; filename="caf_.jpg"'),
        (b"page.html.jpg", 'attachment; filename="page.html.jpg"'),
    ],
)  # fmt: skip
def test_names_of_downloads_can_not_lead_astray(client: TestClient, own: Own, name: bytes, header: str) -> None:
    id_ = own.add(os.fsdecode(name), (40, 30))
    answer = client.get(f"/original/{id_}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == header
    assert "set-cookie" not in answer.headers


def test_a_type_follows_the_content_and_not_the_name(client: TestClient, own: Own) -> None:
    for name, kind in (("a.html.png", "image/png"), ("b.webp", "image/webp"), ("c.tif", "image/tiff")):
        assert client.get(f"/original/{own.add(name, (40, 30))}").headers["content-type"] == kind


def test_only_what_was_indexed_is_given_out(client: TestClient, own: Own) -> None:
    id_ = own.add("a.bmp", (40, 30))
    file = own.folder / "a.bmp"
    data, facts = file.read_bytes(), file.stat()
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 5_000_000_000))
    assert client.get(f"/original/{id_}").content == data, "only the time is another: a restored backup"
    file.write_bytes(data[:-3] + b"xyz")
    assert client.get(f"/original/{id_}").status_code == 404, "of the same size, and something else"
    file.write_bytes(data + b"\0")
    assert client.get(f"/original/{id_}").status_code == 404
    file.unlink()
    assert client.get(f"/original/{id_}").status_code == 404
    os.mkfifo(file)  # to open it would wait for ever
    assert client.get(f"/original/{id_}").status_code == 404
    assert client.get(f"/original/{id_}").json() == {"error": "There is no such picture."}


def test_a_copy_stands_in_for_a_file_that_is_gone(client: TestClient, own: Own) -> None:
    id_ = own.add("first.jpg", (40, 30))
    data = (own.folder / "first.jpg").read_bytes()
    (own.folder / "second.jpg").write_bytes(data)
    own.index()
    (own.folder / "first.jpg").unlink()
    answer = client.get(f"/original/{id_}")
    assert (answer.content, answer.headers["content-disposition"]) == (data, 'attachment; filename="second.jpg"')
    services().library().previews.remove(hashlib.sha256(data).digest())
    assert client.get(f"/preview/{hashlib.sha256(data).hexdigest()}.jpg").status_code == 200


def test_the_earth_is_a_drawing_of_our_own(client: TestClient) -> None:
    answer = client.get("/land.svg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content.startswith(b"<svg") and len(answer.content) < 100_000
    assert client.get("/land.svg/x").status_code == 404


def test_foreign_names_are_refused_everywhere(client: TestClient) -> None:
    for path, kind in (
        ("/", "text/plain; charset=utf-8"), ("/_stcore/health", "text/plain; charset=utf-8"),
        ("/healthz", "application/json"), ("/metrics", "application/json"),
        (f"/thumb/{a_hash()}.jpg", "application/json"), ("/api/v1/status", "application/problem+json"),
        ("/api/v1/nothing", "application/problem+json"), (f"{BASE}//api", "application/problem+json"),
    ):  # fmt: skip
        for host in ("evil.example", "evil.example:8501", "127.0.0.1.evil.example", "", "localhost@evil.example"):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code == 400, (path, host)
            assert answer.headers["content-type"] == kind, (path, host)
            assert "access-control-allow-origin" not in answer.headers
    for host in ("localhost:8501", "127.0.0.1", "[::1]:8501", "photos.example"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200, host


def test_a_foreign_name_opens_no_socket_and_does_nothing(client: TestClient, library: Path) -> None:
    for path in ("/_stcore/stream", "/api/v1/status", "/thumb/x.jpg"):
        with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(
            f"ws://127.0.0.1:8501{path}", headers={"Host": "evil.example"}
        ):  # fmt: skip
            pass
        assert refusal.value.status_code == 400
    assert client.put("/api/v1/searches/x", json={"q": "boat"}, headers={"Host": "evil.example"}).status_code == 400
    assert client.post("/picture", content=b"x", headers={"Host": "evil.example"}).json()["error"].startswith("This")
    assert client.get("/api/v1/searches").json() == {"searches": []}


def test_other_sites_pages_get_nothing_of_ours(client: TestClient) -> None:
    paths = (
        "/healthz", f"/thumb/{a_hash()}.jpg", f"/preview/{a_hash()}.jpg", "/original/1", "/api/v1/status", "/metrics",
    )  # fmt: skip
    for path in paths:
        for site in ("cross-site", "same-site", "nonsense"):
            assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403
        assert client.get(path, headers={"Origin": "http://evil.example"}).status_code == 403
        assert client.get(path, headers={"Origin": "null"}).status_code == 403
        assert client.get(path, headers={"Sec-Fetch-Site": "same-origin", "Origin": BASE}).status_code == 200
        assert client.get(path, headers={"Sec-Fetch-Site": "none"}).status_code == 200
    assert client.post("/picture", content=b"x", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_the_pages_are_there_before_torch_and_fastapi_are() -> None:
    heavy = ("torch", "open_clip", "faiss", "numba", "umap", "sklearn", "fastapi", "pydantic")
    code = (
        f"import sys, search_ui.app, search_ui.server.serve; print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_other_site_can_show_the_pages_in_a_frame(client: TestClient) -> None:
    for path in ("/", "/library", "/healthz", f"/thumb/{a_hash()}.jpg"):
        headers = client.get(path).headers
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


def test_the_shelf_holds_as_many_pictures_as_a_query_takes(made: Path) -> None:
    shelf = UploadCache(limit=1)
    names = [shelf.put((made / "photos" / "1.jpg").read_bytes()) for _ in range(MAX_TERMS + 1)]
    assert shelf.get(names[0]) is None
    assert all(shelf.get(name) for name in names[1:])


def test_a_picture_put_on_the_shelf(client: TestClient, made: Path) -> None:
    data = (made / "photos" / "1.jpg").read_bytes()
    name = client.post("/picture", content=data).json()["name"]
    kept = services().uploads.get(name)
    assert kept is not None
    assert kept.data == data
    answer = client.get(f"/picture/{name}.jpg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert "no-store" in answer.headers["cache-control"]


def test_what_is_no_picture_is_not_kept(client: TestClient) -> None:
    for content, status, said in (
        (b"", 422, "the file is empty"),
        (b"<svg onload=alert(1)>", 422, "SVG is not read"),
        (b"no picture at all", 422, "not a picture format"),
        (bytes(MAX_PICTURE_BYTES + 1), 413, "larger than 25 MB"),
    ):
        answer = client.post("/picture", content=content)
        assert answer.status_code == status
        assert said in answer.json()["error"]
    answer = client.get("/picture")
    assert (answer.status_code, list(answer.json()), answer.headers["allow"]) == (405, ["error"], "POST")


def test_health(client: TestClient, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = client.get("/healthz").json()
    assert answer == {"ok": True, "generation": services().library().catalog.generation()}
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "none"))
    assert client.get("/healthz").json() == {"ok": True, "generation": None}
    assert client.get(f"/thumb/{'0' * 64}.jpg").status_code == 404


def test_a_library_that_appears_or_is_replaced_is_seen(made: Path, tmp_path: Path, library: Path) -> None:
    first = services().library()
    assert services().library() is first
    (library / "library.sqlite").unlink()
    shutil.copy(made / "library" / "library.sqlite", library / "new.sqlite")
    (library / "new.sqlite").rename(library / "library.sqlite")
    assert services().library() is not first
    assert services().path == default_library()


def test_settings_are_ours_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit import config

    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "true")
    asgi.create_app()
    asgi.configure("127.0.0.1", 8599)
    for option, value in (
        ("server.address", "127.0.0.1"), ("server.port", 8599), ("browser.gatherUsageStats", False),
        ("server.enableCORS", True), ("server.enableXsrfProtection", True), ("server.fileWatcherType", "none"),
        ("server.enableStaticServing", False), ("server.maxUploadSize", 25), ("client.showErrorDetails", "none"),
    ):  # fmt: skip
        assert config.get_option(option) == value, option
    assert config.get_option("server.allowedHosts") == ["127.0.0.1", "localhost", "::1"]


def test_the_server_listens_on_the_loopback_only_and_stops_when_told(library: Path, tmp_path: Path) -> None:
    with serving.running(library, tmp_path / "log.txt") as url:
        port = int(url.rsplit(":", 1)[1])
        with socket.socket() as probe:
            probe.settimeout(5)
            with pytest.raises(OSError):  # noqa: PT011 - refused or timed out, as the system has it
                probe.connect((_own_address(), port))
        taken = subprocess.run(
            [sys.executable, "-m", "search_ui", "--library", str(library), "--port", str(port), "--no-browser"],
            cwd=ROOT, text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert taken.returncode == 2
        assert f"Port {port} is taken" in taken.stderr
        assert "Traceback" not in taken.stderr
    assert "Sightline is at" in (tmp_path / "log.txt").read_text()
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks the routing table for our own address
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.2"
    return "127.0.0.2" if address.startswith("127.") else address


def test_ctrl_c_exits_130(library: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "search_ui", "--library", str(library), "--port", str(serving.free_port()),
         "--no-browser", "--offline"], cwd=ROOT, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    line = ""
    while "Sightline is at" not in line:
        line = process.stderr.readline()
        assert line, "the server ended before it was up"
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in rest
