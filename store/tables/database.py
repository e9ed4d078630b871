"""SQLite through SQLAlchemy: one engine per library, with the pragmas and transactions it needs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.pool import QueuePool

from store.disk_errors import DiskError, database_sentence
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
    if readonly:
        # In a folder that can't be written SQLite can't make the shared-memory file of WAL mode, and opens only
        # a database it is told not to expect changes of.
        uri += "?mode=ro" if writable(path.parent) else "?immutable=1"

    def connect() -> sqlite3.Connection:
        place.check()  # else SQLite would open, or even make, another file of this name
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

    return engine
