"""The lock of a library: one indexer at a time. `run.json` says which one and how far it is.

A library on PostgreSQL is locked there, root by root: see `store.tables.postgres_locks`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.checked_files import read_file
from store.disk_errors import disk_sentence
from store.errors import LibraryError, LibraryLockedError
from store.files import file_mode, make_private, replace_file, writable
from store.indexer_words import WAIT, began
from store.remote import remote_of
from store.tables.database import BUSY_TIMEOUT_MS

if TYPE_CHECKING:  # searches and `status` lock nothing, and it brings asyncio
    from filelock import FileLock

    from store.tables.postgres_locks import AtWork

LOCK = "indexer.lock"
WATCH = "watcher.lock"
RUN = "run.json"
_RUN_BYTES = 1_000_000  # at most; a file that is larger is not ours
FORMER = ("indexer.json", "indexer-progress.json")
"""What earlier versions wrote in place of `run.json`; a killed run of theirs may have left it."""

# A second indexer waits this long, seconds: `is_indexing` holds the lock for an instant when it asks.
LOCK_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """The indexer at work.

    Attributes:
        pid: its process.
        since: when it began: ISO 8601, UTC.
        progress: see `store.progress`; None until it has said how far it is.
    """

    pid: int
    since: str
    progress: dict[str, Any] | None


def _file_lock(path: Path, **options: Any) -> FileLock:
    """A lock, not held yet. Who does not get it in time gets a `TimeoutError`."""
    from filelock import FileLock

    return FileLock(path, **options)


def make_folder(path: Path) -> None:
    """Make the library's folder, for its owner alone.

    Raises:
        LibraryError: it can't be made or can't be written.
    """
    try:
        make_private(path, parents=True)
    except OSError as error:
        raise LibraryError(
            disk_sentence(error)
            or f"The library folder {path} can't be made ({error.strerror}). Choose another with --library."
        ) from error
    if not writable(path):
        raise LibraryError(unwritable_message(path))


def unwritable_message(path: Path) -> str:
    """What an error says of a library, or a file of it, that this user may not write."""
    return (
        f"{path} is read-only for this user, so nothing can be indexed into it; searching still works. "
        "Change its permissions, or choose another library with --library."
    )


@contextmanager
def locked(path: Path, roots: Collection[bytes] | None = None) -> Iterator[None]:
    """Hold the library at `path` as its only indexer. The lock goes with the process, however it ends.

    Args:
        path: the folder of the library.
        roots: what is to be indexed: absolute paths, or addresses. A library on PostgreSQL is held for these alone, and
            other roots may be indexed meanwhile; None holds all of it.

    Raises:
        LibraryLockedError: another indexer holds it; the message says which.
        LibraryError: the folder can't be written, or the database can't be reached.
    """
    make_folder(path)
    if remote_of(path).database is not None:
        with _locked_in_database(path, roots):
            yield
        return
    lock = _file_lock(path / LOCK, timeout=LOCK_PATIENCE, mode=file_mode(path))
    try:
        lock.acquire()
    except TimeoutError:
        raise LibraryLockedError(f"Another indexer is at work on {path}{_holder(path)}. {WAIT}") from None
    except OSError as error:
        raise LibraryError(disk_sentence(error, path / LOCK) or unwritable_message(path)) from error
    here = _inode(path / LOCK)
    try:
        write_run(path, os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"), None)
        yield
    finally:
        if _inode(path / LOCK) == here:  # else the folder was renamed, and what lies here is another's
            (path / RUN).unlink(missing_ok=True)
        lock.release()


@contextmanager
def _locked_in_database(path: Path, roots: Collection[bytes] | None) -> Iterator[None]:
    from store.tables import postgres_locks

    since = datetime.now(UTC).isoformat(timespec="seconds")
    with postgres_locks.holding(path, roots, since):
        try:
            write_run(path, os.getpid(), since, None)
            yield
        finally:
            run = _read_file(path)
            if run is not None and run.pid == os.getpid():  # else it is that of another one, on other roots
                (path / RUN).unlink(missing_ok=True)


def _in_database(path: Path) -> list[AtWork] | None:
    """The indexers at work on a library on PostgreSQL; None where it is not there."""
    if remote_of(path).database is None:
        return None
    from store.tables import postgres_locks

    with suppress(LibraryError):
        return postgres_locks.at_work(path)
    return []


def is_alone(path: Path) -> bool:
    """Whether no other indexer of this machine is at work on the library at `path`.

    For who holds it.
    """
    return not any(each.is_here and each.pid != os.getpid() for each in _in_database(path) or ())


@contextmanager
def files_locked(path: Path) -> Iterator[None]:
    """Be the only indexer of this machine that writes the vector files in the library's folder.

    Call under `locked`. Runs of other roots of a library on PostgreSQL may want to do so at the same time.
    """
    if remote_of(path).database is None:
        yield  # `locked` sees to it
        return
    with _file_lock(path / LOCK, mode=file_mode(path)):
        yield


@contextmanager
def watching(path: Path) -> Iterator[None]:
    """Be the only watcher of the library at `path`; other indexers may run meanwhile.

    Raises:
        LibraryLockedError: another watcher is at work.
        LibraryError: the folder can't be written.
    """
    make_folder(path)
    lock = _file_lock(path / WATCH, timeout=LOCK_PATIENCE, mode=file_mode(path))
    try:
        lock.acquire()
    except TimeoutError:
        raise LibraryLockedError(
            f"Another watcher is at work on {path}: the page's own, or one in a terminal. Stop it, or leave it to it."
        ) from None
    except OSError as error:
        raise LibraryError(disk_sentence(error, path / WATCH) or unwritable_message(path)) from error
    try:
        yield
    finally:
        lock.release()


def _inode(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_ino
    return None


@contextmanager
def between_runs(path: Path) -> Iterator[None]:
    """Keep indexers away while the tables change: one of an older version would write the old tables.

    Raises:
        LibraryLockedError: an indexer is at work.
        LibraryError: the lock can't be written.
    """
    if remote_of(path).database is not None:
        with _locked_in_database(path, None):
            yield
        return
    # Others that open the library may be bringing it up to date: they are worth waiting for, an indexer is not.
    patience = LOCK_PATIENCE if is_indexing(path) else BUSY_TIMEOUT_MS / 1000
    lock = _file_lock(path / LOCK, timeout=patience, mode=file_mode(path))
    try:
        lock.acquire()
    except TimeoutError:
        raise LibraryLockedError(
            f"The library {path} is of an older version, and an indexer is at work on it{_holder(path)}. "
            "Wait for the run to end, and try again: the library is brought up to date then."
        ) from None
    except OSError as error:
        raise LibraryError(
            disk_sentence(error, path / LOCK)
            or f"The library {path} is of an older version, and can't be brought up to date: {path / LOCK} can't be "
            f"written ({error.strerror}). Change its permissions, or open the library once as a user who may."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    run = read_run(path)
    return "" if run is None else f" (process {run.pid}{began(run.since)})"


def write_run(path: Path, pid: int, since: str, progress: dict[str, Any] | None) -> None:
    """Write `run.json` whole, or not at all. Only for who holds the lock.

    Raises:
        OSError: the disk is full, or the folder can't be written.
    """
    text = json.dumps({"pid": pid, "since": since, "progress": progress})
    # Not synced: after a power cut no indexer is at work.
    replace_file(path / RUN, lambda temporary: temporary.write_text(text), durable=False)
    if remote_of(path).database is not None:
        from store.tables import postgres_locks

        if (holder := postgres_locks.held(path)) is not None:
            holder.say(progress)


def read_run(path: Path) -> Run | None:
    """The run that began last, by `run.json`, or by the database.

    None where there is none, or the file is damaged. A killed run leaves the file behind: see `is_indexing`.
    """
    there = _in_database(path)
    if there is None:
        return _read_file(path)
    return Run(there[-1].pid, there[-1].since, there[-1].progress) if there else None


def _read_file(path: Path) -> Run | None:
    with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
        data = json.loads(read_file(path / RUN, _RUN_BYTES) or b"")
        progress = data["progress"]
        return Run(int(data["pid"]), str(data["since"]), progress if isinstance(progress, dict) else None)
    return None


def indexer_pid(path: Path) -> int | None:
    """Find the process of the indexer that holds the library at `path` right now.

    None where none does, or it is one of another machine.
    """
    there = _in_database(path)
    if there is not None:
        return next((each.pid for each in reversed(there) if each.is_here), None)
    run = read_run(path) if is_indexing(path) else None
    return None if run is None else run.pid


def is_indexing(path: Path) -> bool:
    """Whether an indexer holds the library at `path` right now, or some of its roots."""
    there = _in_database(path)
    if there is not None:
        return bool(there)
    if not (path / RUN).exists():
        return False
    try:
        with _file_lock(path / LOCK, blocking=False, mode=file_mode(path)):
            return False  # a killed indexer left its file behind
    except TimeoutError:
        return True
    except OSError:
        return False
