"""Sets: pictures that were chosen on a page, under a name that a query can say.

A name comes from the ids themselves, so it never means anything else: the same choice has the same name, and a set that
was forgotten comes back by choosing again. Where the file of a picture was edited, its new id takes the place of the
old one under the same name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
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
    # Anew, so that its id is above all others.
    connection.exec_driver_sql("DELETE FROM sets WHERE name = ?", (name,))
    connection.exec_driver_sql("INSERT INTO sets (name, ids, made_at) VALUES (?, ?, ?)", (name, data, now()))
    newest = """SELECT id FROM (
        SELECT id, row_number() OVER newer AS place, sum(length(ids)) OVER newer AS bytes FROM sets
        WINDOW newer AS (ORDER BY id DESC)
      ) AS newest WHERE place = 1 OR (place <= ? AND bytes <= ?)"""
    forgotten = connection.exec_driver_sql(f"DELETE FROM sets WHERE id NOT IN ({newest})", (KEPT, BYTES))
    return name, forgotten.rowcount


def restore(connection: Connection, name: str, ids: Sequence[int]) -> int:
    """Let the set of a name hold these ids, as it did before; returns how many it holds."""
    data = np.unique(np.array(ids, np.int64))
    connection.exec_driver_sql(
        "INSERT INTO sets (name, ids, made_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET ids = excluded.ids",
        (name, data.astype("<i8").tobytes(), now()),
    )
    return len(data)


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


def named_by_searches(connection: Connection) -> dict[str, Ids]:
    """The sets that a saved search asks for, by name: sorted ids, int64 (n,)."""
    query = (
        "SELECT name, ids FROM sets WHERE EXISTS "
        "(SELECT 1 FROM saved_searches WHERE instr(lower(query), sets.name) > 0) ORDER BY sets.id"
    )
    rows = connection.exec_driver_sql(query).all()
    return {name: np.frombuffer(data, "<i8").astype(np.int64) for name, data in rows}


def members(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Which of these contents are in any set."""
    wanted, found = np.array(ids, np.int64), set[int]()
    for (data,) in connection.exec_driver_sql("SELECT ids FROM sets"):
        found.update(wanted[np.isin(wanted, np.frombuffer(data, "<i8"))].tolist())
    return found


def add_beside(connection: Connection, pairs: Sequence[tuple[int, int]]) -> set[int]:
    """Put contents into every set that others are in, (other, content); returns those others."""
    found = set[int]()
    for set_id, ids in _with(connection, [old for old, _ in pairs]):
        in_it = set(np.intersect1d(ids, [old for old, _ in pairs]).tolist())
        put(connection, set_id, np.append(ids, [new for old, new in pairs if old in in_it]))
        found |= in_it
    return found


def remove(connection: Connection, content_ids: Collection[int]) -> None:
    """Take contents out of every set; one that has nothing left goes."""
    for set_id, ids in _with(connection, content_ids):
        put(connection, set_id, np.setdiff1d(ids, list(content_ids)))
    connection.exec_driver_sql("DELETE FROM sets WHERE length(ids) = 0")


def _with(connection: Connection, content_ids: Collection[int]) -> list[tuple[int, Ids]]:
    """The sets that any of these contents is in: their row and ids."""
    wanted = np.array(list(content_ids), np.int64)
    rows = connection.exec_driver_sql("SELECT id, ids FROM sets").all()
    sets = [(id_, np.frombuffer(data, "<i8").astype(np.int64)) for id_, data in rows]
    return [(id_, ids) for id_, ids in sets if np.isin(wanted, ids).any()]


def put(connection: Connection, set_id: int, ids: Ids) -> None:
    """Let a set hold these ids, int64 (n,), in any order."""
    data = np.unique(ids).astype("<i8").tobytes()
    connection.exec_driver_sql("UPDATE sets SET ids = ? WHERE id = ?", (data, set_id))
