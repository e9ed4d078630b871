"""What leaves the program is what was indexed: nothing of files that were swapped, linked or changed is given out."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import indexing
import pytest
import serving
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from search_ui.runtime.file_manager import FileManagerError, show_folder_of_photo
from search_ui.runtime.services import services
from search_ui.runtime.zip_registry import zip_registry
from search_ui.server import asgi
from search_ui.server.gate import Gate
from search_ui.server.zip_routes import NOT_INCLUDED
from sightline.media.crop import crop
from sightline.query.types import QueryError
from store.library import Library
from store.tables import library_reports
from store.tables.batch_writer import Failed, File
from store.tables.writer import Writer
from store.walk_options import WalkChoice

APP = Starlette(middleware=asgi.middleware(gate=Gate(None)))
BASE = "http://127.0.0.1:8501"
SIDE = 400
LARGE = 24_000_000

linux = pytest.mark.skipif(sys.platform == "win32", reason="there links need a right of their own")


@dataclass
class Own:
    """A library of `root/trips/boat.png`, `root/gone.png` without a thumbnail or preview, and a secret beside it."""

    folder: Path
    secret: bytes

    @property
    def photo(self) -> Path:
        return self.folder / "root" / "trips" / "boat.png"

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    data: bytes = b""
    id: int = 0


def picture(colour: str, more: int = 0) -> bytes:
    """A picture; bytes after its end change nothing."""
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, 300), colour).save(buffer, "PNG")
    return buffer.getvalue() + bytes(more)


@pytest.fixture
def own(tmp_path: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch) -> Own:
    made = Own(tmp_path, picture("red"))
    made.data = picture("teal") + os.urandom(8)  # what other tests made of theirs may still be held
    made.photo.parent.mkdir(parents=True)
    made.photo.write_bytes(made.data)
    (tmp_path / "secret" / "trips").mkdir(parents=True)
    # Of the same size: nothing but the bytes tells it from the photo.
    made.secret = made.secret[: len(made.data)].ljust(len(made.data), b"\0")
    (tmp_path / "secret" / "boat.png").write_bytes(made.secret)
    (tmp_path / "secret" / "trips" / "boat.png").write_bytes(made.data)
    indexing.add(tmp_path / "library", tmp_path / "root", tiny_space)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    made.id = services().library().catalog.content_by_hash(hashlib.sha256(made.data).digest())[0]  # type: ignore[index]
    return made


@pytest.fixture
def client(own: Own) -> TestClient:
    return TestClient(APP, base_url=BASE, headers=serving.header(), raise_server_exceptions=False)


def forget_pictures(own: Own) -> None:
    """Take away what was made of the photo, so that it must be made again."""
    library = services().library()
    library.thumbnails.remove(bytes.fromhex(own.hash))
    library.previews.remove(bytes.fromhex(own.hash))


def answers(client: TestClient, own: Own) -> dict[str, bytes | None]:
    """What each way out gives of the photo; None where it gives nothing."""
    forget_pictures(own)
    found: dict[str, bytes | None] = {}
    for name, path, headers in (
        ("original", f"/original/{own.id}", {}),
        ("range", f"/original/{own.id}", {"Range": "bytes=10-59"}),
        ("thumbnail", f"/thumb/{own.hash}.jpg", {}),
        ("preview", f"/preview/{own.hash}.jpg", {}),
        ("tile", f"/tile/{own.hash}/1/0-0.jpg", {}),
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code in (200, 206, 404), answer.text
        found[name] = answer.content if answer.status_code < 300 else None
    address = zip_registry().offer(services().library(), [own.id])
    with zipfile.ZipFile(io.BytesIO(client.get(address).content)) as bundle:
        assert bundle.testzip() is None
        found["zip"] = bundle.read("boat.png") if "boat.png" in bundle.namelist() else None
        if found["zip"] is None:
            assert "boat.png: " in bundle.read(NOT_INCLUDED).decode()
    forget_pictures(own)
    try:
        found["crop"] = crop(services().library(), own.id, (0.0, 0.0, 1.0, 1.0))
    except QueryError:
        found["crop"] = None
    return found


def test_all_ways_out_give_the_photo_that_was_indexed(client: TestClient, own: Own) -> None:
    found = answers(client, own)
    assert (found["original"], found["range"], found["zip"]) == (own.data, own.data[10:60], own.data)
    for name in ("thumbnail", "preview", "tile", "crop"):
        data = found[name]
        assert data is not None, name
        assert Image.open(io.BytesIO(data)).size == (SIDE, 300), name


def _to_a_link(own: Own) -> None:
    own.photo.unlink()
    own.photo.symlink_to(own.folder / "secret" / "boat.png")


def _to_a_link_to_the_same(own: Own) -> None:
    own.photo.unlink()
    own.photo.symlink_to(own.folder / "secret" / "trips" / "boat.png")


def _folder_to_a_link(own: Own) -> None:
    shutil.rmtree(own.photo.parent)
    own.photo.parent.symlink_to(own.folder / "secret")


def _folder_to_a_link_to_the_same(own: Own) -> None:
    shutil.rmtree(own.photo.parent)
    own.photo.parent.symlink_to(own.folder / "secret" / "trips")


def _to_a_hard_link(own: Own) -> None:
    facts = own.photo.stat()
    own.photo.unlink()
    os.utime(own.folder / "secret" / "boat.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    own.photo.hardlink_to(own.folder / "secret" / "boat.png")


def _to_other_bytes(own: Own) -> None:
    facts = own.photo.stat()
    own.photo.write_bytes(own.secret)
    os.utime(own.photo, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _to_a_fifo(own: Own) -> None:
    own.photo.unlink()
    os.mkfifo(own.photo)


def _to_a_socket(own: Own) -> None:
    own.photo.unlink()
    here = Path.cwd()
    os.chdir(own.photo.parent)  # an address of a socket may be 107 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(own.photo.name)
    finally:
        os.chdir(here)


def _to_a_folder(own: Own) -> None:
    own.photo.unlink()
    own.photo.mkdir()


def _to_a_hole(own: Own) -> None:
    """A sparse file: nobody may read 3 GB of zeros."""
    own.photo.unlink()
    with own.photo.open("wb") as file:
        file.truncate(3_000_000_000)


def _to_nothing(own: Own) -> None:
    own.photo.unlink()


SWAPS = [
    _to_a_link, _to_a_link_to_the_same, _folder_to_a_link, _folder_to_a_link_to_the_same, _to_a_hard_link,
    _to_other_bytes, _to_a_fifo, _to_a_socket, _to_a_folder, _to_a_hole, _to_nothing,
]  # fmt: skip


# Those that differ in what tells them: the link, the folder, the hash, the time of change.
CHIEF = [_to_a_link, _folder_to_a_link, _to_a_hard_link, _to_other_bytes]


@linux
@pytest.mark.parametrize(
    ("swap", "looked"), [*((swap, False) for swap in SWAPS), *((swap, True) for swap in CHIEF)],
    ids=lambda given: given.__name__.strip("_") if callable(given) else "looked" if given else "",
)  # fmt: skip
def test_nothing_leaves_of_what_was_put_in_a_photos_place(
    client: TestClient, own: Own, swap: Callable[[Own], None], looked: bool
) -> None:
    if looked:
        assert None not in answers(client, own).values()
    swap(own)
    found = answers(client, own)
    if looked:
        del found["tile"]  # the photo that was decoded, which is held for a while
    assert set(found.values()) == {None}


@linux
@pytest.mark.parametrize("swap", [_to_a_link, _folder_to_a_link, _to_other_bytes, _to_a_fifo])
def test_a_copy_stands_in_for_a_photo_that_was_swapped(
    client: TestClient, own: Own, tiny_space: str, swap: Callable[[Own], None]
) -> None:
    (own.folder / "root" / "copy.png").write_bytes(own.data)
    indexing.add(own.folder / "library", own.folder / "root", tiny_space)
    swap(own)
    answer = client.get(f"/original/{own.id}")
    assert (answer.content, answer.headers["content-disposition"]) == (own.data, 'attachment; filename="copy.png"')
    assert client.get(f"/preview/{own.hash}.jpg").status_code == 200


@linux
def test_where_links_are_followed_their_photos_are_given_out(
    own: Own, client: TestClient, tiny_space: str
) -> None:  # fmt: skip
    import sightline

    _folder_to_a_link_to_the_same(own)
    with sightline.Library(own.folder / "library") as library:
        library.index([own.folder / "root"], space=tiny_space, follow_symlinks=True)
    assert None not in answers(client, own).values()
    own.photo.parent.unlink()
    own.photo.parent.symlink_to(own.folder / "secret")
    found = answers(client, own)
    del found["tile"]
    assert set(found.values()) == {None}, "another file, behind another link"


@linux
def test_links_are_followed_in_the_part_of_a_root_alone_that_is_walked_so(
    own: Own, client: TestClient, tiny_space: str
) -> None:
    inner = own.folder / "root" / "inner"
    inner.mkdir()
    data = picture("blue")
    (own.folder / "blue.png").write_bytes(data)
    (inner / "blue.png").symlink_to(own.folder / "blue.png")
    import sightline

    with sightline.Library(own.folder / "library") as library:
        library.index([inner], space=tiny_space, follow_symlinks=True)
    id_ = services().library().catalog.content_by_hash(hashlib.sha256(data).digest())
    assert id_ is not None
    assert client.get(f"/original/{id_[0]}").content == data
    # The folder itself lies where links are not followed.
    inner.rename(own.folder / "elsewhere")
    inner.symlink_to(own.folder / "elsewhere")
    assert client.get(f"/original/{id_[0]}").status_code == 404


@linux
@pytest.mark.parametrize(
    ("swap", "said"),
    [
        (_folder_to_a_link_to_the_same, "is not opened: it is a link, or lies behind one"),
        (lambda own: shutil.rmtree(own.photo.parent), "is not there now"),
    ],
    ids=["a link", "gone"],
)  # fmt: skip
def test_no_folder_is_opened_behind_a_link(
    own: Own, monkeypatch: pytest.MonkeyPatch, swap: Callable[[Own], object], said: str
) -> None:
    programs = own.folder / "bin"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        (programs / name).write_text(f'#!/bin/sh\necho "$@" >> "{programs}/given"\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    catalog = services().library().catalog
    photo = catalog.photos([own.id])[own.id]
    show_folder_of_photo(catalog, photo)
    assert str(own.photo.parent) in (programs / "given").read_text()
    (programs / "given").unlink()
    swap(own)
    with pytest.raises(FileManagerError, match=said):
        show_folder_of_photo(catalog, photo)
    assert not (programs / "given").exists()


# -- while it is sent -------------------------------------------------------------------------------------------------


def sent(path: str, between: Callable[[], object], headers: dict[str, str] | None = None) -> tuple[bytes, bool]:
    """Ask for a path; `between` is called once the first part of the body came. The body, and whether it ended."""
    body, ended, done = bytearray(), False, False
    given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8501"), *given], "scheme": "http", "server": ("127.0.0.1", 8501),
        "client": ("127.0.0.1", 1), "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "root_path": "",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: Any) -> None:
        nonlocal ended, done
        if message["type"] == "http.response.body":
            body.extend(message.get("body", b""))
            ended = not message.get("more_body", False)
            if not done:
                done = True
                between()

    asyncio.run(APP(scope, receive, send))
    return bytes(body), ended


@pytest.fixture
def large(own: Own, tiny_space: str) -> Own:
    """The photo as a large file."""
    own.data = picture("olive", LARGE)
    own.photo.write_bytes(own.data)
    own.secret = own.secret.ljust(len(own.data), b"\1")
    (own.folder / "secret" / "boat.png").write_bytes(own.secret)
    indexing.add(own.folder / "library", own.folder / "root", tiny_space)
    known = services().library().catalog.content_by_hash(bytes.fromhex(own.hash))
    assert known is not None
    own.id = known[0]
    return own


@linux
@pytest.mark.parametrize("swap", [_to_a_link, _folder_to_a_link, _to_a_hard_link, _to_nothing, _to_a_fifo])
@pytest.mark.parametrize("asked", ["", "bytes=5-23000000"])
def test_what_is_put_in_its_place_while_a_photo_is_sent_is_never_opened(
    large: Own, swap: Callable[[Own], None], asked: str
) -> None:
    body, ended = sent(f"/original/{large.id}", lambda: swap(large), {"Range": asked} if asked else {})
    assert ended
    assert body == (large.data[5:23_000_001] if asked else large.data)


@pytest.mark.parametrize("asked", ["", "bytes=5-23000000", "bytes=0-9,20000000-23000000"])
def test_a_photo_that_is_changed_while_it_is_sent_is_never_finished(large: Own, asked: str) -> None:
    def change() -> None:
        facts = large.photo.stat()
        with large.photo.open("r+b") as file:
            file.seek(LARGE - 2_000_000)
            file.write(b"changed")
        os.utime(large.photo, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    body, ended = sent(f"/original/{large.id}", change, {"Range": asked} if asked else {})
    assert not ended
    assert b"changed" not in body
    assert client_get(large).status_code == 404


def client_get(own: Own) -> Any:
    return TestClient(APP, base_url=BASE, headers=serving.header()).get(f"/original/{own.id}")


def test_a_photo_that_is_only_touched_while_it_is_sent_is_sent_whole(large: Own) -> None:
    assert sent(f"/original/{large.id}", lambda: os.utime(large.photo)) == (large.data, True)
    assert sent(f"/original/{large.id}", lambda: large.photo.rename(large.photo.with_name("moved.png"))) == (
        large.data, True,
    )  # fmt: skip


def test_a_member_of_an_archive_ends_where_its_file_was_changed_and_is_named(large: Own) -> None:
    (large.folder / "root" / "other.png").write_bytes(picture("navy"))
    with Library.open(large.folder / "library") as library:
        indexing.add(large.folder / "library", large.folder / "root", library.catalog.spaces()[0].model)
    other = services().library().catalog.content_by_hash(hashlib.sha256(picture("navy")).digest())
    assert other is not None
    address = zip_registry().offer(services().library(), [large.id, other[0]])
    body, ended = sent(address, lambda: large.photo.write_bytes(large.secret))
    assert ended
    with zipfile.ZipFile(io.BytesIO(body)) as bundle:
        assert bundle.namelist() == ["boat.png", "other.png", NOT_INCLUDED]
        cut = bundle.read("boat.png")
        assert len(cut) < len(large.data) and large.data.startswith(cut)
        assert bundle.read("other.png") == picture("navy")
        assert f"the last {len(large.data) - len(cut):,} bytes are missing" in bundle.read(NOT_INCLUDED).decode()


@contextmanager
def at_work() -> Iterator[int]:
    """The routes under a real server; gives its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(APP, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(20)


@linux
def test_a_slow_reader_gets_the_photo_that_was_checked_or_a_broken_connection(large: Own) -> None:
    with at_work() as port:
        address = f"http://127.0.0.1:{port}/original/{large.id}"
        with httpx.stream("GET", address, timeout=30, headers=serving.header()) as answer:
            parts = answer.iter_raw(10_000)
            got = next(parts)
            _to_a_link(large)
            assert got + b"".join(parts) == large.data
        large.photo.unlink()
        large.photo.write_bytes(large.data)
        with httpx.stream("GET", address, timeout=30, headers=serving.header()) as answer:
            parts = answer.iter_raw(10_000)
            next(parts)
            large.photo.write_bytes(large.secret)
            with pytest.raises(httpx.RemoteProtocolError):
                for part in parts:
                    assert part.strip(b"\0") == b"", "not a byte of the other file"


def test_a_second_range_of_an_unchanged_file_is_not_hashed_again(large: Own, client: TestClient) -> None:
    # A file that was changed just now is always hashed: it may change again within a tick of the clock.
    time.sleep(max(0.0, large.photo.stat().st_ctime + 3.5 - time.time()))
    hashed: list[int] = []

    class Counting:
        """The hash of the standard library, counting what it is given."""

        def __init__(self, made: Any) -> None:
            self._made = made

        def update(self, data: bytes) -> None:
            hashed.append(len(data))
            self._made.update(data)

        def digest(self) -> bytes:
            return bytes(self._made.digest())

    real = hashlib.sha256
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "sha256", lambda data=b"": Counting(real(data)))
        for _ in range(3):
            assert client.get(f"/original/{large.id}", headers={"Range": "bytes=0-9"}).content == large.data[:10]
        assert sum(hashed) == len(large.data)
        os.utime(large.photo)
        assert client.get(f"/original/{large.id}", headers={"Range": "bytes=0-9"}).content == large.data[:10]
        assert sum(hashed) == 2 * len(large.data)


# -- ranges -----------------------------------------------------------------------------------------------------------


def test_several_ranges_come_in_one_answer(client: TestClient, own: Own) -> None:
    answer = client.get(f"/original/{own.id}", headers={"Range": "bytes=0-4, 10-14,12-19, -3"})
    assert answer.status_code == 206
    boundary = answer.headers["content-type"].removeprefix("multipart/byteranges; boundary=")
    assert int(answer.headers["content-length"]) == len(answer.content)
    parts = answer.content.split(f"\r\n--{boundary}".encode())
    assert (parts[0], parts[-1]) == (b"", b"--\r\n")
    size = len(own.data)
    for part, (start, stop) in zip(parts[1:-1], [(0, 5), (10, 20), (size - 3, size)], strict=True):
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {start}-{stop - 1}/{size}" in head.decode()
        assert "Content-Type: image/png" in head.decode()
        assert body == own.data[start:stop]
    head_only = client.head(f"/original/{own.id}", headers={"Range": "bytes=3-9"})
    assert (head_only.status_code, head_only.headers["content-range"]) == (206, f"bytes 3-9/{size}")
    assert (head_only.content, head_only.headers["content-length"]) == (b"", "7")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=0-0", 206), ("BYTES = 0-", 206), ("bytes=0-999999999", 206), ("bytes=-999999999", 206),
        ("bytes=5-4", 400), ("bytes=", 400), ("bytes=a-b", 400), ("bytes=-", 400), ("lines=0-1", 400), ("bytes", 400),
        ("bytes=1", 400), (f"bytes=0-{'9' * 5000}", 400), ("bytes=\u0661-2", 400), ("bytes=-0", 416),
        ("bytes=999999999-", 416), ("bytes=" + ",".join(["0-1"] * 101), 200),
    ],
)  # fmt: skip
def test_ranges_of_every_kind_are_answered(client: TestClient, own: Own, asked: str, status: int) -> None:
    answer = client.get(f"/original/{own.id}", headers={b"Range": asked.encode("utf-8")})
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.content == own.data
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(own.data)}"


# -- files that failed ------------------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize(
    ("swap", "dated"), [*((swap, True) for swap in SWAPS), *((swap, False) for swap in CHIEF)],
    ids=lambda given: given.__name__.strip("_") if callable(given) else "" if given else "before ctime was kept",
)  # fmt: skip
def test_no_small_picture_is_made_of_what_was_put_in_the_place_of_a_file_that_failed(
    client: TestClient, own: Own, swap: Callable[[Own], None], dated: bool
) -> None:
    facts = own.photo.stat()
    with Library.open(own.folder / "library") as library:
        root = library.catalog.roots()[0].id
        one = File(root, b"trips/boat.png", facts.st_size, facts.st_mtime_ns)
        if dated:
            one = File(root, b"trips/boat.png", facts.st_size, facts.st_mtime_ns, ctime_ns=facts.st_ctime_ns)
        Writer(library.catalog.engine.execution_options(write=True)).commit([], [Failed(one, "encode", "no vector")])
        id_ = library_reports.failed(library.catalog, None, "no vector", 1, 0)[0][0].id
    assert client.get(f"/failed/{id_}.jpg").status_code == 200
    if not dated:
        time.sleep(1.5)  # it is known to the second when it failed
    swap(own)
    # Of the same size and time, as far as a program can set them.
    if own.photo.exists() and not own.photo.is_fifo() and not own.photo.is_dir():
        os.utime(own.photo, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert client.get(f"/failed/{id_}.jpg").status_code == 404


def test_options_of_a_walk_say_where_links_are_followed() -> None:
    from store.walk_options import WalkOptions

    options = WalkOptions().chosen(WalkChoice(follow_symlinks=True), b"a/b/")
    assert [options.follows_links_in(folder) for folder in (b"", b"a/", b"a/b/", b"a/b/c/")] == [
        False,
        False,
        True,
        True,
    ]
