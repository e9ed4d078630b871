"""Previews on disk: a cache that keeps to its limit, whoever writes, and keeps what was looked at lately."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from support import as_nobody

from store.checked_files import SEAL_BYTES
from store.images.disk_usage import Entry, entries
from store.images.previews import Previews


def named(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def held(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.jpg"))


def aged(previews: Previews, number: int) -> None:
    """Write a preview of 100 bytes, with its checksum, that was last used at second `number`."""
    previews.write(named(number), b"%03d" % number + b"x" * (97 - SEAL_BYTES))
    os.utime(previews.path(named(number)), (number, number))


def there(previews: Previews, numbers: range) -> list[int]:
    return [number for number in numbers if previews.path(named(number)).exists()]


def test_what_was_written_is_read_until_it_is_removed(tmp_path: Path) -> None:
    previews = Previews(tmp_path / "previews")
    assert previews.read(named(1)) is None
    previews.write(named(1), b"first")
    previews.write(named(1), b"second")
    assert previews.read(named(1)) == b"second"
    previews.remove(named(1))
    previews.remove(named(1))
    assert previews.read(named(1)) is None


def test_those_used_longest_ago_go_when_the_limit_is_passed(tmp_path: Path) -> None:
    previews = Previews(tmp_path, limit_bytes=1000)
    for number in range(1, 11):
        aged(previews, number)
    assert held(tmp_path) == 1000
    assert previews.read(named(1)) is not None  # now it is the one used last
    aged(previews, 11)
    # 1100 bytes are 200 above nine tenths of the limit.
    assert there(previews, range(1, 12)) == [1, *range(4, 12)]
    for number in range(12, 200):
        aged(previews, number)
        assert held(tmp_path) <= 1000
    assert there(previews, range(100, 200))[-8:] == list(range(192, 200))


def test_two_processes_that_share_the_folder_keep_to_the_limit_together(tmp_path: Path) -> None:
    one, other = Previews(tmp_path, limit_bytes=10_000), Previews(tmp_path, limit_bytes=10_000)
    for number in range(1, 400, 2):
        aged(one, number)
        aged(other, number + 1)
        assert held(tmp_path) <= 10_000 * 1.1
    assert there(one, range(390, 401)) == list(range(390, 401))


def test_a_write_seldom_looks_at_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(folder: Path) -> list[Entry]:
        nonlocal looks
        looks += 1
        return entries(folder)

    monkeypatch.setattr("store.images.previews.entries", counted)
    previews = Previews(tmp_path, limit_bytes=100_000)
    for number in range(500):
        aged(previews, number)
    assert looks <= 11


def test_what_is_half_written_or_not_ours_is_no_reason_to_fail(tmp_path: Path) -> None:
    previews = Previews(tmp_path, limit_bytes=150)
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / ".tmp-1-2").write_bytes(b"x" * 1000)
    (tmp_path / "stray").write_bytes(b"x" * 1000)
    aged(previews, 1)
    aged(previews, 2)
    assert there(previews, range(1, 3)) == [2]
    assert (tmp_path / "ab" / ".tmp-1-2").exists()


def test_a_preview_can_be_read_where_nothing_may_be_written(public_tmp: Path) -> None:
    previews = Previews(public_tmp)
    previews.write(named(1), b"data")
    for path in public_tmp.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_nobody():
        assert Previews(public_tmp).read(named(1)) == b"data"
