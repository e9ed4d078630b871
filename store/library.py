"""A library: one folder on disk that holds the database, the vector cache and the thumbnails."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout
from sqlalchemy.exc import DatabaseError

from store.catalog import Catalog
from store.database import BUSY_TIMEOUT_MS, make_engine
from store.disk import fanned_bytes, flat_bytes
from store.errors import LibraryError, LibraryLockedError
from store.files import sweep_temporaries, writable
from store.marks import Marks
from store.migrations import VERSION, check_version, migrate, version_of
from store.policy import DEFAULT, Policy
from store.previews import Previews
from store.thumbnails import Thumbnails
from store.vector_cache import VectorCache

DATABASE = "library.sqlite"
LOCK = "indexer.lock"
HOLDER = "indexer.json"
# A second indexer waits this long, seconds: `is_indexing` holds the lock for an instant when it asks.
LOCK_PATIENCE = 0.5


class Library:
    """An open library. Use as a context manager, or call `close`.

    Attributes:
        path: the folder.
        readonly: nothing in the folder may be written.
        catalog: facts in and out.
        marks: what a person decided: tags, favourites, saved searches.
        vectors: vector indexes by space, kept up to date with the catalog.
        thumbnails: small pictures by content hash.
        previews: pictures of the size of a screen, by content hash; those looked at lately.
    """

    def __init__(self, path: Path, *, readonly: bool, policy: Policy = DEFAULT) -> None:
        self.path = path
        self.readonly = readonly
        self._engine = make_engine(path / DATABASE, readonly=readonly)
        self.catalog = Catalog(self._engine)
        self.marks = Marks(self._engine, str(path), readonly=readonly)
        self.thumbnails = Thumbnails(path / "thumbnails")
        self.previews = Previews(path / "previews")
        self.vectors = VectorCache(path / "vectors", self.catalog, readonly=readonly, policy=policy)

    @classmethod
    def open(cls, path: Path, *, policy: Policy = DEFAULT) -> Library:
        """Open an existing library for reading, and for what a person decides; read-only where it must be.

        Args:
            path: the folder.
            policy: how vectors are searched; for tests.

        Raises:
            LibraryLockedError: it is older than this program, and an indexer is at work on it.
            LibraryError: there is none at `path`, it is not a library, is damaged, is newer than this program, is
                older and may not be written, or another program holds its database for too long.
        """
        if not (path / DATABASE).is_file():
            raise LibraryError(
                f"There is no library in {path}. Index a folder first: python -m indexer ./photos --library {path}"
            )
        readonly = not (writable(path) and writable(path / DATABASE))
        return cls(path, readonly=readonly, policy=policy)._checked(migrating=False)

    @classmethod
    def create(cls, path: Path) -> Library:
        """Open the library at `path` for writing; make it, and its folder, where there is none. Call under `locked`.

        Raises:
            LibraryError: the folder can't be made or written, is not a library, is damaged, is newer, or another
                program holds its database for too long.
        """
        make_folder(path)
        if (path / DATABASE).exists() and not writable(path / DATABASE):
            raise LibraryError(_unwritable(path / DATABASE))
        return cls(path, readonly=False)._checked(migrating=True)

    def _checked(self, *, migrating: bool) -> Library:
        where = str(self.path)
        try:
            with self._engine.connect() as connection:
                found = version_of(connection)
            check_version(found, where, readonly=self.readonly)
            if found == 0 and not migrating:
                raise LibraryError(
                    f"The library {where} is empty: its first run was stopped before it wrote anything. "
                    f"Index a folder: python -m indexer ./photos --library {where}"
                )
            if found < VERSION:
                with (
                    nullcontext() if migrating else _between_runs(self.path),
                    self._engine.execution_options(write=True).connect() as connection,
                ):
                    migrate(connection, where)
        except DatabaseError as error:
            self.close()
            if _is_busy(error):
                raise LibraryError(
                    f"An indexer or another program is at work on the library {where} and did not let go of it in "
                    f"{BUSY_TIMEOUT_MS / 1000:g} seconds ({error.orig}). Try again when it is done."
                ) from error
            raise LibraryError(
                f"The database {self.path / DATABASE} can't be read ({error.orig}). "
                "If it was damaged, restore a backup, or move it away and index again; your pictures are not affected."
            ) from error
        except LibraryError:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sweep(self) -> int:
        """Remove what killed writers left behind; returns how many files. Call under `locked`."""
        return sweep_temporaries(self.path)

    def forget_pictures(self, hashes: Iterable[bytes]) -> None:
        """Remove the thumbnails and previews of contents that the library does not hold any more."""
        for content_hash in hashes:
            self.thumbnails.remove(content_hash)
            self.previews.remove(content_hash)

    def disk_use(self) -> dict[str, int]:
        """Bytes of `database`, `vectors`, `thumbnails` and `previews` on the disk.

        The last two are added up where there are up to some 12,500 files of each, and estimated from as many where
        there are more: so it takes 0.1 seconds at most, with a million pictures too.
        """
        return {
            "database": flat_bytes(self.path, DATABASE),  # with its journal
            "vectors": flat_bytes(self.path / "vectors"),
            "thumbnails": fanned_bytes(self.thumbnails.folder),
            "previews": fanned_bytes(self.previews.folder),
        }

    def integrity(self) -> list[str]:
        """What SQLite's own integrity check and foreign keys find wrong; empty when all is well."""
        with self._engine.connect() as connection:
            found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [line for line in found if line != "ok"] + [f"{row[0]} row {row[1]} refers to nothing" for row in broken]


def _is_busy(error: DatabaseError) -> bool:
    """Whether SQLite gave up waiting for another connection. Source of the mask: sqlite.org/rescode.html, section 1."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


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
