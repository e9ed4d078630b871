"""What a page lays out pictures by, in order of time: their shapes, and the days they were taken or added."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Doubles, Ids
from store.tables.fact_table import LARGEST
from store.tables.filter_sql import FEW, columns, room

UNKNOWN: Final = 0
"""The day of what has none."""

# "2023", "2023-07" or "2023-07-15T...": the digits of what is known.
_TAKEN: Final = (
    "coalesce(CAST(substr(taken_at, 1, 4) || substr(taken_at, 6, 2) || substr(taken_at, 9, 2) AS INTEGER), 0) AS day"
)


def shapes_and_days(connection: Connection, ids: Ids) -> tuple[Doubles, Ids]:
    """Widths by heights, and days taken, of contents, int64 (n,): float64 (n,) and int64 (n,).

    A day is a number such as 20230715; 20230700 where only the month is known, 20230000 where only the year is.
    """
    where: str = ""
    values: tuple[str, ...] = ()
    if len(ids) <= FEW:
        where, values = "WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids.tolist()),)
    query = f"SELECT id, width, height, {_TAKEN} FROM contents {where}"
    of, widths, heights, days = columns(connection, query, values, ("id", "width", "height", "day"))
    rows = np.zeros(max(room(connection, "contents"), int(ids.max(initial=0)) + 1), np.int64)
    rows[of] = np.arange(1, len(of) + 1)
    rows = rows[ids]  # 0: pruned since
    ratios = np.concatenate([[1.0], widths / np.maximum(heights, 1)])
    days = np.concatenate([[UNKNOWN], days])
    days = np.where(days < 10_000, days * 10_000, np.where(days < 1_000_000, days * 100, days))
    return ratios[rows], days[rows]


def days_added(connection: Connection, ids: Ids) -> Ids:
    """The days, as of `shapes_and_days`, on which contents were first indexed, int64 (n,), by the local clock.

    Those of runs of older versions, which did not note what they added, are unknown.
    """
    starts, days = zip(*_periods(connection), strict=True)
    return np.array(days, np.int64)[np.searchsorted(np.array(starts), ids, side="left") - 1]


def _periods(connection: Connection) -> Iterator[tuple[int, int]]:
    """Yield, in rising order, after which id contents were added on which day."""
    yield -1, UNKNOWN
    rows = connection.exec_driver_sql("SELECT started_at, summary FROM runs ORDER BY id").all()
    spans = [(json.loads(row.summary) if row.summary else {}).get("contents", (None, None)) for row in rows]
    before: int | None = 0
    for at, (first, end) in enumerate(spans):
        first = before if first is None else first
        if end is None:  # killed, or it still runs, or an older version's: up to where the next one began
            end = spans[at + 1][0] if at + 1 < len(spans) else LARGEST
        if first is not None and end is not None:
            yield first, _day(rows[at].started_at)
            yield end, UNKNOWN
        before = end


def _day(moment: str) -> int:
    day = datetime.fromisoformat(moment).astimezone()
    return day.year * 10_000 + day.month * 100 + day.day
