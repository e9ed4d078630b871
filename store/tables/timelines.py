"""What a page lays out pictures by in order of time: shapes, and days they were taken or added."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Doubles, Ids
from store.tables.dialect import joined, unindexed
from store.tables.fact_table import LARGEST
from store.tables.filter_sql import FEW, columns
from store.tables.patterns import Condition

UNKNOWN: Final = 0
"""The day of what has none."""

# Where the digits of a day are in "2023-07-15".
_DIGITS: Final = (0, 1, 2, 3, 5, 6, 8, 9)


def shapes(connection: Connection, ids: Ids) -> Doubles:
    """Widths by heights of contents, int64 (n,): float64 (n,); 1 for those that are not there any more."""
    sides = []
    for fact in ("width", "height"):
        of, values = columns(connection, *_known(connection, ids, fact, fact), ("id", "value"))
        sides.append(_in_order(of, values, ids, 1))
    return sides[0] / np.maximum(sides[1], 1)


def days_taken(connection: Connection, ids: Ids) -> Ids:
    """The days on which contents, int64 (n,), were taken, int64 (n,).

    A day is a number such as 20230715; 20230700 where only the month is known, 20230000 where only the year is.
    """
    query, values = _known(connection, ids, "taken_at", "substr(taken_at, 1, 10)")
    # By characters: SQLite takes half a second to make numbers of a hundred thousand.
    wanted = f"{joined(connection, 'id')}, {joined(connection, 'value')}"
    row = connection.exec_driver_sql(f"SELECT {wanted} FROM ({query}) AS known", values).one()
    if row[0] is None:
        return np.full(len(ids), UNKNOWN, np.int64)
    chars = np.array(row[1].split(","), "S10").view(np.uint8).reshape(-1, 10)[:, _DIGITS].astype(np.int64)
    days = np.maximum(chars - ord("0"), 0) @ 10 ** np.arange(7, -1, -1)
    return _in_order(np.fromstring(row[0], np.int64, sep=","), days, ids, UNKNOWN)


def _known(connection: Connection, ids: Ids, column: str, value: str) -> Condition:
    """Return a query for a `value` of each content, by its `id`; others may be among them.

    Of many, all are read from the index on the column, which is a tenth of the table.
    """
    query = f"SELECT id, {value} AS value FROM contents WHERE"
    if len(ids) > FEW:
        return f"{query} {column} IS NOT NULL", ()
    known = f"{unindexed(connection, column)} IS NOT NULL"
    return f"{query} {known} AND id IN (SELECT value FROM json_each(?))", (json.dumps(ids.tolist()),)


def _in_order(of: Ids, values: Ids, ids: Ids, missing: int) -> Ids:
    """Values of the contents `of`, in the order of `ids`, int64 (n,)."""
    by_id = np.full(max(int(of.max(initial=0)), int(ids.max(initial=0))) + 1, missing, np.int64)
    by_id[of] = values
    return by_id[ids]


def days_added(connection: Connection, ids: Ids) -> Ids:
    """The days, as of `days_taken`, on which contents were first indexed, int64 (n,), by the local clock.

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
