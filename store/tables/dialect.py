"""Where the SQL of SQLite and of PostgreSQL differs: fragments for the database of a connection.

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


def count_on(connection: Connection, table: str, last: int) -> None:
    """Let ids of new rows of a table be above `last`, which was given by hand; SQLite does that by itself."""
    if is_postgres(connection):
        query = f"SELECT setval('{table}_id_seq', ?) FROM {table}_id_seq WHERE last_value < ? OR NOT is_called"
        connection.exec_driver_sql(query, (last, last))


def joined(connection: Connection, name: str) -> str:
    """The aggregate that writes the whole numbers of a column as one text, with commas."""
    return f"string_agg(({name})::text, ',')" if is_postgres(connection) else f"group_concat({name})"


def unindexed(connection: Connection, name: str) -> str:
    """A column that SQLite shall look for by no index: without statistics it may choose a bad one."""
    return name if is_postgres(connection) else f"+{name}"
