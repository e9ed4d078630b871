"""SQLite through SQLAlchemy: one engine per library, with the pragmas and transactions it needs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from store.disk_errors import DiskError, database_sentence
from store.errors import LibraryError
from store.files import writable
from store.place import Place
from store.time_limit import check, is_limited, is_over

# A 1 KiB vector in a 4 KiB page wastes half of it; in a 16 KiB page the table is 1.14x its raw size.
PAGE_SIZE = 16_384
BUSY_TIMEOUT_MS = 10_000
# Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS = 50_000


def make_engine(path: Path, place: Place, *, readonly: bool) -> Engine:
    """An engine on the SQLite file `path`, which connects and writes only while it lies in its place.

    Connections may be used from any thread. A transaction begins with BEGIN, or with BEGIN IMMEDIATE where
    the connection has the execution option `write`: a deferred one that turns into a writer halfway can fail at once
    with "database is locked", whatever the busy timeout.
    """
    uri = f"file:{quote(os.fsencode(path.absolute()))}"

    def connect() -> sqlite3.Connection:
        place.check()  # else SQLite would open, or even make, another file of this name
        if readonly:
            return connect_readonly(path, check_same_thread=False)
        return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=8, max_overflow=24)

    @event.listens_for(engine, "connect")
    def _pragmas(dbapi: Any, _record: Any) -> None:
        cursor = dbapi.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if not readonly:
            cursor.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            # Falls back to the old journal by itself where WAL can't work (some network drives).
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        if write:
            place.check()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    # A statement is interrupted once the time limit of the thread that runs it is over.
    @event.listens_for(engine, "checkout")
    def _limit(dbapi: Any, _record: Any, _proxy: Any) -> None:
        dbapi.set_progress_handler(is_over if is_limited() else None, _STEPS)

    @event.listens_for(engine, "handle_error")
    def _explain(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            check()
        if (said := database_sentence(context.original_exception, path)) is not None:
            raise DiskError(said) from context.original_exception

    @event.listens_for(engine, "checkout")
    def _look_again(dbapi: Any, _record: Any, _proxy: Any) -> None:
        if isinstance(dbapi, _Frozen) and dbapi.files != _files(path):
            raise DisconnectionError  # another connection takes its place

    return engine


class _Frozen(sqlite3.Connection):
    """A connection that takes its database for one that never changes.

    It is valid while its `files` are the same.
    """

    files: tuple[tuple[int, int] | None, ...] = ()


def connect_readonly(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Connect to a database that is not to be written, also where nothing may be written beside it.

    Raises:
        LibraryError: its newest part lies in a journal that this user can't read.
        sqlite3.Error: it can't be opened.
    """
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
    files = _files(path)
    connection = sqlite3.connect(uri, uri=True, check_same_thread=check_same_thread, isolation_level=None)
    if writable(path.parent):
        return connection
    try:
        # While others use it, the shared memory of its journal is there, and is read with it.
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        if files[1] is not None and files[1][0]:
            raise LibraryError(
                f"What was written last to {path} lies in {path.name}-wal, and this user may not read that ({error}). "
                "Open the library once as a user who may write to its folder."
            ) from error
        # SQLite can't make that memory here, and opens only a database that it is told not to expect changes of.
        frozen = sqlite3.connect(
            f"{uri}&immutable=1", uri=True, check_same_thread=check_same_thread, isolation_level=None, factory=_Frozen
        )
        frozen.files = files
        return frozen
    return connection


def _files(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Size and mtime of a database and of its journal; None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for each in (path, path.with_name(path.name + "-wal")):
        try:
            facts = each.stat()
        except OSError:
            found.append(None)
        else:
            found.append((facts.st_size, facts.st_mtime_ns))
    return tuple(found)
