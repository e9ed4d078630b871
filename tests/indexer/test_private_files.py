"""What Sightline makes is its user's alone, whatever the umask; what is shared on purpose stays so."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import Index

from store.files import make_private, replace_file
from store.library import Library
from store.lock import locked
from store.marks_backup import back_up_marks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """What in a folder, itself included, has another mode than it should."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found[str(path.relative_to(folder))] = f"{mode:o}"
    return found


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_a_library_and_what_is_written_from_it_is_for_its_owner_alone(
    photos: Path, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    library = tmp_path / "data" / "sightline" / "library"
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache" / "sightline"))
    seen: set[str] = set()
    with umask(mask):
        assert index(photos, "--library", library).code == 0
        (photos / "new.jpg").write_bytes(min(photos.rglob("*.jpg")).read_bytes() + b" ")
        assert index(photos, "--library", library).code == 0
        with locked(library), Library.create(library) as opened:
            opened.marks.favourite(opened.catalog.matching([]).tolist(), True)
            opened.previews.write(b"a" * 32, b"data")
            back_up_marks(opened)
            seen = {path.name for path in library.rglob("*")}
            assert modes(library) == {}
        replace_file(tmp_path / "export.json", lambda path: path.write_text("{}"))
    assert {"library.sqlite", "library.sqlite-wal", "library.sqlite-shm", "run.json", "indexer.lock"} <= seen
    assert modes(tmp_path / "data") == {}
    assert modes(tmp_path / "cache") == {}
    assert stat.S_IMODE((tmp_path / "export.json").stat().st_mode) == 0o600


def test_a_folder_that_is_there_is_left_as_it_is(photos: Path, library: Path, index: Index) -> None:
    library.mkdir()
    library.chmod(0o755)
    index(photos)
    assert stat.S_IMODE(library.stat().st_mode) == 0o755
    assert stat.S_IMODE((library / "library.sqlite").stat().st_mode) == 0o600
    (library / "library.sqlite").chmod(0o640)
    index(photos)
    assert stat.S_IMODE((library / "library.sqlite").stat().st_mode) == 0o640


@pytest.mark.parametrize(("folder", "file", "inner"), [(0o2750, 0o640, 0o2750), (0o2770, 0o660, 0o2770)])
def test_a_library_that_is_shared_with_a_group_on_purpose_stays_shared(
    photos: Path, library: Path, index: Index, folder: int, file: int, inner: int
) -> None:
    library.mkdir()
    library.chmod(folder)
    with umask(0o077):
        index(photos)
    wrong = [
        path for path in library.rglob("*")
        if stat.S_IMODE(path.stat().st_mode) != (inner if path.is_dir() else file)
    ]  # fmt: skip
    assert wrong == []


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path: Path) -> None:
    import threading

    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / f".tmp-{os.getpid()}-{threading.get_ident()}").symlink_to(victim)
    replace_file(tmp_path / "target", lambda path: path.write_text("new"))
    assert (victim.read_text(), (tmp_path / "target").read_text()) == ("untouched", "new")
    assert not (tmp_path / "target").is_symlink()


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists"):
        make_private(tmp_path / "file")
