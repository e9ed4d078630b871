"""The indexer's lock on a library: one indexer at a time, and who holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from store.errors import LibraryError, LibraryLockedError
from store.files import writable
from store.tables.database import BUSY_TIMEOUT_MS

LOCK = "indexer.lock"


HOLDER = "indexer.json"


# A second indexer waits this long, seconds: `is_indexing` holds the lock for an instant when it asks.
LOCK_PATIENCE = 0.5


def make_folder(path: Path) -> None:
    """Make the library's folder, for its owner alone.

    Raises:
        LibraryError: it can't be made or can't be written.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(
            f"The library folder {path} can't be made ({error.strerror}). Choose another with --library."
        ) from error
    if not writable(path):
        raise LibraryError(_unwritable(path))


def _unwritable(path: Path) -> str:
    return (
        f"{path} is read-only for this user, so nothing can be indexed into it; searching still works. "
        "Change its permissions, or choose another library with --library."
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the library at `path` as its only indexer. The lock goes with the process, however it ends.

    Raises:
        LibraryLockedError: another indexer holds it; the message says which.
        LibraryError: the folder can't be written.
    """
    make_folder(path)
    lock = FileLock(path / LOCK, timeout=LOCK_PATIENCE)
    holder = path / HOLDER
    try:
        lock.acquire()
    except Timeout:
        raise LibraryLockedError(
            f"Another indexer is at work on {path}{_holder(holder)}. Wait for it, or stop it, and run again."
        ) from None
    except OSError as error:
        raise LibraryError(_unwritable(path)) from error
    try:
        holder.write_text(json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def _between_runs(path: Path) -> Iterator[None]:
    """Keep indexers away while the tables change: one of the older program would go on writing as it knows them.

    Raises:
        LibraryLockedError: an indexer is at work.
        LibraryError: the lock can't be written.
    """
    # Others that open the library may be bringing it up to date: they are worth waiting for, an indexer is not.
    lock = FileLock(path / LOCK, timeout=LOCK_PATIENCE if is_indexing(path) else BUSY_TIMEOUT_MS / 1000)
    try:
        lock.acquire()
    except Timeout:
        raise LibraryLockedError(
            f"The library {path} is of an older version, and an indexer is at work on it{_holder(path / HOLDER)}. "
            "Wait for the run to end, and try again: the library is brought up to date then."
        ) from None
    except OSError as error:
        raise LibraryError(
            f"The library {path} is of an older version, and can't be brought up to date: {path / LOCK} can't be "
            f"written ({error.strerror}). Change its permissions, or open the library once as a user who may."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    said = _said(path)
    return "" if said is None else f" (process {said[0]}, since {said[1]})"


def _said(holder: Path) -> tuple[int, str] | None:
    """The process that an indexer's note names, and since when it is at work."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        said = json.loads(holder.read_text())
        return int(said["pid"]), str(said["since"])
    return None


def indexer_pid(path: Path) -> int | None:
    """The process of the indexer that holds the library at `path` right now; None where none does."""
    said = _said(path / HOLDER) if is_indexing(path) else None
    return None if said is None else said[0]


def is_indexing(path: Path) -> bool:
    """Whether an indexer holds the library at `path` right now."""
    if not (path / HOLDER).exists():
        return False
    try:
        with FileLock(path / LOCK, blocking=False):
            return False  # a killed indexer left its note behind
    except Timeout:
        return True
    except OSError:
        return False
