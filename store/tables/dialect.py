"""Where the SQL of SQLite and of PostgreSQL differs: fragments and answers for the database of a connection.

Statements are the same for both: SQLite's, with `?` for values. `store.tables.postgres` turns the marks into those of
its driver, and `store.tables.postgres_tables` makes functions of SQLite that PostgreSQL lacks. What is left is here.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy.engine import Connection


def is_postgres(connection: Connection) -> bool:
    """Whether a connection is one to PostgreSQL, and not to SQLite."""
    return connection.dialect.name == "postgresql"


def last_id(connection: Connection, table: Literal["contents", "photos", "vectors", "tiles"]) -> int:
    """The highest id that a row of a table ever had, whether it is still there or not; 0 before the first.

    Ask in a write transaction: PostgreSQL tells of ids that another one has given and not yet committed.
    """
    if is_postgres(connection):
        query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq"
    else:
        query = f"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{table}'"
    return int(connection.exec_driver_sql(query).scalar_one())


def count_on(connection: Connection, table: str) -> None:
    """Let ids of new rows follow those that were given by hand, as SQLite does by itself."""
    if is_postgres(connection):
        query = f"""SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(
            (SELECT max(id) FROM {table}), (SELECT last_value FROM {table}_id_seq)), true)
            WHERE EXISTS (SELECT 1 FROM {table})"""
        connection.exec_driver_sql(query)


def joined(connection: Connection, name: str) -> str:
    """The aggregate that writes the whole numbers of a column as one text, with commas."""
    return f"string_agg(({name})::text, ',')" if is_postgres(connection) else f"group_concat({name})"


def in_this_order(connection: Connection) -> str:
    """The join that SQLite takes in the order in which it is written; PostgreSQL knows sizes, and chooses."""
    return "JOIN" if is_postgres(connection) else "CROSS JOIN"


def unindexed(connection: Connection, name: str) -> str:
    """A column that SQLite shall look for by no index: without statistics it may choose a bad one."""
    return name if is_postgres(connection) else f"+{name}"


def damages(connection: Connection) -> list[str]:
    """What the database's own check finds wrong; empty when all is well.

    SQLite has one. PostgreSQL finds damage when it reads: here it reads every row of every table.
    """
    if is_postgres(connection):
        return []
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    return [line for line in found if line != "ok"]


def orphans(connection: Connection) -> list[tuple[str, int]]:
    """Rows that refer to rows that are not there: tables, and the `rowid` of SQLite or the first key of PostgreSQL."""
    if is_postgres(connection):
        from store.tables.postgres_tables import orphans as found

        return found(connection)
    return [(row[0], row[1]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]
