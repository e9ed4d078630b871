"""Rows of vectors as they are read: each is compared with its checksum."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.arrays import Halves, Ids, Mask, VectorIds
from store.tables.row_checksums import of_vector

log = logging.getLogger(__name__)

CHUNK: Final = 8_192
# float16 keeps 11 bits: a unit vector of a thousand numbers comes back with a length within a few 1e-4 of 1.
LENGTH_TOLERANCE: Final = 2e-3


@dataclass(frozen=True, slots=True)
class VectorRows:
    """Some rows of one space, by vector id.

    Attributes:
        ids, contents: vector ids and content ids, int64 (n,).
        hashes: of the contents; empty of a content that is not there.
        vectors: float16 (n, dim); zeros for those that are wrong.
        wrong: (n,), which are not what was written, or no unit vectors of this space.
        checksums: as they are kept; None of vectors written before they were.
    """

    ids: VectorIds
    contents: Ids
    hashes: tuple[bytes, ...]
    vectors: Halves
    wrong: Mask
    checksums: tuple[int | None, ...]

    @property
    def unchecked(self) -> Mask:
        """Which have no checksum, (n,)."""
        return np.fromiter((checksum is None for checksum in self.checksums), np.bool_, len(self.checksums))


# The unary plus keeps SQLite off the index on (space, content), whose order would make every read a seek.
_AFTER: Final = (
    "SELECT vectors.id, content_id, hash, vector, checksum FROM vectors LEFT JOIN contents ON contents.id = content_id "
    "WHERE +space_id = ? AND vectors.id > ? ORDER BY vectors.id"
)
_SOME: Final = (
    "SELECT vectors.id, content_id, hash, vector, checksum FROM vectors LEFT JOIN contents ON contents.id = content_id "
    "WHERE +space_id = ? AND vectors.id IN (SELECT value FROM json_each(?)) ORDER BY vectors.id"
)
_OF_CONTENTS: Final = (
    "SELECT vectors.id, content_id, hash, vector, checksum FROM vectors LEFT JOIN contents ON contents.id = content_id "
    "WHERE space_id = ? AND content_id IN (SELECT value FROM json_each(?)) ORDER BY vectors.id"
)


def read(engine: Engine, space_id: int, dim: int, last_id: int) -> Iterator[VectorRows]:
    """Yield a space's rows with an id above `last_id`, in chunks."""
    with engine.connect() as connection:
        result = connection.execution_options(stream_results=True).exec_driver_sql(_AFTER, (space_id, last_id))
        for rows in result.partitions(CHUNK):
            yield _checked(rows, space_id, dim)


def read_some(engine: Engine, space_id: int, dim: int, ids: Sequence[int]) -> VectorRows:
    """The rows of a space that have one of some vector ids; a few hundred at most."""
    with engine.connect() as connection:
        given = (space_id, json.dumps([int(id_) for id_ in ids]))
        return _checked(connection.exec_driver_sql(_SOME, given).all(), space_id, dim)


def read_contents(connection: Connection, space_id: int, dim: int, contents: Sequence[int]) -> VectorRows:
    """The rows of a space that belong to some contents; some thousand at most."""
    return _checked(connection.exec_driver_sql(_OF_CONTENTS, (space_id, json.dumps(contents))).all(), space_id, dim)


def stored(engine: Engine, vector_id: int) -> bytes:
    """A vector as it is stored, unchecked; empty where there is none."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT vector FROM vectors WHERE id = ?", (vector_id,)).scalar()
    return found if isinstance(found, bytes) else b""


def say_wrong(count: int) -> None:
    """Log that vectors of the database are not used."""
    log.warning(
        "%d vectors of the library are not what was written, and their pictures are not found by what they show; "
        "mend them: python -m indexer verify --repair",
        count,
    )


def _checked(rows: Sequence[Any], space_id: int, dim: int) -> VectorRows:
    size, nothing = 2 * dim, bytes(2 * dim)
    wrong, checksums = np.zeros(len(rows), np.bool_), tuple(row[4] for row in rows)
    data = []
    for place, (_, _, content_hash, vector, checksum) in enumerate(rows):
        if (
            not isinstance(content_hash, bytes)
            or not isinstance(vector, bytes)
            or len(vector) != size
            or (checksum is not None and checksum != of_vector(space_id, content_hash, vector))
        ):
            wrong[place], vector = True, nothing
        data.append(vector)
    vectors: NDArray[np.float16] = np.frombuffer(b"".join(data), "<f2").reshape(-1, dim)
    # What has its checksum is what an encoder made.
    doubted = [place for place, each in enumerate(checksums) if each is None and not wrong[place]]
    if doubted:
        wrong[doubted] = ~are_unit(vectors[doubted])
        if wrong[doubted].any():
            vectors = np.where(wrong[:, None], np.float16(0), vectors)
    ids, contents = (np.fromiter((row[at] for row in rows), np.int64, len(rows)) for at in (0, 1))
    return VectorRows(ids, contents, tuple(row[2] or b"" for row in rows), vectors, wrong, checksums)


def are_unit(vectors: Halves) -> Mask:
    """Which of the vectors (n, dim) have length 1, as far as float16 can tell."""
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    return np.asarray(np.abs(lengths - 1) <= LENGTH_TOLERANCE)
