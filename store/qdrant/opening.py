"""Opens the vectors of a library that keeps them in Qdrant, by the address that it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from store.errors import LibraryError, LibraryLockedError
from store.files import file_mode
from store.qdrant.adapter import Adapter
from store.qdrant.engines import QdrantEngines
from store.remote import EDGE, Remote, shown
from store.tables import changes
from store.tables.catalog import Catalog

LOCK: Final = "vectors.lock"
"""Held by the process that writes a collection, in the folder of a library on SQLite."""

WRITERS: Final = (0x51674C, 2)
"""The advisory lock in its place on PostgreSQL: class and number."""

PATIENCE_S: Final = 60.0
"""How long others wait for it, seconds."""


def open_engines(path: Path, remote: Remote, catalog: Catalog, *, readonly: bool) -> QdrantEngines:
    """The engines of the library in a folder; nothing is connected before one is asked for.

    Args:
        path: the folder.
        remote: its `vectors` is an address or `EDGE`.
        catalog: of the library.
        readonly: nothing may be written to the tables.

    Raises:
        LibraryError: a package is missing.
    """
    address = str(remote.vectors)
    connect: Callable[[str], Adapter]
    if address == EDGE:
        from store.qdrant.edge import FOLDER, EdgeAdapter

        def connect(_identity: str) -> Adapter:
            return EdgeAdapter.open(path / FOLDER)
    else:
        from store.qdrant.server import ServerAdapter

        def connect(identity: str) -> Adapter:
            return ServerAdapter(address, f"sightline-{identity}")

    def identity() -> str:
        if (known := changes.identity(catalog.engine)) is not None:
            return known
        if readonly:
            raise LibraryError(
                f"The library {shown(path)} was never used with vectors outside, and this user may not write to it: "
                "what changes has to be noted there. Open it once as a user who may, or use --vectors local."
            )
        return changes.begin(catalog.engine)

    return QdrantEngines(catalog, connect, identity=identity, turn=lambda: _turn(path, remote))


def _turn(path: Path, remote: Remote) -> AbstractContextManager[Any]:
    """Be the only process that writes the collection."""
    return _file_turn(path) if remote.database is None else _database_turn(path, remote.database)


@contextmanager
def _file_turn(path: Path) -> Iterator[None]:
    from filelock import FileLock

    lock = FileLock(path / LOCK, timeout=PATIENCE_S, mode=file_mode(path))
    try:
        lock.acquire()
    except TimeoutError:
        raise _busy(path) from None
    except OSError as error:
        raise LibraryError(
            f"{path / LOCK} can't be written ({error.strerror}): it keeps processes from writing the vectors of this "
            "library at once. Change its permissions, or open the library as a user who may."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _database_turn(path: Path, database: str) -> Iterator[None]:
    import psycopg

    from store.tables import postgres

    # A connection of its own: the lock goes with it, however this process ends.
    with postgres.connect(database, shown(path)) as connection:
        try:
            connection.execute(f"SET lock_timeout = {int(1000 * PATIENCE_S)}")
            connection.execute(f"SELECT pg_advisory_lock({WRITERS[0]}, {WRITERS[1]})")
        except psycopg.errors.LockNotAvailable:
            raise _busy(path) from None
        yield


def _busy(path: Path) -> LibraryLockedError:
    return LibraryLockedError(
        f"Another process is writing the vectors of {shown(path)} to Qdrant, and was not done in {PATIENCE_S:g} "
        "seconds. Try again: what it has written by then need not be written again."
    )
