"""Sets: pictures that were chosen on a page, under a name that a query can say.

A name comes from the ids themselves, so it never means anything else: the same choice has the same name, and a set that
was forgotten comes back by choosing again.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Ids
from store.tables.marks_json import MarksError
from store.tables.records import now

KEPT: Final = 200
"""So many sets are kept: the newest."""

BYTES: Final = 64_000_000
"""And as many of them as take no more room than this, but for the last one; a picture takes 8 bytes."""

# 48 bits: among 200 sets two of one name are a matter of once in ten thousand million such libraries.
_DIGITS: Final = 12


def keep(connection: Connection, ids: Ids) -> tuple[str, int]:
    """Keep a set as the newest.

    Args:
        connection: to the library's database, in a transaction that may write.
        ids: int64 (n,), n at least 1, in any order.

    Returns:
        Its name, and how many other sets were forgotten for it.
    """
    data = np.unique(ids).astype("<i8").tobytes()
    name = hashlib.sha256(data).hexdigest()[:_DIGITS]
    # A row that is replaced gets a new id, above all others.
    connection.exec_driver_sql("INSERT OR REPLACE INTO sets (name, ids, made_at) VALUES (?, ?, ?)", (name, data, now()))
    newest = """SELECT id FROM (
        SELECT id, row_number() OVER newer AS place, sum(length(ids)) OVER newer AS bytes FROM sets
        WINDOW newer AS (ORDER BY id DESC)
      ) WHERE place = 1 OR (place <= ? AND bytes <= ?)"""
    forgotten = connection.exec_driver_sql(f"DELETE FROM sets WHERE id NOT IN ({newest})", (KEPT, BYTES))
    return name, forgotten.rowcount


def find(connection: Connection, name: str) -> Ids | None:
    """The ids of a set, sorted, int64 (n,); None where there is none of this name, any more or ever."""
    data = connection.exec_driver_sql("SELECT ids FROM sets WHERE name = ?", (name,)).scalar_one_or_none()
    return None if data is None else np.frombuffer(data, "<i8").astype(np.int64)


def get(connection: Connection, name: str) -> Ids:
    """The ids of a set, sorted, int64 (n,).

    Raises:
        MarksError: there is no set of this name.
    """
    found = find(connection, name)
    if found is None:
        raise MarksError(
            f"There is no selection {name!r} any more: the newest {KEPT} are kept. Select the pictures again."
        )
    return found
