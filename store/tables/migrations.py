"""Ordered steps from one layout of the tables to the next.

`PRAGMA user_version` counts the steps that ran; on PostgreSQL the table `layout` does. Each step and the note that it
ran are one transaction.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, text

from store.errors import LibraryError
from store.tables.dialect import is_postgres
from store.tables.filters import casefolded
from store.tables.migration_steps import STEPS

VERSION: Final = len(STEPS)
UNFINISHED: Final = 1_000_000
"""Added to the version of a library that another is still being copied into: no program reads or writes that."""


def version_of(connection: Connection) -> int:
    """The number of steps a database has been through; 0 for an empty one."""
    if is_postgres(connection):
        from store.tables import postgres_tables

        return postgres_tables.version_of(connection)
    return int(connection.execute(text("PRAGMA user_version")).scalar_one())


def set_version(connection: Connection, number: int) -> None:
    """Note the layout version of a database that has tables; call within a write transaction."""
    if is_postgres(connection):
        connection.exec_driver_sql("UPDATE layout SET version = ?", (number,))
    else:
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")


def check_version(found: int, where: str, *, readonly: bool = False) -> None:
    """Refuse a database that this program can't use; it is left untouched.

    Raises:
        LibraryError: `found` is above this program's version, or below it and not 0 where nothing may be written.
    """
    if found >= UNFINISHED:
        raise LibraryError(
            f"The library {where} is a copy that is not whole: `python -m indexer export` was stopped. Run that again "
            "as it was; it goes on from there."
        )
    if found > VERSION:
        raise LibraryError(
            f"The library {where} has layout version {found}; this program reads up to {VERSION}. "
            "It was not touched. Update Sightline, or choose another folder with --library."
        )
    if readonly and 0 < found < VERSION:
        raise LibraryError(
            f"The library {where} has layout version {found}; this program reads version {VERSION}, and may not write "
            "there to bring it up to date. Open it once as a user who may, or copy it to where you may and choose "
            "that with --library."
        )


def migrate(connection: Connection, where: str) -> None:
    """Run the steps a database has not been through, each in one transaction of its own.

    Args:
        connection: to the database; its transactions must take the write lock at once (option `write`).
        where: the library's folder, for messages.

    Raises:
        LibraryError: the database is newer than this program.
    """
    if is_postgres(connection):
        _migrate_postgres(connection, where)
        return
    raw: Any = connection.connection.driver_connection
    raw.create_function("fold", 1, casefolded, deterministic=True)
    for number, step in enumerate(STEPS, start=1):
        with connection.begin():
            # Asked under the write lock: another process may be opening the same library.
            found = version_of(connection)
            check_version(found, where)
            if found < number:
                for statement in step:
                    connection.exec_driver_sql(statement)
                connection.exec_driver_sql(f"PRAGMA user_version = {number}")


def _migrate_postgres(connection: Connection, where: str) -> None:
    from store.tables import postgres_tables

    for number in (None, *postgres_tables.LATER):
        with connection.begin():
            found = version_of(connection)
            check_version(found, where)
            if found == 0:
                postgres_tables.make(connection, VERSION)
            elif number is not None and found < number:
                postgres_tables.step(connection, number)
