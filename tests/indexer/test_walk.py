"""What the walk finds, what it passes over, and what it never touches."""

from __future__ import annotations

import inspect
import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import as_nobody

from indexer.walk import Unreadable, WalkCounts, WalkedFile, may_be_picture, walk
from store.walk_options import WalkOptions

PICTURE = b"\xff\xd8\xff\xe0 picture"


def names(root: Path, **options: object) -> list[str]:
    found = walk(root, WalkOptions(**options), WalkCounts())  # type: ignore[arg-type]
    return [os.fsdecode(item.path) for item in found if isinstance(item, WalkedFile)]


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(PICTURE)


# Letters before and after `/` and `.` in the order of bytes: that is where a folder's name and a file's differ.
@given(st.sets(st.lists(st.text("a-.0~", min_size=1, max_size=3), min_size=1, max_size=3).map(tuple), max_size=12))
def test_paths_come_in_byte_order_whatever_folders_lie_between(paths: set[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, *("/".join(f"x{part}" for part in path) + ".jpg" for path in paths))
        found = names(root)
    assert [os.fsencode(path) for path in found] == sorted(map(os.fsencode, found))
    assert len(found) == len(paths)


def test_extensions_of_any_case_and_none(tmp_path: Path) -> None:
    put(tmp_path, "a.JPG", "b.JpEg", "c.HEIC", "noextension", "d.unknownkind")
    (tmp_path / "README").write_text("words")
    (tmp_path / "film.mp4").write_bytes(PICTURE)
    (tmp_path / "notes.txt").write_bytes(PICTURE)
    assert names(tmp_path) == ["a.JPG", "b.JpEg", "c.HEIC", "d.unknownkind", "noextension"]


def test_pictures_of_foreign_formats_are_not_passed_over_in_silence() -> None:
    assert may_be_picture(Path("x.CR2"))
    assert may_be_picture(Path("x.tga"))


def test_a_loop_of_links_is_walked_once(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "sub/b.jpg")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "sub")
    assert names(tmp_path) == ["a.jpg", "sub/b.jpg"]
    followed = names(tmp_path, follow_symlinks=True)
    assert sorted(Path(name).name for name in followed) == ["a.jpg", "b.jpg"]


def test_a_link_takes_no_paths_away_from_a_folder_that_is_walked_itself(tmp_path: Path) -> None:
    put(tmp_path, "sub/deep/b.jpg", ".hidden/c.jpg")
    (tmp_path / "0 first").symlink_to("sub/deep")
    (tmp_path / "1 shown").symlink_to(".hidden")
    assert names(tmp_path, follow_symlinks=True) == ["1 shown/c.jpg", "sub/deep/b.jpg"]
    # Where that folder is left out, the link is the way to it.
    assert "0 first/b.jpg" in names(tmp_path, follow_symlinks=True, exclude=("sub",))


def test_links_to_files_are_followed_only_on_request(tmp_path: Path) -> None:
    put(tmp_path, "outside/a.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.jpg").symlink_to(tmp_path / "outside" / "a.jpg")
    (root / "broken.jpg").symlink_to(tmp_path / "nowhere")
    counts = WalkCounts()
    assert list(walk(root, WalkOptions(), counts)) == []
    assert counts.links == 2
    assert names(root, follow_symlinks=True) == ["link.jpg"]


@pytest.mark.timeout(10)
def test_pipes_and_sockets_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder.jpg").mkdir()
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        assert names(tmp_path) == []


def test_hidden_and_excluded_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", ".b.jpg", ".hidden/c.jpg", "raw/d.jpg", "raw/keep/e.jpg", "x.png")
    assert names(tmp_path) == ["a.jpg", "raw/d.jpg", "raw/keep/e.jpg", "x.png"]
    assert names(tmp_path, hidden=True) == [".b.jpg", ".hidden/c.jpg", "a.jpg", "raw/d.jpg", "raw/keep/e.jpg", "x.png"]
    assert names(tmp_path, exclude=("*.png",)) == ["a.jpg", "raw/d.jpg", "raw/keep/e.jpg"]
    assert names(tmp_path, exclude=("raw/",)) == ["a.jpg", "x.png"]
    assert names(tmp_path, exclude=("raw/d.*", "x.png")) == ["a.jpg", "raw/keep/e.jpg"]


def test_a_folder_that_cannot_be_read_is_reported_and_the_walk_goes_on(public_tmp: Path) -> None:
    put(public_tmp, "a.jpg", "closed/b.jpg", "open/c.jpg")
    (public_tmp / "closed").chmod(0)
    with as_nobody():
        found = list(walk(public_tmp, WalkOptions(), WalkCounts()))
    assert [item.path for item in found if isinstance(item, Unreadable)] == [b"closed"]
    assert [item.path for item in found if isinstance(item, WalkedFile)] == [b"a.jpg", b"open/c.jpg"]


def test_names_are_bytes(tmp_path: Path) -> None:
    strange = [b"latin-\xe9.jpg", "n\u0303.jpg".encode(), "\u00f1.jpg".encode(), b"new\nline.jpg", b"-dash.jpg"]
    for name in strange:
        (tmp_path / os.fsdecode(name)).write_bytes(PICTURE)
    found = [item.path for item in walk(tmp_path, WalkOptions(), WalkCounts()) if isinstance(item, WalkedFile)]
    assert sorted(found) == sorted(strange)


def test_depth_costs_no_stack(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "a.jpg").write_bytes(PICTURE)
    limit, used = sys.getrecursionlimit(), len(inspect.stack())
    sys.setrecursionlimit(used + 100)
    try:
        found = list(walk(tmp_path, WalkOptions(), WalkCounts()))
    finally:
        sys.setrecursionlimit(limit)
    assert len(found) == 1


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_name_can_be_asked_about(name: str) -> None:
    assert isinstance(may_be_picture(Path("/nonexistent") / name), bool)
