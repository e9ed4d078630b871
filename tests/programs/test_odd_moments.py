"""Readers and writers at odd moments, each a process: migrations, stops, kills, clocks, read-only disks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support import FIXTURES, ROOT, Index

import sightline
from store.errors import LibraryError, LibraryLockedError
from store.images.previews import Previews
from store.library import Library
from store.tables.migrations import VERSION

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows can't stop a process")
FUTURE = "2071-01-02T03:04:05+00:00"
HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE library SET generation = generation + 1")
print("held", flush=True)
time.sleep(600)
"""


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python as a process, to its end."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run Python as a process that is ended here at the latest."""
    command = [sys.executable, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def holding(library: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of a write."""
    with started("-c", HOLD, library / "library.sqlite") as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process


@pytest.fixture
def filled(index: Index, photos: Path, library: Path) -> Path:
    assert index(photos).code == 0
    return library


def raw(library: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(library / "library.sqlite")) as connection, connection:
        return connection.execute(statement).fetchall()


# -- migrations -----------------------------------------------------------------------------------------------------


def test_a_reader_that_was_open_before_a_newer_program_migrated_says_so(filled: Path) -> None:
    newer = f"""
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("ALTER TABLE contents RENAME COLUMN photo_count TO files")
connection.execute("ALTER TABLE tags RENAME TO labels")
connection.execute("PRAGMA user_version = {VERSION + 1}")
connection.execute("COMMIT")
"""
    with sightline.Library(filled) as opened:
        assert len(opened.search("a boat")) > 0
        assert python("-c", newer, filled / "library.sqlite").returncode == 0
        for use in (
            lambda: opened.search("a boat"), lambda: opened.photos(), lambda: opened.photo(1), opened.tags,
            lambda: opened.tag(1, "boat"), lambda: opened.favourite(1),
        ):  # fmt: skip
            with pytest.raises(LibraryError, match=f"layout version {VERSION + 1} by a newer .*update Sightline"):
                use()
    for command in (("search_ui", "query", "boat"), ("indexer", "status"), ("indexer", "backup", filled.parent / "x")):
        done = python("-m", *command, "--library", filled)
        assert done.returncode == 2 and f"layout version {VERSION + 1}" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert raw(filled, "SELECT count(*) FROM labels") == [(0,)]


def test_a_library_is_brought_up_to_date_while_others_read_it(tmp_path: Path) -> None:
    library = tmp_path / "library"
    with tarfile.open(FIXTURES / "libraries" / "layout-3.tar.xz") as tar:
        tar.extractall(library, filter="data")
    reader = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("BEGIN")
before = connection.execute("SELECT * FROM photos ORDER BY id").fetchall()
print("reading", flush=True)
sys.stdin.readline()
assert connection.execute("SELECT * FROM photos ORDER BY id").fetchall() == before
assert connection.execute("PRAGMA user_version").fetchone() == (3,)
"""
    opener = "import sightline, sys; print(len(sightline.Library(sys.argv[1]).photos()))"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", reader, library / "library.sqlite"], stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "reading\n"
        openers = [
            subprocess.Popen([sys.executable, "-c", opener, library], cwd=ROOT, stdout=pipe, text=True)
            for _ in range(4)
        ]
        assert [opened.communicate(timeout=120)[0] for opened in openers] == ["4\n"] * 4
        process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert raw(library, "PRAGMA user_version") == [(VERSION,)]


# -- processes that are stopped, killed, or two ---------------------------------------------------------------------


@posix
def test_pages_search_and_mark_while_an_indexer_is_stopped(
    filled: Path, photos: Path, tiny_space: str, tmp_path: Path
) -> None:
    for path in list(photos.rglob("*.jpg"))[:8]:
        path.with_stem(path.stem + "-new").write_bytes(path.read_bytes() + b"\0")
    command = ("-m", "indexer", photos, "--library", filled, "--space", tiny_space, "--precision", "fp32")
    with started(*command) as process:
        while not (filled / "run.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGSTOP)
        with sightline.Library(filled) as opened:
            assert len(opened.search("a boat")) > 0
            opened.tag(1, "while it was stopped")
        second = python(*command)
        assert second.returncode == 75 and f"process {process.pid}" in second.stderr
        os.kill(process.pid, signal.SIGCONT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    with sightline.Library(filled) as opened:
        assert len(opened.photos()) == 32
        assert len(opened.photos('tag:"while it was stopped"')) == 1


@posix
def test_a_stopped_process_that_holds_the_database_delays_marks_alone(filled: Path) -> None:
    with holding(filled) as process, sightline.Library(filled) as opened:
        os.kill(process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        hits = opened.search("a boat")
        assert len(hits) > 0 and time.monotonic() - begun < 5
        begun = time.monotonic()
        with pytest.raises(LibraryLockedError, match=r"did not let go of it in 10 seconds .*Try again"):
            opened.tag(1, "boat")
        assert 5 < time.monotonic() - begun < 20
        done = python("-m", "search_ui", "tag", "1", "--add", "boat", "--library", filled)
        assert "Traceback" not in done.stderr
        assert done.returncode == 75 and "Another program holds" in done.stderr
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        opened.tag(1, "boat")  # what a killed process held is free at once, and what it wrote is gone
        assert len(opened.photos("tag:boat")) == 1


def test_an_indexer_says_that_the_database_is_held(filled: Path, photos: Path, tiny_space: str) -> None:
    with holding(filled):
        done = python("-m", "indexer", photos, "--library", filled, "--space", tiny_space)
    assert done.returncode == 75 and "Another program holds the database" in done.stderr, done.stderr


@posix
def test_a_run_goes_on_after_one_that_was_killed_while_stopped(
    filled: Path, photos: Path, tiny_space: str, index: Index
) -> None:
    shutil.copy(next(photos.rglob("*.jpg")), photos / "again.jpg")
    with started("-m", "indexer", photos, "--library", filled, "--space", tiny_space) as process:
        while not (filled / "run.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done = index(photos)
    assert done.code == 0 and done.unchanged + done.duplicates == 25


# -- clocks ---------------------------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_stops_nothing(filled: Path, photos: Path, index: Index, tmp_path: Path) -> None:
    """What was written before the clock was set back carries times that are still to come."""
    gone = next(photos.rglob("*.jpg"))
    gone.rename(tmp_path / "gone.jpg")
    assert index(photos).missing == 1
    with sightline.Library(filled) as opened:
        opened.tag(3, "boat")
    with Library.open(filled) as store:
        store.marks.save_search("boats", "tag:boat")
    for statement in (
        f"UPDATE runs SET started_at = '{FUTURE}', finished_at = '{FUTURE}'", f"UPDATE roots SET added_at = '{FUTURE}'",
        f"UPDATE roots SET last_walked_at = '{FUTURE}'", f"UPDATE saved_searches SET saved_at = '{FUTURE}'",
        f"UPDATE photos SET missing_since = '{FUTURE}' WHERE missing_since IS NOT NULL",
        f"UPDATE library SET created_at = '{FUTURE}'",
    ):  # fmt: skip
        raw(filled, statement)
    (filled / "run.json").write_text(json.dumps({"pid": 1, "since": FUTURE, "progress": None}))
    later = 3_187_220_645
    for path in [*filled.rglob("*"), *photos.rglob("*")]:
        os.utime(path, (later, later))
    shutil.move(tmp_path / "gone.jpg", gone)
    done = index(photos)
    assert (done.code, done.restored, done.missing, done.encoded) == (0, 1, 0, 0)
    assert index(photos).unchanged == 24
    for command in (("search_ui", "query", "boat"), ("search_ui", "searches"), ("indexer", "verify")):
        ended = python("-m", *command, "--library", filled)
        assert ended.returncode == 0, ended.stderr
    status = python("-m", "indexer", "status", "--library", filled)
    assert FUTURE not in status.stdout.splitlines()[-1]  # the newest run is the last one, whatever its time


def test_previews_of_a_clock_that_was_set_back_make_room_first(tmp_path: Path) -> None:
    previews = Previews(tmp_path, limit_bytes=10_000)
    old, new = bytes([1]) * 32, bytes([2]) * 32
    previews.write(old, b"x" * 6_000)
    os.utime(previews.path(old), (3_187_220_645, 3_187_220_645))
    previews.write(new, b"y" * 6_000)
    assert previews.read(new) is not None and previews.read(old) is None


# -- read-only ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="needs a mount of its own")
def test_a_library_on_a_read_only_disk_is_searched_and_says_why_it_keeps_no_marks(filled: Path, tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    script = f"""
mount --bind {filled} {place} && mount -o remount,ro,bind {place} || exit 77
for what in "search_ui query boat" "indexer status" "indexer verify" "search_ui tag 1 --add boat" "indexer /tmp"; do
{sys.executable} -m $what --library {place} > /dev/null; echo "code $?"
done
{sys.executable} -m indexer backup {tmp_path}/a.backup --library {place}; echo "code $?"
"""
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert done.stdout.split() == ["code", "0"] * 3 + ["code", "2"] * 2 + ["code", "0"], done.stdout + done.stderr
    assert "read-only" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as another user")
def test_a_user_who_may_only_read_sees_what_is_committed_meanwhile(filled: Path, public_tmp: Path) -> None:
    library = public_tmp / "library"
    shutil.copytree(filled, library)
    watcher = """
import os, sys
from store.library import Library
os.setegid(65534); os.seteuid(65534)
with Library.open(__import__("pathlib").Path(sys.argv[1])) as library:
    assert library.readonly
    print(library.catalog.generation(), flush=True)
    for line in sys.stdin:
        print(library.catalog.generation(), flush=True)
"""
    for path in [library, *library.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", watcher, str(library)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        shown = int(process.stdout.readline())
        with closing(sqlite3.connect(library / "library.sqlite", isolation_level=None)) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            for step in (1, 2, 3):
                writer.execute("UPDATE library SET generation = generation + 1")
                process.stdin.write("\n")
                process.stdin.flush()
                assert int(process.stdout.readline()) == shown + step
        process.stdin.write("\n")  # the writer is gone, and its journal with it
        process.stdin.close()
        assert int(process.stdout.readline()) == shown + 3
    assert process.returncode == 0
