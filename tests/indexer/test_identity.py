"""Another disk in the place of a root, or a large part of it gone: nothing is lost before a person has said so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import Index

import sightline
from store.library import Library

PHOTOS = 24


def draw(folder: Path, names: list[str], seed: int = 1000) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        pixels = np.random.default_rng(seed + number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def delete(folder: Path, number: int) -> None:
    """Delete so many photos, and leave one in each folder: none is gone as a whole."""
    kept = {min(parent.glob("*.jpg")) for parent in {path.parent for path in files(folder)}}
    for path in [path for path in files(folder) if path not in kept][:number]:
        path.unlink()


def present(library: Path) -> int:
    with Library.open(library) as opened:
        return opened.catalog.counts().photos


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A folder of 30 pictures without folders in it."""
    folder = tmp_path / "flat"
    draw(folder, [f"{number}.png" for number in range(30)], seed=0)
    return folder


# -- a third ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["--prune", "--prune-emptied"])
def test_a_prune_doubts_that_more_than_a_third_of_a_root_is_gone(
    flat: Path, index: Index, library: Path, how: str
) -> None:
    index(flat)
    for number in range(29):
        (flat / f"{number}.png").unlink()
    planned = index(flat, how, "--dry-run")
    assert planned.code == 2
    assert "29 of its 30 photos are gone, more than a third" in planned.err
    run = index(flat, how)
    assert (run.code, run.missing, run.forgotten) == (2, 29, 0)
    assert run.doubted == [
        {"path": str(flat), "photos": 29, "reason": "29 of its 30 photos are gone, more than a third"}
    ]
    assert "--yes" in run.err
    assert "--prune-emptied" not in run.err
    again = index(flat, how)
    assert (again.code, again.forgotten) == (2, 0)
    assert index(flat, how, "--dry-run", "--yes").code == 0
    meant = index(flat, how, "--yes")
    assert (meant.code, meant.forgotten, meant.doubted) == (0, 29, [])
    assert index(flat, how).code == 0


def test_a_third_of_a_root_is_forgotten_without_a_doubt(flat: Path, index: Index) -> None:
    index(flat)
    for number in range(10):
        (flat / f"{number}.png").unlink()
    run = index(flat, "--prune")
    assert (run.code, run.forgotten) == (0, 10)


def test_a_small_root_is_not_doubted(tmp_path: Path, index: Index) -> None:
    draw(tmp_path / "small", [f"{number}.png" for number in range(5)])
    index(tmp_path / "small")
    for number in range(4):
        (tmp_path / "small" / f"{number}.png").unlink()
    assert index(tmp_path / "small", "--prune").forgotten == 4


def test_a_large_part_stays_doubted_though_much_was_added_since(
    flat: Path, index: Index, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index(flat)
    for number in range(25):
        (flat / f"{number}.png").unlink()
    lost = index(flat)
    assert (lost.code, lost.missing) == (0, 25)
    assert "25 of its 30 photos are gone, more than a third" in caplog.text
    draw(flat, [f"new {number}.png" for number in range(100)])
    assert index(flat).added == 100
    run = index(flat, "--prune")
    assert (run.code, run.forgotten) == (2, 0)
    assert "25 of its 30 photos" in run.err
    assert index(flat, "--prune", "--yes").forgotten == 25
    with Library.open(library) as opened:
        kept = opened.catalog.roots()[0].identity
    assert kept is not None
    assert index(flat, "--prune").code == 0


def test_what_is_only_left_out_is_not_called_gone(flat: Path, index: Index, caplog: pytest.LogCaptureFixture) -> None:
    index(flat)
    run = index(flat, "--exclude", "2*")  # 11 of 30
    assert (run.code, run.missing) == (0, 11)
    assert "gone" not in caplog.text
    assert index(flat, "--prune").code == 0


def test_a_root_whose_files_were_all_renamed_or_moved_is_not_doubted(flat: Path, index: Index) -> None:
    index(flat)
    (flat / "by date").mkdir()
    for path in list(flat.glob("*.png")):
        path.rename(flat / "by date" / f"holiday {path.name}")
    planned = index(flat, "--prune", "--dry-run")
    assert planned.code == 0
    run = index(flat, "--prune")
    assert (run.code, run.moved, run.encoded, run.forgotten, run.doubted) == (0, 30, 0, 0, [])


def test_a_root_whose_files_were_all_converted_is_not_doubted(
    flat: Path, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    index(flat)
    for path in list(flat.iterdir()):
        with Image.open(path) as picture:
            picture.save(path.with_suffix(".jpg"))
        path.unlink()
    assert index(flat, "--prune", "--dry-run").code == 0
    run = index(flat)
    assert (run.code, run.added, run.missing) == (0, 30, 30)
    assert "more than a third" not in caplog.text
    pruned = index(flat, "--prune")
    assert (pruned.code, pruned.forgotten, pruned.doubted) == (0, 30, [])


def test_files_whose_bytes_lie_elsewhere_in_the_root_do_not_count_as_gone(flat: Path, index: Index) -> None:
    shutil.copytree(flat, flat / "copies")
    index(flat)
    for number in range(25):
        (flat / f"{number}.png").unlink()
    run = index(flat, "--prune")
    assert (run.code, run.forgotten) == (0, 25)


def test_a_part_of_a_root_that_is_given_alone_is_doubted_likewise(flat: Path, index: Index) -> None:
    draw(flat / "part", [f"{number}.png" for number in range(9)])
    index(flat)
    for number in range(4):
        (flat / "part" / f"{number}.png").unlink()
    run = index(flat / "part", "--prune")
    assert (run.code, run.forgotten) == (2, 0)
    assert "4 of its 9 photos" in run.err


def test_folders_that_are_said_to_be_gone_are_believed_and_the_rest_is_measured(photos: Path, index: Index) -> None:
    index(photos)
    folders = sorted({path.parent for path in files(photos)}, key=lambda folder: -len(files(folder)))
    held = len(files(folders[0]))
    shutil.rmtree(folders[0])
    run = index(photos, "--prune-emptied")
    assert (run.code, run.forgotten) == (0, held)
    left = PHOTOS - held
    delete(photos, left // 3 + 1)
    run = index(photos, "--prune-emptied")
    assert (run.code, run.forgotten) == (2, 0)


def test_marks_may_be_lost_without_believing_that_a_third_is_gone(flat: Path, index: Index, library: Path) -> None:
    index(flat)
    with Library.open(library) as opened:
        opened.marks.favourite(opened.catalog.matching([]).tolist(), True)
    (flat / "29.png").unlink()
    assert index(flat, "--prune").code == 2
    assert index(flat, "--prune", "--lose-marks").forgotten == 1
    for number in range(20):
        (flat / f"{number}.png").unlink()
    run = index(flat, "--prune", "--lose-marks")
    assert (run.code, run.forgotten) == (2, 0)
    assert index(flat, "--prune", "--yes").forgotten == 20


def test_the_python_interface_doubts_as_the_command_line_does(flat: Path, index: Index, library: Path) -> None:
    index(flat)
    for number in range(20):
        (flat / f"{number}.png").unlink()
    opened = sightline.Library(library)
    summary = opened.index([flat], prune=True)
    assert (summary["forgotten"], [doubt["photos"] for doubt in summary["doubted"]]) == (0, [20])
    assert opened.index([flat], prune=True, yes=True)["forgotten"] == 20


# -- another disk, or folder -----------------------------------------------------------------------------------


def test_another_folder_in_the_place_of_a_root_changes_nothing(
    flat: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    index(flat)
    flat.rename(tmp_path / "aside")
    draw(flat, [f"{number}.png" for number in range(40)])  # the same names
    for how in ([], ["--prune"], ["--dry-run"], ["--prune-emptied"]):
        run = index(flat, *how)
        assert run.code == 2
        assert "Another folder" in run.err
        assert "30 photos" in run.err
        assert "--yes" in run.err
    assert present(library) == 30
    shutil.rmtree(flat)
    (tmp_path / "aside").rename(flat)
    assert index(flat).unchanged == 30


def test_another_folder_is_taken_when_it_is_said_to_be_meant(
    flat: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    index(flat)
    flat.rename(tmp_path / "aside")
    draw(flat, [f"{number}.png" for number in range(8)])
    run = index(flat, "--yes")
    assert (run.code, run.changed, run.missing) == (0, 8, 22)
    assert index(flat).unchanged == 8  # it is what is known now
    assert index(flat, "--prune").code == 2
    assert index(flat, "--prune", "--yes").forgotten == 22


def test_a_folder_inside_a_root_is_refused_with_the_root(flat: Path, index: Index, tmp_path: Path) -> None:
    draw(flat / "part", ["a.png"])
    index(flat)
    flat.rename(tmp_path / "aside")
    draw(flat / "part", ["b.png"])
    assert "Another folder" in index(flat / "part").err
    assert "Another folder" in index(tmp_path / "flat" / "part", "--prune").err


def test_another_root_inside_a_newly_given_folder_changes_nothing(
    flat: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    flat.rename(outer / "flat")
    index(outer / "flat")
    (outer / "flat").rename(tmp_path / "aside")
    draw(outer / "flat", [f"{number}.png" for number in range(8)])
    assert "Another folder" in index(outer).err
    assert present(library) == 30


def test_a_copy_of_a_root_in_its_place_is_the_root(flat: Path, index: Index, tmp_path: Path) -> None:
    index(flat)
    flat.rename(tmp_path / "aside")
    shutil.copytree(tmp_path / "aside", flat)
    run = index(flat)
    assert (run.code, run.unchanged, run.missing, run.encoded) == (0, 30, 0, 0)


def test_a_library_of_before_learns_what_its_roots_are(flat: Path, index: Index, library: Path, tmp_path: Path) -> None:
    index(flat)
    with Library.open(library) as opened, opened.catalog.engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE roots SET identity = NULL")
    assert index(flat).code == 0
    with Library.open(library) as opened:
        kept = json.loads(opened.catalog.roots()[0].identity or "{}")
    assert len(kept["sample"]) == 30
    assert kept["inode"] == flat.stat().st_ino
    flat.rename(tmp_path / "aside")
    draw(flat, [f"{number}.png" for number in range(8)])
    assert index(flat).code == 2


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"sample": 3}', '{"inode": "x"}', '{"drives": {"a": 1}}'])
def test_a_damaged_identity_stops_no_run(flat: Path, index: Index, library: Path, damaged: str) -> None:
    index(flat)
    with Library.open(library) as opened, opened.catalog.engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE roots SET identity = ?", (damaged,))
    assert index(flat, "--prune").code == 0


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Path]:
    """A folder at which file systems can be mounted."""
    at = tmp_path / "mount point"
    at.mkdir()
    if not mount(at):
        pytest.skip("nothing can be mounted here")
    yield at
    unmount(at)


def mount(at: Path) -> bool:
    try:
        return (
            subprocess.run(["mount", "-t", "tmpfs", "none", str(at)], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def unmount(at: Path) -> None:
    while os.path.ismount(at):
        subprocess.run(["umount", str(at)], check=True)


def test_another_disk_at_the_mount_point_changes_nothing(disks: Path, index: Index, library: Path) -> None:
    draw(disks, ["DCIM/1.png", "DCIM/2.png", "DCIM/3.png"])
    index(disks)
    unmount(disks)
    draw(disks, ["left on the disk below.png"], seed=7)
    assert "Another disk" in index(disks).err
    mount(disks)
    draw(disks, ["DCIM/1.png", "DCIM/2.png", "DCIM/3.png"], seed=5)  # the same names, and even the same sizes
    run = index(disks, "--prune")
    assert run.code == 2
    assert "Another disk" in run.err
    assert present(library) == 3
    draw(disks, ["DCIM/1.png", "DCIM/2.png", "DCIM/3.png"])  # a copy of the first disk
    assert index(disks).code == 0
    assert present(library) == 3


def test_another_drive_inside_a_root_is_doubted(disks: Path, index: Index, library: Path) -> None:
    root = disks.parent
    draw(root / "own", [f"{number}.png" for number in range(30)], seed=0)
    draw(disks, ["1.png", "2.png"])
    index(root, "--exclude", "library", "--exclude", "flat")
    unmount(disks)
    mount(disks)
    draw(disks, ["3.png", "4.png"], seed=50)
    run = index(root, "--prune")
    assert (run.code, run.added, run.forgotten) == (2, 2, 0)
    assert [(doubt["path"], doubt["photos"]) for doubt in run.doubted] == [(str(disks), 2)]
    assert "another drive" in run.err
    assert index(root, "--prune-emptied").forgotten == 2


def test_a_disk_that_is_changed_during_a_run_marks_nothing_as_missing(
    flat: Path, library: Path, index: Index, tiny_space: str, tmp_path: Path
) -> None:
    from indexer.chosen_spaces import choose
    from indexer.options import Options
    from indexer.pipeline import Pipeline
    from store.errors import RootUnavailableError
    from store.lock import locked
    from store.progress import Progress

    index(flat)
    draw(flat, ["new.png"])
    with locked(library), Library.create(library) as opened:

        def swap(progress: Progress) -> None:
            if progress.phase == "indexing" and flat.exists() and not (tmp_path / "aside").exists():
                flat.rename(tmp_path / "aside")
                draw(flat, ["other.png"])

        pipeline = Pipeline(opened, choose(library, tiny_space, "cpu", offline=True), Options(), swap)
        with pytest.raises(RootUnavailableError, match="not the one any more"):
            pipeline.run([flat])
    assert present(library) >= 30
