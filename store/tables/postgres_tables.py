"""The tables of a library on PostgreSQL, of the same classes as those of SQLite.

Functions that SQLite has, and PostgreSQL lacks, are made with them.

A library on PostgreSQL begins with layout version 9. `LATER` has what the steps after that do there.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Computed, Identity, MetaData, Table
from sqlalchemy.engine import Connection

import store.tables.concept_tables
import store.tables.mark_tables
import store.tables.schema
import store.tables.tile_tables  # noqa: F401 - their tables are in METADATA then
from store.tables import full_text
from store.tables.records import now
from store.tables.table_class import METADATA

FIRST: Final = 9
"""The layout version that libraries on PostgreSQL began with."""
LATER: Final[dict[int, tuple[str, ...]]] = {}
"""What each step to a layout above 9 does on PostgreSQL, by its number. A step is frozen once released."""

_FUNCTIONS: Final = (
    # Of a JSON array: its whole numbers as `value`, or whatever it has, as text, as `atom`. A regular expression would
    # take ten times as long as the rest, and most statements name thousands of ids so.
    """CREATE FUNCTION json_each(data text) RETURNS TABLE (value bigint, atom text)
      LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1000 AS $$
      SELECT CASE WHEN translate(item, '0123456789', '') IN ('', '-') AND item NOT IN ('', '-') THEN item::bigint END,
        item COLLATE "C"
      FROM json_array_elements_text(replace(data, '\\u0000', '\\ufffd')::json) AS items (item) $$""",
    """CREATE FUNCTION instr(looked text, wanted text) RETURNS integer
      LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT strpos(looked, wanted) $$""",
    """CREATE FUNCTION max(one bigint, other bigint) RETURNS bigint
      LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
      $$ SELECT CASE WHEN one IS NOT NULL AND other IS NOT NULL THEN greatest(one, other) END $$""",
    """CREATE FUNCTION min(one bigint, other bigint) RETURNS bigint
      LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
      $$ SELECT CASE WHEN one IS NOT NULL AND other IS NOT NULL THEN least(one, other) END $$""",
    "CREATE FUNCTION typeof(bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 'integer' $$",
    "CREATE DOMAIN blob AS bytea",
)
_TRIGGERS: Final = (
    # What people wrote, a row for each content that has any: see `store.tables.written`.
    *full_text.STATEMENTS,
    """CREATE FUNCTION remove_text() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN DELETE FROM texts WHERE rowid = old.id; RETURN NULL; END $$""",
    """CREATE TRIGGER texts_removed AFTER DELETE ON contents FOR EACH ROW
      WHEN (coalesce(old.title, old.caption, old.keywords, old.people) IS NOT NULL) EXECUTE FUNCTION remove_text()""",
    # Once in a transaction: of a row that is changed for each of many others, as many versions would lie about.
    """CREATE FUNCTION raise_tile_epochs() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN UPDATE tile_grids SET epoch = epoch + 1 WHERE space_id IN (SELECT space_id FROM gone)
      AND xmin <> pg_current_xact_id()::xid; RETURN NULL; END $$""",
    """CREATE TRIGGER tiles_removed AFTER DELETE ON tiles REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
      EXECUTE FUNCTION raise_tile_epochs()""",
)
_LAYOUT: Final = "CREATE TABLE layout (version bigint NOT NULL)"


def version_of(connection: Connection) -> int:
    """The layout version of a database; 0 for one without a library."""
    if connection.exec_driver_sql("SELECT to_regclass('layout')").scalar() is None:
        return 0
    return layout(connection)


def layout(connection: Connection) -> int:
    """The layout version of a database that has a library."""
    query = "SELECT version FROM layout"
    return int(connection.exec_driver_sql(query, execution_options={"stream_results": False}).scalar_one())


def make(connection: Connection, version: int) -> None:
    """Make all tables in an empty database, in the transaction of a connection.

    Args:
        connection: to the database.
        version: the layout version of the classes.
    """
    for statement in _FUNCTIONS:
        connection.exec_driver_sql(statement)
    tables().create_all(connection, checkfirst=False)
    for statement in (*_TRIGGERS, _LAYOUT):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("INSERT INTO layout (version) VALUES (?)", (version,))
    connection.exec_driver_sql("INSERT INTO library (id, created_at, generation) VALUES (1, ?, 0)", (now(),))


def step(connection: Connection, number: int) -> None:
    """Bring the tables from one layout to the next, in the transaction of a connection."""
    for statement in LATER[number]:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("UPDATE layout SET version = ?", (number,))


def tables() -> MetaData:
    """The tables as PostgreSQL has them."""
    made = MetaData()
    for table in METADATA.sorted_tables:
        _adapt(table.to_metadata(made))
    return made


def _adapt(table: Table) -> None:
    for column in table.columns:
        if isinstance(column.computed, Computed):
            column.computed.persisted = True  # else it can't be in an index
    id_: Any = table.columns.get("id")
    if id_ is not None and table.name == "library":
        id_.autoincrement = False  # one row
    elif id_ is not None:
        Identity()._set_parent_with_dispatch(id_)  # an id that was pruned never comes back as another picture
    for index in table.indexes:
        where = index.dialect_options["sqlite"]["where"]
        if where is not None:
            index.dialect_options["postgresql"]["where"] = where


def read_all(connection: Connection) -> None:
    """Read every row of every table: a server finds damaged pages so, where it keeps checksums of them."""
    for table in METADATA.sorted_tables:
        connection.exec_driver_sql(f"SELECT count({table.name}) FROM {table.name}")  # whole rows: no index will do


def orphans(connection: Connection) -> list[tuple[str, str, int]]:
    """Rows that refer to rows that are not there: table, first key, its value.

    Only a damaged database has any.
    """
    found = []
    for table in METADATA.sorted_tables:
        key = next(iter(table.primary_key.columns)).name
        for foreign in table.foreign_keys:
            name, other = foreign.parent.name, foreign.column
            query = (
                f"SELECT {key} FROM {table.name} WHERE {name} IS NOT NULL AND NOT EXISTS "
                f"(SELECT 1 FROM {other.table.name} WHERE {other.table.name}.{other.name} = {table.name}.{name})"
            )
            found += [(table.name, key, int(row[0])) for row in connection.exec_driver_sql(query)]
    return found
