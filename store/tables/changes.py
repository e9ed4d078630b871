"""A log of which contents changed, for an index that is kept outside the database.

One row for each content that ever changed, with the number of its last change: an index that says up to which number it
is true, however old, finds all that it lacks. Triggers keep it, in the transaction that changes something, so no writer
has to know of it. They are made where vectors first live outside; other libraries have neither table nor triggers.

The log has an identity, and knows which database it was begun in. In a copy, or what was restored from one, it gets
another identity: numbers of the two mean different changes from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.tables.dialect import is_postgres

# Tables by the column that names a content: whatever happens to a row of theirs may change what a search finds.
_WATCHED: Final = {
    "contents": "id", "photos": "content_id", "vectors": "content_id", "content_tags": "content_id",
    "favourites": "content_id", "content_words": "content_id",
}  # fmt: skip
_EVENTS: Final = {"insert": ("new",), "update": ("old", "new"), "delete": ("old",)}

# A row is removed and written anew, with a higher number. Not by INSERT OR REPLACE: in a trigger of SQLite, the OR of
# the statement that fired it takes its place.
_LOGGED: Final = (
    "DELETE FROM changes WHERE content_id = {row}.{column}; INSERT INTO changes (content_id) VALUES ({row}.{column});"
)

_SQLITE_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS changes (id INTEGER PRIMARY KEY AUTOINCREMENT, content_id INTEGER NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS change_log (identity TEXT NOT NULL, place TEXT NOT NULL)",
)
_POSTGRESQL_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS changes "
    "(id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, content_id BIGINT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS change_log (identity TEXT NOT NULL, place TEXT NOT NULL)",
)


def sqlite_triggers() -> list[str]:
    """The triggers, as SQLite keeps their text."""
    return [
        f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {logged} END"
        for name, event, table, logged in _triggers()
    ]


def _triggers() -> Iterator[tuple[str, str, str, str]]:
    """Their name, event, table, and what each does."""
    for table, column in _WATCHED.items():
        for event, rows in _EVENTS.items():
            logged = " ".join(_LOGGED.format(row=row, column=column) for row in rows)
            yield f"changed_{table}_{event}", event, table, logged


def _statements(connection: Connection) -> Iterator[str]:
    """What makes the tables and triggers, where they are not there yet."""
    if not is_postgres(connection):
        yield from _SQLITE_TABLES
        yield from (text.replace("TRIGGER", "TRIGGER IF NOT EXISTS", 1) for text in sqlite_triggers())
        return
    yield from _POSTGRESQL_TABLES
    for name, event, table, logged in _triggers():
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {logged} RETURN NULL; END $$"
        )
        yield f"CREATE OR REPLACE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


def identity(engine: Engine) -> str | None:
    """What tells this library's changes from those of another; None where nothing is logged yet."""
    with engine.connect() as connection:
        return _identity(connection)


def _identity(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "change_log"):
        return None
    found, place = connection.exec_driver_sql("SELECT identity, place FROM change_log").one()
    return str(found) if place == place_of(connection) else None


def place_of(connection: Connection) -> str:
    """What tells a database from a copy: its file's inode, or the numbers of server and database."""
    if is_postgres(connection):
        query = "SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
        server, database = connection.exec_driver_sql(query).one()
        return f"{server} {database}"
    file = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar_one()
    return str(Path(file).stat().st_ino)


def begin(engine: Engine) -> str:
    """Log changes from now on, with all contents as changed; returns the log's identity. Safe to repeat."""
    if (known := identity(engine)) is not None:
        return known
    import uuid  # no library without vectors outside needs it

    with engine.execution_options(write=True).connect() as connection, connection.begin():
        if (known := _identity(connection)) is not None:  # another process was faster
            return known
        for statement in _statements(connection):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("DELETE FROM changes")
        connection.exec_driver_sql("INSERT INTO changes (content_id) SELECT id FROM contents ORDER BY id")
        connection.exec_driver_sql("DELETE FROM change_log")
        made = uuid.uuid4().hex
        connection.exec_driver_sql(
            "INSERT INTO change_log (identity, place) VALUES (?, ?)", (made, place_of(connection))
        )
    return made


def last(connection: Connection) -> int:
    """The number of the last change, 0 for none."""
    return int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM changes").scalar_one())


def after(connection: Connection, number: int, limit: int) -> list[tuple[int, int]]:
    """The next changes after one: their numbers, ascending, and contents."""
    query = "SELECT id, content_id FROM changes WHERE id > ? ORDER BY id LIMIT ?"
    return [(row[0], row[1]) for row in connection.exec_driver_sql(query, (number, limit))]
