"""SQL on the tables of a library, past all that the product does, whatever its database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from store.place import Place
from store.remote import DATABASE, remote_of, truth_file


def execute(library: Path, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Run one statement in a transaction of its own; returns its rows."""
    from store.tables import database, postgres

    place, address = Place(truth_file(library)), remote_of(library).database
    if address is None:
        engine = database.make_engine(library / DATABASE, place, readonly=False)
    else:
        engine = postgres.make_engine(address, "the test's library", place)
    try:
        with engine.execution_options(write=True).begin() as connection:
            result = connection.exec_driver_sql(statement, values)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def contents(library: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, by the names of the tables, sorted: to compare two libraries."""
    from store.tables import concept_tables, mark_tables, tile_tables  # noqa: F401 - their tables are known then
    from store.tables.table_class import METADATA

    found = {}
    for table in METADATA.sorted_tables:
        names = ", ".join(column.name for column in table.columns)
        rows = execute(library, f"SELECT {names} FROM {table.name}")
        found[table.name] = sorted(rows, key=repr)
    return found
