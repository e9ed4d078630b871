"""Another file in the place of one, of the same size and with the same time, is noticed; and at what cost."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import Index

from sightline.images.reader import Reader
from store.library import Library
from store.remote import DATABASE

LONG_AGO = 1_600_000_000


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows with each picture whose pixels are decoded."""
    calls: list[object] = []
    real = Reader.decode

    def counted(reader: Reader, **how: Any) -> Any:
        calls.append(how)
        return real(reader, **how)

    monkeypatch.setattr(Reader, "decode", counted)
    return calls


def bitmap(path: Path, colour: str) -> Path:
    """A picture whose size in bytes is always the same, as old as any other."""
    Image.new("RGB", (160, 120), colour).save(path)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def colour(library: Path) -> int:
    with Library.open(library) as opened:
        (photo,) = opened.catalog.photos(range(1, 20)).values()
        return int(photo.facts["colour"])


def renamed_over(new: Path, old: Path) -> None:
    new.replace(old)


def copied_over(new: Path, old: Path) -> None:
    shutil.copy2(new, old)  # as cp -p does: into the same file


def written_in_place(new: Path, old: Path) -> None:
    old.write_bytes(new.read_bytes())
    os.utime(old, (LONG_AGO, LONG_AGO))  # as exiftool -P does


def removed_and_copied(new: Path, old: Path) -> None:
    old.unlink()
    shutil.copy2(new, old)  # as rsync --times does


@pytest.mark.parametrize("put", [renamed_over, copied_over, written_in_place, removed_and_copied])
def test_other_bytes_of_the_same_size_and_time_are_noticed(
    tmp_path: Path, index: Index, library: Path, put: Callable[[Path, Path], None]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = bitmap(folder / "pic.bmp", "red")
    index(folder)
    assert colour(library) == 0xFF0000
    put(bitmap(tmp_path / "new.bmp", "blue"), picture)
    assert index(folder, "--dry-run").out.count('"changed"') == 1
    run = index(folder)
    assert (run.changed, run.encoded, run.unchanged) == (1, 1, 0)
    assert colour(library) == 0x0000FF
    assert index(folder).unchanged == 1


def test_a_change_of_owner_or_rights_costs_one_hash_and_no_decode(
    photos: Path, index: Index, decoded: list[object]
) -> None:
    index(photos)
    decoded.clear()
    for path in photos.rglob("*.jpg"):
        path.chmod(0o600)
    assert index(photos, "--dry-run").out.count('"changed"') == 24
    run = index(photos)
    assert (run.unchanged, run.changed, run.encoded, decoded) == (24, 0, 0, [])
    assert index(photos, "--dry-run").out == ""


def forget_inodes(library: Path, paths: list[Path], root: Path) -> None:
    """As a file system that makes inodes up would have given others when it was mounted before."""
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        for path in paths:
            name = os.fsencode(path.relative_to(root))
            connection.execute("UPDATE photos SET inode = inode + 1000003 WHERE path = ?", (name,))
        connection.commit()


def test_other_inodes_of_all_files_are_no_news_and_of_few_are(
    photos: Path, index: Index, library: Path, decoded: list[object]
) -> None:
    index(photos)
    decoded.clear()
    pictures = sorted(photos.rglob("*.jpg"))
    forget_inodes(library, pictures, photos)
    assert index(photos, "--dry-run").out == ""
    run = index(photos)
    assert (run.unchanged, run.encoded, decoded) == (24, 0, [])
    # What was kept then is what is there now: the few that differ after that are read.
    forget_inodes(library, pictures[:3], photos)
    assert index(photos, "--dry-run").out.count('"changed"') == 3
    run = index(photos)
    assert (run.unchanged, run.encoded, decoded) == (24, 0, [])
    assert index(photos, "--dry-run").out == ""


def test_what_a_file_was_is_kept_with_its_photo(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        rows = connection.execute("SELECT path, device, inode, ctime_ns FROM photos").fetchall()
    for path, device, inode, ctime_ns in rows:
        facts = (photos / os.fsdecode(path)).stat()
        assert (device, inode, ctime_ns) == (facts.st_dev, facts.st_ino, facts.st_ctime_ns)


def test_a_failure_is_tried_again_when_another_file_takes_its_place(photos: Path, index: Index, tmp_path: Path) -> None:
    whole = min(photos.rglob("*.jpg")).read_bytes()
    broken = photos / "broken.jpg"
    broken.write_bytes(bytes(len(whole)))
    os.utime(broken, (LONG_AGO, LONG_AGO))
    assert index(photos).failed_now == 1
    assert index(photos).failed_now == 0
    mended = tmp_path / "mended.jpg"
    mended.write_bytes(whole)
    os.utime(mended, (LONG_AGO, LONG_AGO))
    mended.replace(broken)
    run = index(photos)
    assert (run.code, run.failed, run.duplicates) == (0, 0, 1)


def test_what_failed_in_an_older_version_is_tried_once_more(photos: Path, index: Index, library: Path) -> None:
    picture, broken = min(photos.rglob("*.jpg")), photos / "broken.jpg"
    broken.write_bytes(b"no picture")
    index(photos)
    facts = picture.stat()
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        # The older version could not read the picture, and kept neither number.
        connection.execute("UPDATE failures SET inode = NULL, ctime_ns = NULL")
        path = os.fsencode(picture.relative_to(photos))
        connection.execute("DELETE FROM photos WHERE path = ?", (path,))
        connection.execute(
            "INSERT INTO failures (root_id, path, display, stage, reason, size, mtime_ns, failed_at) "
            "SELECT id, ?, ?, 'open', 'not supported', ?, ?, last_walked_at FROM roots",
            (path, os.fsdecode(path), facts.st_size, facts.st_mtime_ns),
        )
        connection.commit()
    upgraded = index(photos)
    assert (upgraded.failed, upgraded.failed_now) == (1, 1)
    again = index(photos)
    assert (again.failed, again.failed_now, again.unchanged) == (1, 0, upgraded.unchanged + 1)


def test_a_rescan_reads_every_file_and_decodes_none_that_is_what_it_was(
    photos: Path, index: Index, library: Path, decoded: list[object]
) -> None:
    index(photos)
    decoded.clear()
    picture = min(photos.rglob("*.jpg"))
    Image.new("RGB", (64, 48), "red").save(picture)
    # As if the file system told nothing.
    facts, name = picture.stat(), os.fsencode(picture.relative_to(photos))
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        connection.execute(
            "UPDATE photos SET size = ?, mtime_ns = ?, inode = ?, ctime_ns = ? WHERE path = ?",
            (facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_ctime_ns, name),
        )
        connection.commit()
    assert index(photos).unchanged == 24
    run = index(photos, "--rescan")
    assert (run.changed, run.unchanged, run.encoded, len(decoded)) == (1, 23, 1, 1)
    assert index(photos, "--rescan", "--dry-run").code == 2
