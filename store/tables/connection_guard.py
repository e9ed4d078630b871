"""What may happen to an open database: a newer program migrates it, or another holds it for too long."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection, ExceptionContext

from store.errors import LibraryError, LibraryLockedError
from store.tables.database import BUSY_TIMEOUT_MS
from store.tables.dialect import is_postgres
from store.tables.migrations import VERSION

_LAYOUT: Final = "PRAGMA user_version"


def guard(engine: Engine, where: str) -> None:
    """Turn both into errors that say what to do, from now on.

    Each transaction looks at the layout first, as part of its own view of the database: none reads or writes tables
    that it does not know. It takes one or two microseconds.

    Args:
        engine: of an open library of this program's layout.
        where: the library's folder, for messages.
    """

    @event.listens_for(engine, "begin")
    def _check_layout(connection: Connection) -> None:
        if is_postgres(connection):
            from store.tables.postgres_tables import layout

            found = layout(connection)
        else:
            raw: Any = connection.connection.driver_connection
            try:  # not by SQLAlchemy, which takes ten times as long
                found = int(raw.execute(_LAYOUT).fetchone()[0])
            except sqlite3.Error:  # by SQLAlchemy, so that errors are what they are of any other statement
                found = int(connection.exec_driver_sql(_LAYOUT).scalar_one())
        if found > VERSION:
            raise LibraryError(
                f"The library {where} was brought to layout version {found} by a newer version of Sightline while it "
                f"was open here; this program reads up to {VERSION}. Nothing was changed by it. Close this program, "
                "update Sightline, and start it again."
            )

    @event.listens_for(engine, "handle_error")
    def _explain(context: ExceptionContext) -> None:
        error = context.original_exception
        if is_busy(error):
            raise LibraryLockedError(
                f"Another program holds the database of the library {where} and did not let go of it in "
                f"{BUSY_TIMEOUT_MS / 1000:g} seconds ({error}). Nothing was changed. Try again; if it stays so, look "
                "for an indexer that was stopped, and let it go on or end it."
            ) from error


def is_busy(error: BaseException | None) -> bool:
    """Whether SQLite gave up waiting for another connection. The mask: sqlite.org/rescode.html, section 1."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
