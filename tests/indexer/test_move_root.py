"""`move-root`: a folder that lies elsewhere now is known there, and nothing of it is read again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import Index

import sightline
from indexer.commands import run
from store.library import Library

Move = Callable[..., str]


@pytest.fixture
def move(library: Path, capfd: pytest.CaptureFixture[str]) -> Move:
    """Run `move-root`, and return what it says."""

    def command(*arguments: str | Path, code: int = 0) -> str:
        capfd.readouterr()
        ended = run(["move-root", *map(str, arguments), "--library", str(library)])
        said = capfd.readouterr().err
        assert ended == code, said
        return said

    return command


_OPENED: list[str] = []
_WATCHED: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _WATCHED and isinstance(arguments[0], str | bytes | Path):
        path = os.fsdecode(arguments[0])
        if path.startswith(_WATCHED[0]) and not os.path.isdir(path):  # noqa: PTH112
            _OPENED.append(path)


sys.addaudithook(_watch)


@contextmanager
def opened_below(folder: Path) -> Iterator[list[str]]:
    """Collect the files that this process opens below a folder."""
    _OPENED.clear()
    _WATCHED.append(str(folder))
    try:
        yield _OPENED
    finally:
        _WATCHED.clear()


def test_after_a_move_everything_is_known_and_nothing_is_read(
    index: Index, move: Move, photos: Path, library: Path, tmp_path: Path
) -> None:
    (photos / "no.jpg").write_bytes(b"a sentence")
    first = next(photos.rglob("*0017.jpg"))
    first.with_suffix(".xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    index(photos)
    with sightline.Library(library) as opened:
        opened.tag(3, "boat")
        hits = [(hit["id"], hit["score"]) for hit in opened.search("a boat")]
    # A copy on another disk: sizes and mtimes are the same, inodes and ctimes are others.
    shutil.copytree(photos, tmp_path / "moved")
    shutil.rmtree(photos)
    assert "with 24 photos" in move(photos, tmp_path / "moved")
    with sightline.Library(library) as opened:
        assert [(hit["id"], hit["score"]) for hit in opened.search("a boat")] == hits
        shown = opened.photo(3)
        assert shown["root"] == str(tmp_path / "moved") and shown["tags"] == ["boat"]
        assert len(opened.photos("folder:moved")) == 24 and not opened.photos("folder:photos")
    with opened_below(tmp_path / "moved") as read:
        done = index(tmp_path / "moved")
    assert (done.unchanged, done.added, done.changed, done.missing, done.failed) == (24, 0, 0, 0, 1)
    assert not read


def test_other_bytes_are_noticed_after_a_move(index: Index, move: Move, photos: Path, tmp_path: Path) -> None:
    index(photos)
    photos.rename(tmp_path / "moved")
    move(photos, tmp_path / "moved")
    changed = next((tmp_path / "moved").rglob("*.jpg"))
    facts, data = changed.stat(), bytearray(changed.read_bytes())
    data[-20] ^= 1
    changed.write_bytes(data)
    os.utime(changed, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert index(tmp_path / "moved").changed == 1


def test_a_folder_that_holds_other_files_is_refused(
    index: Index, move: Move, photos: Path, library: Path, tmp_path: Path
) -> None:
    index(photos)
    said = move(photos, tmp_path / "none", code=2)
    assert "There is no folder" in said and "--yes" in said
    other = tmp_path / "other"
    for path in photos.rglob("*.jpg"):  # of the same names and sizes
        target = other / path.relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(bytes(path.stat().st_size))
    said = move(photos, other, code=2)
    name = min(str(path.relative_to(photos)) for path in photos.rglob("*.jpg"))
    assert name in said and "kB" in said and "Nothing was changed" in said
    assert "is a file" in move(photos, next(photos.rglob("*.jpg")), code=2)
    assert "already" in move(photos, photos, code=2)
    assert "it has" in move(tmp_path / "unknown", other, code=2)
    inner = next(path for path in photos.iterdir() if path.is_dir())
    assert "moves as a whole" in move(inner, other, code=2)
    with Library.open(library) as opened:
        assert [root.path for root in opened.catalog.roots()] == [os.fsencode(photos)]
    move(photos, tmp_path / "none", "--yes")
    move(tmp_path / "none", other, "--yes")
    move(other, photos)
    assert index(photos).unchanged == 24


def test_a_link_in_the_new_place_is_not_followed(index: Index, move: Move, photos: Path, tmp_path: Path) -> None:
    index(photos)
    (tmp_path / "links").mkdir()
    for path in photos.iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    assert "found: none" in move(photos, tmp_path / "links", code=2)


def test_roots_never_overlap(index: Index, move: Move, photos: Path, library: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    shutil.copytree(photos, second / "inner")
    index(photos)
    index(second)
    (photos / "deeper").mkdir()
    for new in (second, second / "inner", tmp_path):
        said = move(photos, new, code=2)
        assert str(second) in said and "already" in said
    move(photos, photos / "deeper", "--yes")  # inside where it was
    with Library.open(library) as opened:
        assert {root.path for root in opened.catalog.roots()} == {
            os.fsencode(photos / "deeper"), os.fsencode(second)
        }  # fmt: skip


@pytest.mark.parametrize(
    ("held", "given"),
    [
        (b"D:/Photos", "D:\\Photos"), (b"D:/Photos", "d:/photos/"), (b"D:/Photos", "D:/Photos"),
        (b"//nas/Pictures", "\\\\nas\\Pictures"), (b"/old/place", "/old/place/"), (b"/old/caf\xe9", "/old/caf\\xe9"),
    ],
)  # fmt: skip
def test_a_folder_of_another_system_is_found(
    index: Index, move: Move, photos: Path, library: Path, held: bytes, given: str
) -> None:
    index(photos)
    shown = held.decode("utf-8", "backslashreplace")
    with closing(sqlite3.connect(library / "library.sqlite")) as connection, connection:
        connection.execute("UPDATE roots SET path = ?, display = ?", (held, shown))
    move(given, photos)
    assert index(photos).unchanged == 24


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names that are not text")
def test_folders_are_bytes(index: Index, move: Move, photos: Path, library: Path, tmp_path: Path) -> None:
    index(photos)
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 %_"))
    photos.rename(strange)
    move(photos, strange)
    assert index(strange).unchanged == 24
    strange.rename(photos)
    move(strange, photos)
    with Library.open(library) as opened:
        assert [root.path for root in opened.catalog.roots()] == [os.fsencode(photos)]


def test_a_file_that_differs_is_said(index: Index, move: Move, photos: Path, tmp_path: Path) -> None:
    index(photos)
    next(photos.rglob("*.jpg")).unlink()
    photos.rename(tmp_path / "moved")
    assert "Of 24 files that were looked for, 1 " in move(photos, tmp_path / "moved")
    assert index(tmp_path / "moved").missing == 1
