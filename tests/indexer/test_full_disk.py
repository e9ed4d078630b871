"""A full or read-only disk is called that, with the path and the way out; the library goes on where it stopped."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT, Index

from store.disk_errors import DiskError, disk_sentence
from store.files import replace_file
from store.library import Library


def mount(at: Path, options: str) -> bool:
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", at], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, whose size a test may change."""
    at = tmp_path / "disk"
    at.mkdir()
    if not mount(at, "size=50m"):
        pytest.skip("nothing can be mounted here")
    yield at
    subprocess.run(["umount", at], check=True)


def resize(disk: Path, kib: int) -> None:
    assert mount(disk, f"remount,size={kib}k")


def test_a_full_disk_is_called_so_wherever_a_run_meets_it(disk: Path, photos: Path, index: Index) -> None:
    library = disk / "library"
    met = set()
    for kib in (16, 64, 400, *range(100, 1500, 200)):
        if kib in (16, 64, 400):
            resize(disk, kib)
        else:
            resize(disk, 50_000)
            index(min(photos.iterdir()), "--library", library)  # a part
            facts = os.statvfs(disk)
            resize(disk, kib + (facts.f_blocks - facts.f_bfree) * facts.f_frsize // 1024)
        run = index(photos, "--library", library)
        if run.code == 0 and "full" not in run.err:
            break
        assert "The disk is full: make room for" in run.err, (kib, run.err)
        assert str(disk) in run.err
        assert "verify" not in run.err
        met.add(run.err.partition("make room for ")[2])
    assert met
    resize(disk, 50_000)
    assert index(photos, "--library", library).code == 0
    with Library.open(library) as opened:
        assert opened.catalog.counts().pictures == 24
        assert opened.integrity() == []


def test_marks_on_a_full_disk_are_an_error_of_the_disk(disk: Path, photos: Path, index: Index) -> None:
    library = disk / "library"
    index(photos, "--library", library)
    with Library.open(library) as opened:
        ids = opened.catalog.matching([]).tolist()
        (disk / "fill").write_bytes(b"")
        with pytest.raises(OSError, match="No space"), (disk / "fill").open("wb") as file:
            while True:
                file.write(b" " * 4096)
                file.flush()
        with pytest.raises(DiskError, match=r"The disk is full: make room for .*library.sqlite"):
            for number in range(10_000):
                opened.marks.change(ids, add=[f"a tag {number} {'x' * 50}"])


def test_an_export_to_a_full_disk_names_it(disk: Path, photos: Path, index: Index, library: Path) -> None:
    index(photos)
    resize(disk, 4)
    (disk / "fill").write_bytes(b" " * 4096)
    command = [sys.executable, "-m", "search_ui", "export-marks", str(disk / "marks.json"), "--library", str(library)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"Error: The disk is full: make room for {disk / 'marks.json'}" in done.stderr
    assert [path.name for path in disk.iterdir()] == ["fill"]


def test_a_disk_that_is_mounted_read_only_is_called_so(disk: Path) -> None:
    assert mount(disk, "remount,ro")
    with pytest.raises(OSError, match="Read-only") as raised:
        replace_file(disk / "marks.json", lambda path: path.write_text("{}"))
    said = disk_sentence(raised.value)
    assert said is not None and f"{disk / 'marks.json'} lies on a disk that is mounted read-only" in said


@pytest.mark.parametrize(
    ("number", "begins"),
    [
        (errno.ENOSPC, "The disk is full: make room for"),
        (errno.EDQUOT, "The disk is full for this user, by quota: make room for"),
        (errno.EFBIG, "A file may not grow so large"),
        (errno.EROFS, "name lies on a disk that is mounted read-only"),
        (errno.EIO, "The disk reports an error"),
    ],
)
def test_what_a_disk_is_to_blame_for_has_a_sentence(number: int, begins: str) -> None:
    said = disk_sentence(OSError(number, os.strerror(number), "name"))
    assert said is not None and said.startswith(begins) and "name" in said and "verify" not in said
    assert disk_sentence(OSError(number, os.strerror(number)), Path("name")) == said


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EISDIR])
def test_what_is_no_fault_of_a_disk_has_none(number: int) -> None:
    assert disk_sentence(OSError(number, os.strerror(number), "name")) is None
