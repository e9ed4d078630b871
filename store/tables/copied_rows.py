"""Rows of one library's tables into another's, in batches by key, and sums by which both are compared.

All tables of the schema but `library`, whose one row is written last. Columns that the database computes are left out.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import Column, Select, Table, delete, func, insert, select, tuple_, update
from sqlalchemy.engine import Connection

import store.tables.concept_tables
import store.tables.mark_tables
import store.tables.tile_tables  # noqa: F401 - their tables are in METADATA then
from store.tables import full_text
from store.tables.dialect import is_postgres, last_id
from store.tables.fact_table import TEXT_NAMES
from store.tables.schema import LibraryRow
from store.tables.table_class import METADATA

BATCH: Final = 1_000
"""Rows that are written in one transaction."""
TEXTS: Final = "texts"
"""The full text. It is no table of SQLAlchemy's: SQLite and PostgreSQL keep it each in their own way."""
_Counted = Literal["contents", "photos", "vectors", "tiles"]
# The place of a library and not what it holds.
_OWN: Final = frozenset({"id", "thumbnails"})
_TEXT_COLUMNS: Final = f"rowid, {', '.join(TEXT_NAMES)}"
_MASK: Final = (1 << 64) - 1

Advance = Callable[[int], object]
"""Called with rows that were done."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What a table holds, whatever the order of its rows.

    Attributes:
        rows: how many.
        hashes: the sum of the first 64 bits of their BLAKE2b, modulo 2**64.
    """

    rows: int
    hashes: int


def names() -> list[str]:
    """The tables in the order in which they are written: those that others refer to first."""
    return [*(table.name for table in _tables()), TEXTS]


def _tables() -> list[Table]:
    return [table for table in METADATA.sorted_tables if table.name != LibraryRow.table.name]


def rows_in(connection: Connection, name: str) -> int:
    """How many rows a table has."""
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())


def is_blank(connection: Connection) -> bool:
    """Whether no table has a row: nothing was ever indexed or marked."""
    return all(connection.exec_driver_sql(f"SELECT 1 FROM {name} LIMIT 1").first() is None for name in names())


def copy_batch(source: Connection, target: Connection, name: str) -> int:
    """Copy the next rows of a table: those whose keys follow the highest in the target. Returns how many.

    Args:
        source: its transaction is one view of the library, for all batches.
        target: within a write transaction.
        name: one of `names`.
    """
    if name == TEXTS:
        last = target.exec_driver_sql("SELECT max(rowid) FROM texts").scalar()
        query = f"SELECT {_TEXT_COLUMNS} FROM texts WHERE rowid > ? ORDER BY rowid LIMIT {BATCH}"
        rows = [tuple(row) for row in source.exec_driver_sql(query, (last or 0,))]
        if rows:
            _put_texts(target, rows)
        return len(rows)
    table = METADATA.tables[name]
    key = _key(table)
    last_key = target.execute(select(*key).order_by(*(column.desc() for column in key)).limit(1)).first()
    columns = _columns(table)
    following = select(*columns).order_by(*key).limit(BATCH)
    if last_key is not None:
        following = _after(following, key, last_key)
    found = [dict(row._mapping) for row in source.execute(following)]
    if found:
        target.execute(insert(table), found)
    return len(found)


def clear(target: Connection, differing: Collection[str]) -> None:
    """Remove all rows of tables, and of those that refer to them; call within a write transaction."""
    gone = set(differing)
    for table in _tables():  # those that are referred to come first
        if any(foreign.column.table.name in gone for foreign in table.foreign_keys):
            gone.add(table.name)
    if "tiles" in gone:
        gone.add("tile_grids")  # a trigger counts in it when rows of tiles go
    if "contents" in gone or TEXTS in gone:
        target.exec_driver_sql("DELETE FROM texts")
    target.execute(update(LibraryRow.table).values(default_space_id=None))
    for table in reversed(_tables()):
        if table.name in gone:
            target.execute(delete(table))


def finish(source: Connection, target: Connection) -> None:
    """Take over the one row of the library, and which ids new rows get; call within a write transaction."""
    columns = [column for column in LibraryRow.table.columns if column.name not in _OWN]
    row = source.execute(select(*columns)).one()
    target.execute(update(LibraryRow.table).values(**row._mapping))
    for name in _counted():
        _set_last_id(target, name, last_id(source, name))
    for table in _tables():
        if table.name not in _counted() and [column.name for column in _key(table)] == ["id"]:
            highest = target.execute(select(func.max(table.c.id))).scalar()
            _set_last_id(target, table.name, highest or 0)


def of_library(connection: Connection) -> tuple[Any, ...]:
    """What `finish` takes over: the row of the library, and the last ids."""
    columns = [column for column in LibraryRow.table.columns if column.name not in _OWN]
    return *connection.execute(select(*columns)).one(), *(last_id(connection, name) for name in _counted())


def _put_texts(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    if is_postgres(connection):
        full_text.put(connection, rows)
        return
    marks = ", ".join("?" * (1 + len(TEXT_NAMES)))
    connection.exec_driver_sql(f"INSERT INTO texts ({_TEXT_COLUMNS}) VALUES ({marks})", list(rows))


def _set_last_id(connection: Connection, name: str, last: int) -> None:
    """Let the next row of a table get the id after `last`."""
    if is_postgres(connection):
        query = f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), ?, ?)"
        connection.exec_driver_sql(query, (max(last, 1), last > 0))
    elif name in _counted():
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))


def _counted() -> Sequence[_Counted]:
    return get_args(_Counted)


def sum_of(connection: Connection, name: str, advance: Advance = lambda rows: None) -> Sum:
    """Count and sum up a table."""
    count = total = 0
    for rows in _all_rows(connection, name):
        for row in rows:
            # Version 0 knows nothing of what objects are shared: equal rows have equal bytes.
            data = marshal.dumps(tuple(map(_comparable, row)), 0)
            total += int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
        count += len(rows)
        advance(len(rows))
    return Sum(count, total & _MASK)


def _comparable(value: Any) -> Any:
    # PostgreSQL keeps no NUL in a text: the replacement character stands for it.
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def _all_rows(connection: Connection, name: str) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield all rows of a table by key, `BATCH` at a time, without holding them all."""
    if name == TEXTS:
        last = 0
        query = f"SELECT {_TEXT_COLUMNS} FROM texts WHERE rowid > ? ORDER BY rowid LIMIT {BATCH}"
        while texts := connection.exec_driver_sql(query, (last,)).all():
            yield texts
            last = texts[-1][0]
        return
    table = METADATA.tables[name]
    key, columns = _key(table), _columns(table)
    places = [next(at for at, column in enumerate(columns) if column is wanted) for wanted in key]
    plain = select(*columns).order_by(*key).limit(BATCH)
    rows = connection.execute(plain).all()
    while rows:
        yield rows
        rows = connection.execute(_after(plain, key, [rows[-1][at] for at in places])).all()


def _after(query: Select[Any], key: Sequence[Column[Any]], last: Sequence[Any]) -> Select[Any]:
    if len(key) == 1:
        return query.where(key[0] > last[0])
    return query.where(tuple_(*key) > tuple_(*last))


def _key(table: Table) -> list[Column[Any]]:
    return list(table.primary_key.columns)


def _columns(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.computed is None]
