"""Ordered steps from one layout of the tables to the next.

`PRAGMA user_version` counts the steps that ran. Each step and the note that it ran are one transaction. A step
is frozen once released: it is written in SQL, not against the table classes, which move on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from store.errors import LibraryError
from store.schema import Base

Step = Callable[[Connection], None]


def _create(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    connection.execute(
        text("INSERT INTO library (id, created_at, generation) VALUES (1, :now, 0)"),
        {"now": datetime.now(UTC).isoformat(timespec="seconds")},
    )


# Step 1 may use the table classes only for as long as it is the only step; freeze it as SQL with step 2.
STEPS: tuple[Step, ...] = (_create,)
VERSION = len(STEPS)


def version_of(connection: Connection) -> int:
    """The number of steps a database has been through; 0 for an empty one."""
    return int(connection.execute(text("PRAGMA user_version")).scalar_one())


def check_version(found: int, where: str) -> None:
    """Refuse a database written by a newer program; it is left untouched.

    Raises:
        LibraryError: `found` is above this program's version.
    """
    if found > VERSION:
        raise LibraryError(
            f"The library {where} has layout version {found}; this program reads up to {VERSION}. "
            "It was not touched. Update Sightline, or choose another folder with --library."
        )


def migrate(connection: Connection, where: str) -> None:
    """Run the steps a database has not been through, each in one transaction of its own.

    Raises:
        LibraryError: the database is newer than this program.
    """
    with connection.begin():
        found = version_of(connection)
    check_version(found, where)
    for number, step in enumerate(STEPS[found:], start=found + 1):
        with connection.begin():
            step(connection)
            connection.execute(text(f"PRAGMA user_version = {number}"))
