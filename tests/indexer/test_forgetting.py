"""`forget` and `--prune` ask before marks are lost, keep them in a file, and can be tried without a change."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, Index

from store.library import Library

LOST = "1 picture with tags, 1 favourite, 1 photo marked for removal and 1 picture of a saved search"


def run(*arguments: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, stdin=stdin)


def mark(library: Path, file: Path) -> str:
    """Give a file every mark; returns the name of its selection."""
    with Library.open(library) as opened:
        photos = opened.catalog.photos_of(list(range(1, 100)))
        photo = next(of for of in photos if os.fsdecode(of.root) + "/" + os.fsdecode(of.path) == str(file))
        opened.marks.change([photo.content_id], add=["holiday"])
        opened.marks.favourite([photo.content_id], True)
        opened.marks.set_aside([photo.photo_id], True)
        name = opened.marks.keep_set([photo.content_id])
        opened.marks.save_search("chosen", f"set:{name}")
    return name


def marks(library: Path) -> tuple[list[tuple[str, int]], int, int]:
    """The tags, and how many favourites and photos marked for removal there are."""
    with Library.open(library) as opened:
        favourites = opened.marks.favourites_of(list(range(1, 100)))
        return opened.marks.tags(), len(favourites), len(opened.marks.set_aside_of())


def backups(library: Path) -> list[Path]:
    return sorted(library.glob("marks-before-*.json"))


@pytest.fixture
def gone(photos: Path, library: Path, index: Index, tmp_path: Path) -> Path:
    """A marked picture, moved out of the folder: where it lies now. The library holds it as missing."""
    index(photos)
    file = min(photos.rglob("*.jpg"))
    mark(library, file)
    shutil.move(file, tmp_path / "gone.jpg")
    index(photos)
    return tmp_path / "gone.jpg"


def test_a_prune_that_nobody_can_be_asked_about_loses_nothing_and_says_how(
    photos: Path, library: Path, index: Index, gone: Path
) -> None:
    done = index(photos, "--prune")
    assert (done.code, done.forgotten, done.not_forgotten) == (2, 0, 1)
    assert LOST in done.err
    assert "--yes" in done.err
    assert "--dry-run" in done.err
    assert backups(library) == []
    assert marks(library) == ([("holiday", 0)], 1, 1)


def test_a_prune_without_marks_to_lose_asks_nothing(photos: Path, library: Path, index: Index) -> None:
    index(photos)
    files = sorted(photos.rglob("*.jpg"))
    mark(library, files[0])
    shutil.copy(files[0], photos / "copy.jpg")
    index(photos)
    files[1].unlink()
    assert index(photos, "--prune").forgotten == 1
    assert backups(library) == []


def test_a_prune_writes_all_marks_to_a_file_first_and_import_marks_brings_them_back(
    photos: Path, library: Path, index: Index, gone: Path
) -> None:
    name = json.loads(run("search_ui", "export-marks", "-", "--library", library).stdout)["selections"]
    done = index(photos, "--prune", "--yes")
    assert (done.code, done.forgotten) == (0, 1)
    (kept,) = backups(library)
    assert done.marks_file == str(kept)
    assert marks(library) == ([], 0, 0)
    with Library.open(library) as opened:
        assert opened.catalog.counts().pictures == 23
    shutil.move(gone, next(photos.rglob("*.jpg")).parent / "gone.jpg")
    early = run("search_ui", "import-marks", kept, "--library", library)
    assert (early.returncode, "1 picture not in this library" in early.stderr) == (1, True)
    index(photos)
    back = run("search_ui", "import-marks", kept, "--library", library)
    assert (
        "1 tag, 1 favourite, 0 saved searches, 0 photos marked for removal, 1 picture of a selection added"
        in back.stderr
    )
    assert marks(library) == ([("holiday", 1)], 1, 0)
    with Library.open(library) as opened:
        (set_name,) = name
        (chosen,) = opened.marks.favourites_of(list(range(1, 100)))
        ids = opened.marks.set_ids(set_name)
        assert ids is not None
        assert chosen in ids.tolist()


def test_a_file_of_marks_is_never_overwritten(photos: Path, library: Path, index: Index, gone: Path) -> None:
    index(photos, "--prune", "--yes")
    (first,) = backups(library)
    before = first.read_bytes()
    file = max(photos.rglob("*.jpg"))
    mark(library, file)
    file.unlink()
    index(photos, "--prune", "--yes")
    assert len(backups(library)) == 2
    assert first.read_bytes() == before


def test_a_dry_run_of_a_prune_says_what_would_be_lost(photos: Path, library: Path, index: Index, gone: Path) -> None:
    missing = next(photos.rglob("*.jpg"))
    missing.unlink()
    before = (library / "library.sqlite").read_bytes()
    done = index(photos, "--prune", "--dry-run")
    assert done.summary == {
        "would_forget": 2, "would_lose": {"tagged": 1, "favourites": 1, "set_aside": 1, "selected": 1, "taught": 0},
    }  # fmt: skip
    changes = [json.loads(line).get("change") for line in done.out.splitlines()]
    assert sorted(filter(None, changes)) == ["gone", "missing"]
    said = run("indexer", photos, "--library", library, "--prune", "--dry-run")
    assert f"2 photos would be forgotten, and with them for good: {LOST}." in said.stderr
    assert (library / "library.sqlite").read_bytes() == before


def test_forget_asks_and_writes_marks_first(photos: Path, library: Path, index: Index) -> None:
    index(photos)
    mark(library, min(photos.rglob("*.jpg")))
    forget = ("indexer", "forget", photos, "--library", library)
    tried = run(*forget, "--dry-run")
    assert (tried.returncode, f"24 photos would be forgotten, and with them for good: {LOST}." in tried.stderr) == (
        0,
        True,
    )
    refused = run(*forget)
    assert (refused.returncode, LOST in refused.stderr, "--yes" in refused.stderr) == (2, True, True)
    with Library.open(library) as opened:
        assert opened.catalog.counts().photos == 24
    done = run(*forget, "--yes")
    (kept,) = backups(library)
    assert (done.returncode, str(kept) in done.stderr, "Forgot" in done.stderr) == (0, True, True)
    assert index(photos).added == 24
    assert run("search_ui", "import-marks", kept, "--library", library).returncode == 0
    assert marks(library) == ([("holiday", 1)], 1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals of this kind")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_who_sits_at_a_terminal_is_asked(photos: Path, library: Path, index: Index, gone: Path, answer: str) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = run("indexer", photos, "--library", library, "--prune", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert f"1 photo would be forgotten, and with them for good: {LOST}." in done.stderr
    assert "Forget them?" in done.stderr
    assert marks(library) == (([], 0, 0) if answer == "y" else ([("holiday", 0)], 1, 1))
    assert len(backups(library)) == (answer == "y")


def test_marks_at_other_places_outlive_a_folder(photos: Path, library: Path, index: Index, tmp_path: Path) -> None:
    index(photos)
    file = min(photos.rglob("*.jpg"))
    mark(library, file)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(file, other / "copy.jpg")
    index(other)
    assert run("indexer", "forget", other, "--library", library).returncode == 0
    assert marks(library) == ([("holiday", 1)], 1, 1)
