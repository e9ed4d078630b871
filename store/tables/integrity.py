"""What a database finds wrong with itself: damaged pages, and rows that refer to nothing."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.engine import Connection

from store.tables.dialect import is_postgres


class Orphan(NamedTuple):
    """A row that refers to one that is not there: its table, and a column with its value."""

    table: str
    key: str
    value: int


def damages(connection: Connection, most: int = 100) -> list[str]:
    """At most so many lines of what the database's own check finds wrong; none when all is well.

    SQLite has one. PostgreSQL finds damage as it reads: here it reads every row of every table.
    """
    if is_postgres(connection):
        from store.tables.postgres_tables import read_all

        read_all(connection)
        return []
    found = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA integrity_check({most})")]
    return [line for line in found if line != "ok"]


def orphans(connection: Connection) -> list[Orphan]:
    """Rows that refer to rows that are not there."""
    if is_postgres(connection):
        from store.tables.postgres_tables import orphans as found

        return [Orphan(*row) for row in found(connection)]
    return [Orphan(row[0], "rowid", row[1]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]
