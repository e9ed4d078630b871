"""Lists for pages: places of a picture, copies, failures, pictures with a position."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.engine import Connection

from store.arrays import Doubles, Ids, Mask
from store.tables.dialect import unindexed
from store.tables.fact_table import LARGEST
from store.tables.filter_sql import FEW, column, mask, room
from store.tables.places_order import place
from store.tables.records import FailureRow, PlacedPhoto
from store.tables.schema import Failure, Root

_MINE: Final = "IN (SELECT value FROM json_each(?))"


def photos_of(connection: Connection, ids: Ids) -> list[PlacedPhoto]:
    """Every present photo of these contents, by content id, then by path: the one that is shown first."""
    # The index on contents alone is what helps, whatever SQLite thinks of the one on what is missing.
    present = f"{unindexed(connection, 'missing_since')} IS NULL"
    query = (
        "SELECT photos.id, content_id, roots.path, photos.path, photos.display, size, mtime_ns, photos.device, inode "
        f"FROM photos JOIN roots ON roots.id = root_id WHERE content_id {_MINE} AND {present} "
        f"ORDER BY content_id, {place(connection)}"
    )
    return [PlacedPhoto(*row) for row in connection.exec_driver_sql(query, (json.dumps(ids.tolist()),))]


def has_extension(connection: Connection, names: Collection[str]) -> bool:
    """Whether a present photo has one of these extensions: folded, without the dot."""
    having = "ext IN (SELECT atom FROM json_each(?)) AND missing_since IS NULL"
    query = f"SELECT EXISTS (SELECT 1 FROM photos WHERE {having})"
    return bool(connection.exec_driver_sql(query, (json.dumps(sorted(names)),)).scalar_one())


def copies(connection: Connection, limit: int | None, offset: int) -> list[tuple[int, int]]:
    """Contents that several present photos hold, and how many; the most first, then by id."""
    query = "SELECT id, photo_count FROM contents WHERE photo_count > 1 ORDER BY photo_count DESC, id LIMIT ? OFFSET ?"
    return [(row[0], row[1]) for row in connection.exec_driver_sql(query, (_at_most(limit), offset))]


def copy_count(connection: Connection) -> int:
    """How many contents several present photos hold."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM contents WHERE photo_count > 1").scalar_one())


def failures(connection: Connection, limit: int | None, offset: int) -> list[FailureRow]:
    """Files that could not be indexed, by root and path."""
    query = (
        select(
            Root.path, Failure.path, Failure.display, Failure.stage, Failure.reason, Failure.size, Failure.mtime_ns,
            Failure.failed_at,
        )
        .join(Root.table, Root.id == Failure.root_id)
        .order_by(Failure.root_id, Failure.path)
        .limit(_at_most(limit))
        .offset(offset)
    )  # fmt: skip
    return [FailureRow(*row) for row in connection.execute(query)]


def located(connection: Connection, only: Ids | None) -> tuple[Ids, Doubles, Doubles]:
    """Return present contents with a position, of these or of all, by id.

    Sorted ids, latitudes and longitudes, each (n,).
    """
    where, values = "latitude IS NOT NULL", tuple[Any, ...]()
    if only is not None and len(only) <= FEW:
        # By their ids, not by an index on all that have a position.
        where = f"id {_MINE} AND {unindexed(connection, 'latitude')} IS NOT NULL"
        values = (json.dumps(only.tolist()),)
    absent = column(connection, "SELECT id FROM contents WHERE photo_count = 0")
    keep: Mask = ~mask(absent, room(connection, "contents"))
    if only is not None:
        keep &= mask(only, len(keep))
    # Past SQLAlchemy, whose rows take four times as long: of a million pictures there may be as many.
    query = f"SELECT id, latitude, longitude FROM contents WHERE {where}"
    cursor: Any = connection.exec_driver_sql(query, values).cursor
    found = np.array(cursor.fetchall(), np.float64).reshape(-1, 3)
    ids = found[:, 0].astype(np.int64)
    order = np.argsort(ids)
    order = order[keep[ids[order]]]
    return ids[order], found[order, 1], found[order, 2]


def _at_most(limit: int | None) -> int:
    return LARGEST if limit is None else limit
