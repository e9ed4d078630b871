"""Pictures per second into the database: `Writer.commit`, beside sqlite3 and SQLAlchemy's ORM.

    python benchmarks/writing.py [--rows 20000] [--batch 256] [--rounds 5]

All write the same rows into the same tables with the same indexes and pragmas (WAL, synchronous NORMAL), a transaction
for each batch: facts, a path and a vector of 512 numbers for each picture. The door, `Writer.commit`, also looks for
contents that are there already, keeps counts of photos by content, forgets failures, and raises the generation; the
others are handed finished rows. In every round each writes into a new library, to the end of the journal; times are
those of the processor, ratios are medians of the rounds' ratios.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
from catalog import COLUMNS, contents
from sqlalchemy.orm import Session, registry
from tables import table

from store.library import Library
from store.lock import locked
from store.place import Place
from store.remote import DATABASE
from store.tables.database import make_engine
from store.tables.schema import Content, Photo, Vector
from store.tables.table_class import TableClass
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

DIM = 512
TABLES: tuple[type[TableClass], ...] = (Content, Photo, Vector)
Rows = dict[type[TableClass], list[dict[str, Any]]]
Tuples = dict[type[TableClass], tuple[list[str], list[tuple[Any, ...]]]]


def batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """`rows` in pieces of `size`."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def pictures(count: int) -> list[Indexed]:
    """Made-up pictures, as the indexer hands them to the writer."""
    vectors = np.random.default_rng(0).standard_normal((count, DIM), dtype=np.float32)
    made = []
    for id_, hash_, size, *rest in contents(count):
        facts = dict(zip(COLUMNS[3:], rest, strict=False))
        file = File(1, f"2024/05/outing {id_ % 80}/IMG_{id_:07}.jpg".encode(), size, 1)
        made.append(Indexed(file, hash_, facts, {1: vectors[id_ - 1]}))
    return made


def new_library(folder: Path) -> Path:
    """The database of a library with a root and a space."""
    with locked(folder), Library.create(folder) as library:
        writer = Writer(library.catalog.engine)
        writer.add_root(b"/photos")
        writer.add_space(SpaceIdentity("made", "made", "made", "", "{}", DIM, False))
    return folder / DATABASE


def own_door(path: Path, items: Sequence[Indexed], batch: int) -> None:
    """`Writer.commit`."""
    engine = make_engine(path, Place(path), readonly=False)
    writer = Writer(engine)
    for some in batches(items, batch):
        writer.commit(some, [])
    engine.dispose()  # the last connection's end writes the journal into the database: all three pay for that


def plain(path: Path, rows: Tuples, batch: int) -> None:
    """sqlite3's executemany, a statement for each table."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        for some in zip(*(batches(rows[kind][1], batch) for kind in TABLES), strict=True):
            connection.execute("BEGIN IMMEDIATE")
            for kind, part in zip(TABLES, some, strict=True):
                names = rows[kind][0]
                connection.executemany(
                    f"INSERT INTO {kind.__tablename__} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                    part,
                )
            connection.execute("COMMIT")


@cache
def _mapped() -> dict[type[TableClass], type]:
    """A class of the ORM for each table."""
    mapper, made = registry(), {kind: type(kind.__name__, (), {}) for kind in TABLES}
    for kind, of in made.items():
        mapper.map_imperatively(of, kind.table)
    return made


def orm(path: Path, rows: Rows, batch: int) -> None:
    """SQLAlchemy's `Session.add_all`, of classes that are mapped to the tables."""
    engine = make_engine(path, Place(path), readonly=False).execution_options(write=True)
    mapped = _mapped()
    for some in zip(*(batches(rows[kind], batch) for kind in TABLES), strict=True):
        with Session(engine) as session:
            session.add_all(mapped[kind](**row) for kind, part in zip(TABLES, some, strict=True) for row in part)
            session.commit()
    engine.dispose()


def written(path: Path) -> Rows:
    """Every row of a library's pictures, by table, without what SQLite computes itself."""
    rows: Rows = {}
    with closing(sqlite3.connect(path)) as connection:
        for kind in TABLES:
            names = [column.name for column in kind.table.columns if column.computed is None]
            found = connection.execute(f"SELECT {', '.join(names)} FROM {kind.__tablename__} ORDER BY id")
            rows[kind] = [dict(zip(names, row, strict=True)) for row in found]
    return rows


@click.command()
@click.option("--rows", "count", default=20_000, show_default=True, type=click.IntRange(2), help="Pictures.")
@click.option("--batch", default=256, show_default=True, type=click.IntRange(1), help="Pictures in a transaction.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(count: int, batch: int, rounds: int) -> None:
    """Print a Markdown table."""
    items = pictures(count)
    with tempfile.TemporaryDirectory() as name:
        sample = new_library(Path(name))
        own_door(sample, items, batch)
        rows = written(sample)
    tuples = {kind: (list(rows[kind][0]), [tuple(row.values()) for row in rows[kind]]) for kind in TABLES}
    ways: dict[str, Callable[[Path], None]] = {
        "`Writer.commit`": lambda path: own_door(path, items, batch),
        "sqlite3, `executemany`": lambda path: plain(path, tuples, batch),
        "SQLAlchemy, `Session.add_all`": lambda path: orm(path, rows, batch),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                path = new_library(Path(folder))
                begun = time.process_time()
                way(path)
                took[name].append(time.process_time() - begun)
    own = took["`Writer.commit`"]
    print(f"{count:,} pictures, {batch} a transaction; medians of {rounds} rounds; SQLite {sqlite3.sqlite_version}.\n")
    print(table(
        ["way", "pictures/s", "`Writer.commit` to it"],
        [[name, f"{count / statistics.median(times):,.0f}",
          f"{statistics.median(a / b for a, b in zip(times, own, strict=True)):.2f}"] for name, times in took.items()],
    ))  # fmt: skip


if __name__ == "__main__":
    main()
