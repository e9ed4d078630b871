"""What pictures look like, a row for each: a perceptual hash and a small grey picture.

`sightline.images.look` makes them, the indexer keeps them with the facts. A content has none where an older version
indexed it and its thumbnail is gone. `library.looks_due` says up to which id older contents may still be given theirs,
so that a library that is up to date is not looked through for what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.arrays import Ids, Mask
from store.tables.catalog import raise_generation
from store.tables.row_checksums import of_look

SIDE: Final = 32  # px of the grey picture, across and down
_BYTES: Final = SIDE * SIDE
# Ids of one statement: 4 MB of rows.
_CHUNK: Final = 4_096


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture looks like.

    `hash`: 63 bits; of two versions few differ. `grey`: SIDE * SIDE levels of brightness, row by row, of the picture
    squashed to a square.
    """

    hash: int
    grey: bytes


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks of several contents, in the order they were asked for.

    `held`: (n,), whether there is one; the others are 0. `hashes`: uint64 (n,). `grey`: uint8 (n, SIDE, SIDE).
    """

    held: Mask
    hashes: NDArray[np.uint64]
    grey: NDArray[np.uint8]


def put(connection: Connection, looks: Sequence[tuple[int, bytes, Look]]) -> None:
    """Keep looks, with the ids and hashes of their contents, in place of those they had.

    In the current transaction.
    """
    if looks:
        rows = [(id_, look.hash, look.grey, of_look(hash_, look.hash, look.grey)) for id_, hash_, look in looks]
        connection.exec_driver_sql(_PUT, rows)


def read_looks(engine: Engine, ids: Ids) -> Looks:
    """The looks of contents, int64 (n,), in any order; a kilobyte for each."""
    each, places = np.unique(ids, return_inverse=True)
    held = np.zeros(len(each), np.bool_)
    hashes = np.zeros(len(each), np.int64)
    grey = np.zeros((len(each), _BYTES), np.uint8)
    with engine.connect() as connection:
        for start in range(0, len(each), _CHUNK):
            chunk = each[start : start + _CHUNK]
            cursor: Any = connection.exec_driver_sql(_READ, (json.dumps(chunk.tolist()),)).cursor
            rows: list[tuple[int, int, bytes]] = cursor.fetchall()
            at = start + np.searchsorted(chunk, np.fromiter((row[0] for row in rows), np.int64, len(rows)))
            held[at] = True
            hashes[at] = [row[1] for row in rows]
            grey[at] = np.frombuffer(b"".join(row[2] for row in rows), np.uint8).reshape(-1, _BYTES)
    if len(each) < len(ids) or not np.array_equal(each, ids):
        held, hashes, grey = held[places], hashes[places], grey[places]
    return Looks(held, hashes.view(np.uint64), grey.reshape(-1, SIDE, SIDE))


def has_look(engine: Engine, content_id: int) -> bool:
    """Whether a content has a look."""
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(f"SELECT {_HAS.format(id='?')}", (content_id,)).scalar_one())


def counts(engine: Engine) -> tuple[int, int]:
    """How many pictures there are that a present photo holds, and how many of them have a look."""
    with engine.connect() as connection:
        row = connection.exec_driver_sql(_COUNTS).one()
    return row[0], row[1] or 0


# -- those of older libraries -----------------------------------------------------------------------------------------


def count_due(engine: Engine) -> int:
    """How many older contents may still be given a look, at most; 0 at once where none is due."""
    with engine.connect() as connection:
        last = connection.exec_driver_sql("SELECT looks_due FROM library").scalar_one()
        return connection.exec_driver_sql(_COUNT_DUE, (last,)).scalar_one() if last else 0


def due(engine: Engine, most: int) -> list[tuple[int, bytes]]:
    """The ids and hashes of older contents that have no look yet, the newest first."""
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.exec_driver_sql(_DUE, (most,))]


def commit_due(engine: Engine, looks: Sequence[tuple[int, bytes, Look]], first: int) -> None:
    """Keep the looks of older contents, as in `put`, and that none is due from the id `first` on."""
    with engine.execution_options(write=True).begin() as connection:
        put(connection, looks)
        connection.exec_driver_sql("UPDATE library SET looks_due = max(0, min(looks_due, ? - 1))", (first,))
        if looks:
            raise_generation(connection)


# -- those that were lost ---------------------------------------------------------------------------------------------


def lacking(engine: Engine, after: int, most: int) -> list[tuple[int, bytes]]:
    """Ids and hashes of contents, above the id `after`, whose look is missing or damaged; none is due."""
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.exec_driver_sql(_LACKING, (after, most))]


def mend(engine: Engine, ids: Sequence[int], looks: Sequence[tuple[int, bytes, Look]]) -> None:
    """Put looks, as in `put`, in place of all that the contents `ids` have."""
    with engine.execution_options(write=True).begin() as connection:
        gone = "DELETE FROM looks WHERE content_id IN (SELECT value FROM json_each(?))"
        if connection.exec_driver_sql(gone, (json.dumps(list(ids)),)).rowcount or looks:
            put(connection, looks)
            raise_generation(connection)


_PUT: Final = (
    "INSERT INTO looks (content_id, hash, grey, checksum) VALUES (?, ?, ?, ?) ON CONFLICT (content_id) "
    "DO UPDATE SET hash = excluded.hash, grey = excluded.grey, checksum = excluded.checksum"
)
_IS_WHOLE: Final = f"length(grey) = {_BYTES}"
_READ: Final = (
    f"SELECT content_id, hash, grey FROM looks WHERE content_id IN (SELECT value FROM json_each(?)) AND {_IS_WHOLE}"
)
_HAS: Final = f"EXISTS (SELECT 1 FROM looks WHERE content_id = {{id}} AND {_IS_WHOLE})"
_COUNTS: Final = (
    f"SELECT count(*), sum(CASE WHEN {_HAS.format(id='contents.id')} THEN 1 ELSE 0 END) "
    "FROM contents WHERE photo_count > 0"
)
# The unary plus has SQLite count in an index, a hundredth of the table.
_COUNT_DUE: Final = "SELECT count(*) FROM contents WHERE +id <= ?"
_DUE: Final = (
    "SELECT id, hash FROM contents WHERE id <= (SELECT looks_due FROM library) "
    f"AND NOT {_HAS.format(id='contents.id')} ORDER BY id DESC LIMIT ?"
)
_LACKING: Final = (
    "SELECT id, hash FROM contents WHERE id > max(?, (SELECT looks_due FROM library)) "
    f"AND NOT {_HAS.format(id='contents.id')} ORDER BY id LIMIT ?"
)
