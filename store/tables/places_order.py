"""The order of the places of a picture: of several photos that hold one content, the first is shown.

By the path of the root, then by the path in it, both as bytes: so it does not depend on what was indexed first.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Ids
from store.tables.dialect import is_postgres, joined

_PLACE: Final = "CAST(roots.path || char(0) || photos.path AS BLOB)"  # no path has a NUL in it
_PLACES: Final = "roots.path, photos.path"

_FEW: Final = 20_000
"""Up to so many photos are looked up one by one; for more, the index on roots and paths is read from end to end."""


def place(connection: Connection) -> str:
    """What photos, joined with their roots, are sorted by."""
    return _PLACES if is_postgres(connection) else _PLACE


def first(connection: Connection, key: str, columns: str, rest: str) -> str:
    """The query for columns of the photo that comes first by its place, of those with the same key.

    Args:
        connection: to the library's database.
        key: an expression.
        columns: expressions with commas between them, whatever else the photo and its joined rows have.
        rest: what follows, from FROM on, to the condition.
    """
    if is_postgres(connection):
        return f"SELECT DISTINCT ON ({key}) {columns} {rest} ORDER BY {key}, {_PLACES}"
    # SQLite's rule for bare columns beside min(): they come from the row that has the minimum.
    return f"SELECT {columns}, min({_PLACE}) {rest} GROUP BY {key}"


def in_order(connection: Connection, photos: Ids) -> Ids:
    """Photos, int64 (n,), each once, by their places; where they are many, others may be among them."""
    if len(photos) <= _FEW:
        query = (
            "SELECT photos.id AS id FROM photos JOIN roots ON roots.id = root_id "
            f"WHERE photos.id IN (SELECT value FROM json_each(?)) ORDER BY {place(connection)}"
        )
        return _column(connection, query, (json.dumps(photos.tolist()),))
    roots = [row[0] for row in connection.exec_driver_sql("SELECT id FROM roots ORDER BY path")]
    of_root = "SELECT id FROM photos WHERE root_id = ? ORDER BY path"
    return np.concatenate([_column(connection, of_root, (root,)) for root in roots])


def _column(connection: Connection, query: str, values: tuple[Any, ...]) -> Ids:
    # One text instead of a row for each: four times as fast.
    all_ids = f"SELECT {joined(connection, 'id')} FROM ({query}) AS found"
    text = connection.exec_driver_sql(all_ids, values).scalar_one()
    return np.fromstring(text, np.int64, sep=",") if text else np.empty(0, np.int64)
