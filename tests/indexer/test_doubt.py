"""An unplugged drive deletes nothing, not even inside a root: what `--prune` doubts, and how it is told to go on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Index

import sightline
from store.library import Library


@pytest.fixture
def drives(photos: Path) -> list[Path]:
    """The folders of the pictures, two of them as if each were a drive of its own."""
    return sorted({path.parent for path in photos.rglob("*.jpg")})


def size(folder: Path) -> int:
    return len(list(folder.rglob("*.jpg")))


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("away", [shutil.rmtree, empty])
def test_a_prune_forgets_nothing_below_a_folder_that_is_gone_or_empty(
    photos: Path, index: Index, library: Path, drives: list[Path], tmp_path: Path, away: object
) -> None:
    index(photos)
    drive, other = drives[:2]
    held = size(drive)
    shutil.copytree(drive, tmp_path / "drive")
    away(drive)  # type: ignore[operator]
    min(other.glob("*.jpg")).unlink()
    planned = index(photos, "--prune", "--dry-run")
    assert planned.code == 2
    assert str(drive) in planned.err
    run = index(photos, "--prune", "--yes")
    assert (run.code, run.missing, run.forgotten) == (2, held + 1, 1)
    assert [(doubt["path"], doubt["photos"]) for doubt in run.doubted] == [(str(drive), held)]
    assert f"{drive} ({held} photos: it is" in run.err
    assert "--prune-emptied" in run.err
    shutil.copytree(tmp_path / "drive", drive, dirs_exist_ok=True)
    back = index(photos, "--prune", "--yes")
    assert (back.code, back.restored, back.encoded, back.forgotten) == (0, held, 0, 0)


def test_one_option_says_that_folders_are_meant_to_be_gone(photos: Path, index: Index, drives: list[Path]) -> None:
    index(photos)
    held = size(drives[0])
    shutil.rmtree(drives[0])
    run = index(photos, "--prune-emptied", "--yes")
    assert (run.code, run.forgotten, run.doubted) == (0, held, [])


def test_the_python_interface_tells_what_was_doubted(
    photos: Path, index: Index, library: Path, drives: list[Path]
) -> None:
    index(photos)
    held = size(drives[0])
    shutil.rmtree(drives[0])
    summary = sightline.Library(library).index([photos], prune=True, yes=True)
    assert summary["doubted"] == [{"path": str(drives[0]), "photos": held, "reason": "it is gone"}]
    assert (summary["missing"], summary["forgotten"]) == (held, 0)


def test_what_systems_leave_in_a_folder_does_not_fill_it(photos: Path, index: Index, drives: list[Path]) -> None:
    index(photos)
    empty(drives[0])
    (drives[0] / ".DS_Store").write_bytes(b"")
    (drives[0] / "Thumbs.db").write_bytes(b"")
    assert index(photos, "--prune", "--yes").code == 2
    (drives[0] / "notes.txt").write_text("deleted the pictures")
    assert index(photos, "--prune", "--yes").code == 0


def test_a_renamed_folder_is_not_doubted(photos: Path, index: Index, drives: list[Path]) -> None:
    index(photos)
    held = size(drives[0])
    renamed = drives[0].rename(photos / "renamed")
    min(renamed.rglob("*.jpg")).unlink()
    run = index(photos, "--prune", "--yes")
    assert (run.code, run.moved, run.forgotten, run.doubted) == (0, held - 1, 1, [])


def test_a_folder_of_which_only_copies_were_found_is_doubted(photos: Path, index: Index, drives: list[Path]) -> None:
    index(photos)
    held = size(drives[0])
    shutil.copy2(min(drives[0].rglob("*.jpg")), photos / "a copy.jpg")
    shutil.rmtree(drives[0])
    run = index(photos, "--prune", "--yes")
    assert (run.code, run.forgotten) == (2, 0)
    assert [doubt["photos"] for doubt in run.doubted] == [held - 1]


def test_the_outermost_folder_is_the_one_that_is_doubted(
    photos: Path, index: Index, drives: list[Path], tmp_path: Path
) -> None:
    for drive in drives[:2]:
        shutil.move(drive, photos / "disk" / drive.name)
    index(photos)
    shutil.rmtree(photos / "disk")
    run = index(photos, "--prune", "--yes")
    assert [doubt["path"] for doubt in run.doubted] == [str(photos / "disk")]


@pytest.fixture
def mounted(photos: Path, drives: list[Path]) -> Iterator[Path]:
    """A folder in the root that lies on another device, and has one file when it does not."""
    folder = photos / "mounted"
    folder.mkdir()
    (folder / "left.txt").write_text("written while the drive was away")
    try:
        subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    shutil.copytree(drives[0], folder, dirs_exist_ok=True)
    for path in folder.rglob("*.jpg"):  # other bytes: else they are duplicates
        path.write_bytes(path.read_bytes() + b" ")
    yield folder
    subprocess.run(["umount", str(folder)], check=False, capture_output=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")
def test_a_folder_that_lay_on_another_device_is_doubted_whatever_it_holds_now(
    photos: Path, index: Index, library: Path, mounted: Path
) -> None:
    held = size(mounted)
    index(photos)
    with Library.open(library) as opened:
        assert opened.catalog.roots()[0].drives == (b"mounted",)
    subprocess.run(["umount", str(mounted)], check=True)
    assert index(photos).missing == held
    for _ in range(2):
        run = index(photos, "--prune", "--yes")
        assert (run.code, run.forgotten) == (2, 0)
        assert "another drive" in json.dumps(run.doubted)
    assert index(photos, "--prune-emptied", "--yes").forgotten == held
    assert index(photos, "--prune", "--yes").code == 0
    with Library.open(library) as opened:
        assert opened.catalog.roots()[0].drives == ()
