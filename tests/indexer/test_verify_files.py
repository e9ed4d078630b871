"""`verify --files` compares every file with what was indexed, and changes nothing."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import Index

from indexer.commands import run
from store.remote import DATABASE


def verified(library: Path, capfd: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    capfd.readouterr()
    code = run(["verify", "--files", "--json", "--library", str(library)])
    return code, [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def damage(path: Path) -> None:
    """Change a byte, and not the size and time."""
    before = path.stat()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_files_that_are_what_was_indexed_are_well(
    photos: Path, index: Index, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index(photos)
    code, found = verified(library, capfd)
    assert code == 0
    assert found[-1] == {"state": "ok", "part": "files", "text": "24 as they were indexed"}


def test_files_that_are_missing_changed_or_unreadable_are_listed(
    photos: Path, index: Index, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index(photos)
    gone, changed, same_look, closed, *_ = sorted(photos.rglob("*.jpg"))
    gone.unlink()
    changed.write_bytes(b"other")
    damage(same_look)
    with closing(sqlite3.connect(library / DATABASE)) as connection:  # as a disk that fails would
        connection.execute(
            "UPDATE photos SET ctime_ns = ? WHERE path = ?",
            (same_look.stat().st_ctime_ns, os.fsencode(same_look.relative_to(photos))),
        )
        connection.commit()
    closed.unlink()
    closed.mkdir()
    before = (library / DATABASE).read_bytes()
    code, found = verified(library, capfd)
    listed = {Path(each["path"]): (each["state"], each["text"]) for each in found if each["part"] == "file"}
    assert code == 1
    assert {path: state for path, (state, _) in listed.items()} == {
        gone: "missing", changed: "changed", same_look: "changed", closed: "unreadable",
    }  # fmt: skip
    assert "--rescan" in listed[same_look][1]
    assert "--rescan" not in listed[changed][1]
    assert found[-1]["state"] == "wrong"
    assert (library / DATABASE).read_bytes() == before
    again = index(photos, "--rescan")
    assert (again.changed + again.failed, again.unchanged) == (2, 20)


def test_a_root_that_is_not_there_is_one_line(
    photos: Path, index: Index, library: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index(photos)
    photos.rename(tmp_path / "unplugged")
    code, found = verified(library, capfd)
    (line,) = [each for each in found if each["part"] == "file"]
    assert (code, line["path"], line["state"]) == (1, str(photos), "missing")
    assert "24 files" in line["text"]
    assert run(["verify", "--files", "--library", str(library)]) == 1
    assert f"missing\t{photos}\t" in capfd.readouterr().out
