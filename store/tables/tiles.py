"""Tiles of pictures in the tables: written with contents, read as vectors, removed with a grid."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.arrays import Floats, Halves, Ids, Mask, VectorIds
from store.tables import filter_sql
from store.tables.catalog import Catalog, raise_generation
from store.tables.records import SpaceState
from store.tables.row_checksums import of_tiles
from store.tables.vector_rows import VectorRows

MOST_TILES: Final = 255
"""Tiles of one picture."""
# The id of a tile's vector, and the number that stands for a tile where others have a content id, hold its place among
# the tiles of its picture in their last bits.
_SHIFT: Final = 8
_CHUNK: Final = 512  # rows that are read at a time: some 8 MB

Box = tuple[float, float, float, float]
"""Left, top, width and height, as shares of the upright picture."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """The tiles of one picture in one space.

    Attributes:
        boxes: left, top, width and height, shares of the upright picture, float32 (n, 4); n at most `MOST_TILES`.
        vectors: of each, unit, any float type, (n, dim).
    """

    boxes: Floats
    vectors: NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class TileCounts:
    """The tiles of a space: its grid, how many pictures have tiles, how many these are, and their bytes."""

    grid: int
    pictures: int
    tiles: int
    bytes: int


# -- grids ---------------------------------------------------------------------------------------------------------


def grids(engine: Engine) -> dict[int, int]:
    """The grid of each space that has one: how many tiles lie along the shorter side of its pictures."""
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.exec_driver_sql(_GRIDS)}


def set_grid(engine: Engine, space_id: int, grid: int) -> bool:
    """Cut the pictures of a space by a grid from now on; 0: no more. Whether that changes anything.

    Tiles of another grid are removed. Call under the library's lock.
    """
    with engine.execution_options(write=True).begin() as connection:
        row = connection.exec_driver_sql("SELECT grid FROM tile_grids WHERE space_id = ?", (space_id,)).first()
        if (row[0] if row else 0) == grid:
            return False
        connection.exec_driver_sql(_PUT_GRID, (space_id, grid))
        connection.exec_driver_sql("DELETE FROM tiles WHERE space_id = ?", (space_id,))
        raise_generation(connection)
    return True


def counts(engine: Engine) -> dict[int, TileCounts]:
    """What each space with a grid has."""
    with engine.connect() as connection:
        return {row[0]: TileCounts(row[1], row[2], row[3], row[3] * 2 * row[4]) for row in
                connection.exec_driver_sql(_COUNTS)}  # fmt: skip


# -- writing -------------------------------------------------------------------------------------------------------


def put(connection: Connection, found: Iterable[tuple[int, int, bytes, Tiles]]) -> None:
    """Write tiles, each after its space, its content and the hash of that; those that are there stay."""
    rows = []
    for space_id, content_id, content_hash, tiles in found:
        boxes, vectors = tiles.boxes.astype("<f4").tobytes(), tiles.vectors.astype("<f2").tobytes()
        checksum = of_tiles(space_id, content_hash, boxes, vectors)
        rows.append((space_id, content_id, len(tiles.boxes), boxes, vectors, checksum))
    if rows:
        connection.exec_driver_sql(_ADD, rows)


def drop(connection: Connection, content_ids: Sequence[int]) -> None:
    """Remove the tiles of contents in every space."""
    connection.exec_driver_sql(
        "DELETE FROM tiles WHERE content_id IN (SELECT value FROM json_each(?))", (json.dumps(list(content_ids)),)
    )


def remove(engine: Engine, ids: Sequence[int]) -> None:
    """Remove tiles by the ids of their rows: the next run of the indexer makes them again."""
    with engine.execution_options(write=True).begin() as connection:
        query = "DELETE FROM tiles WHERE id IN (SELECT value FROM json_each(?))"
        connection.exec_driver_sql(query, (json.dumps(list(ids)),))
        raise_generation(connection)


# -- reading -------------------------------------------------------------------------------------------------------


def boxes_of(engine: Engine, space_id: int, content_ids: Ids) -> Mapping[int, Floats]:
    """The boxes of the tiles of contents, float32 (n, 4) each.

    Contents without tiles, and those whose boxes are damaged, are left out.
    """
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(_BOXES, (space_id, json.dumps(content_ids.tolist()))).all()
    found = {id_: np.frombuffer(boxes, "<f4").reshape(-1, 4) for id_, boxes in rows if _are_boxes(boxes)}
    return {id_: boxes for id_, boxes in found.items() if ((boxes >= 0) & (boxes <= 1)).all()}


def _are_boxes(written: object) -> bool:
    return isinstance(written, bytes) and len(written) % 16 == 0


def tiled_among(engine: Engine, content_id: int, space_ids: Sequence[int]) -> frozenset[int]:
    """In which of some spaces a content has its tiles."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT space_id FROM tiles WHERE content_id = ?", (content_id,)).scalars()
        return frozenset(found).intersection(space_ids)


def contents_of(ids: Ids) -> Ids:
    """The content ids of tiles, from the numbers that stand for them."""
    return ids >> _SHIFT


def places_of(ids: Ids) -> Ids:
    """The places of tiles among those of their pictures, from the numbers that stand for them."""
    return ids & (MOST_TILES)


def numbers_of(contents: Ids, counts: Ids) -> Ids:
    """The numbers of all tiles of contents that have so many each, in order."""
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray((np.repeat(contents, counts) << _SHIFT) + np.arange(len(starts)) - starts, np.int64)


@dataclass(frozen=True, slots=True)
class TileRows:
    """Some rows of tiles of one space, by id.

    Attributes:
        ids, contents: of the rows, int64 (n,).
        counts: how many tiles each has, int64 (n,); 0 where that is no number of tiles.
        vectors: of all their tiles, float16 (sum of counts, dim); zeros for those that are wrong.
        wrong: (n,), which are not what was written.
    """

    ids: Ids
    contents: Ids
    counts: Ids
    vectors: Halves
    wrong: Mask


def read(engine: Engine, space_id: int, dim: int, last_row: int = 0) -> Iterator[TileRows]:
    """Yield a space's rows with an id above `last_row`, in chunks."""
    with engine.connect() as connection:
        result = connection.execution_options(stream_results=True).exec_driver_sql(_AFTER, (space_id, last_row))
        for rows in result.partitions(_CHUNK):
            yield _checked(rows, space_id, dim)


def _checked(rows: Sequence[Any], space_id: int, dim: int) -> TileRows:
    wrong, data = np.zeros(len(rows), np.bool_), []
    counts = np.fromiter((row[3] for row in rows), np.int64, len(rows))
    for place, (_, _, content_hash, count, boxes, vectors, checksum) in enumerate(rows):
        if (
            not isinstance(content_hash, bytes)
            or not isinstance(boxes, bytes)
            or not isinstance(vectors, bytes)
            or (len(boxes), len(vectors)) != (16 * count, 2 * dim * count)
            or checksum != of_tiles(space_id, content_hash, boxes, vectors)
        ):
            wrong[place] = True
            vectors = bytes(2 * dim * count)
        data.append(vectors)
    ids, contents = (np.fromiter((row[at] for row in rows), np.int64, len(rows)) for at in (0, 1))
    return TileRows(ids, contents, counts, np.frombuffer(b"".join(data), "<f2").reshape(-1, dim), wrong)


class TileCatalog:
    """The tiles of a library as vectors of their own, for `LocalEngines`: a `VectorSource`.

    The id of a vector is that of its row, and the content id that of its content, each followed by the place of the
    tile in its picture.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._engine = catalog.engine

    def generation(self) -> int:
        """That of the library."""
        return self._catalog.generation()

    def space_state(self, space_id: int) -> SpaceState:
        """A space, its epoch, last id and count those of its tiles.

        Raises:
            KeyError: the library has no such space.
        """
        with self._engine.connect() as connection:
            row = connection.exec_driver_sql(_STATE, {"space": space_id}).first()
        if row is None:
            raise KeyError(space_id)
        key, name, model, weights, preprocess, dim, has_text, epoch, last, last_count, count = row
        last_id = (last << _SHIFT) + last_count - 1 if last else 0
        return SpaceState(
            space_id, f"tiles of {key}", name, model, weights, preprocess, dim, bool(has_text), epoch, last_id, count
        )

    def vector_ids(self, space_id: int) -> VectorIds:
        """Ids of all tiles of a space, sorted, int64 (n,)."""
        with self._engine.connect() as connection:
            query = f"SELECT id, {_COUNT} AS tiles FROM tiles WHERE space_id = ? ORDER BY id"
            ids, counts = filter_sql.columns(connection, query, (space_id,), ("id", "tiles"))
        return numbers_of(ids, counts)

    def vectors_after(self, space_id: int, dim: int, last_id: int) -> Iterator[tuple[VectorIds, Ids, Halves]]:
        """Yield a space's tiles with an id above `last_id`, by id, in chunks; see `Catalog.vectors_after`."""
        for rows in read(self._engine, space_id, dim, last_id >> _SHIFT):
            yield numbers_of(rows.ids, rows.counts), numbers_of(rows.contents, rows.counts), rows.vectors

    def rows(self, space_id: int, dim: int) -> Iterator[VectorRows]:
        """Yield all tiles of a space, in chunks."""
        for rows in read(self._engine, space_id, dim):
            yield _as_vectors(rows)

    def some_rows(self, space_id: int, dim: int, ids: Sequence[int]) -> VectorRows:
        """Those of its tiles that have one of some vector ids."""
        wanted = np.asarray(ids, np.int64)
        with self._engine.connect() as connection:
            given = (space_id, json.dumps(np.unique(wanted >> _SHIFT).tolist()))
            found = _as_vectors(_checked(connection.exec_driver_sql(_SOME, given).all(), space_id, dim))
        kept = np.isin(found.ids, wanted)
        return VectorRows(
            found.ids[kept], found.contents[kept], (b"",) * int(kept.sum()), found.vectors[kept], found.wrong[kept],
            (None,) * int(kept.sum()),
        )  # fmt: skip


def _as_vectors(rows: TileRows) -> VectorRows:
    ids, contents = numbers_of(rows.ids, rows.counts), numbers_of(rows.contents, rows.counts)
    # The whole row has a checksum, and its tiles none.
    return VectorRows(
        ids, contents, (b"",) * len(ids), rows.vectors, np.repeat(rows.wrong, rows.counts), (None,) * len(ids)
    )


_GRIDS: Final = "SELECT space_id, grid FROM tile_grids WHERE grid > 0 ORDER BY space_id"
_PUT_GRID: Final = (
    "INSERT INTO tile_grids (space_id, grid, epoch) VALUES (?, ?, 0) "
    "ON CONFLICT (space_id) DO UPDATE SET grid = excluded.grid, epoch = tile_grids.epoch + 1"
)
_COUNTS: Final = (
    "SELECT space_id, grid, (SELECT count(*) FROM tiles WHERE tiles.space_id = tile_grids.space_id), "
    "(SELECT coalesce(sum(tiles), 0) FROM tiles WHERE tiles.space_id = tile_grids.space_id), dim "
    "FROM tile_grids JOIN spaces ON spaces.id = space_id WHERE grid > 0 ORDER BY space_id"
)
_ADD: Final = (
    "INSERT INTO tiles (space_id, content_id, tiles, boxes, vectors, checksum) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_BOXES: Final = (
    "SELECT content_id, boxes FROM tiles WHERE space_id = ? AND content_id IN (SELECT value FROM json_each(?))"
)
# A damaged number, which no picture has, would take the memory of a million tiles, or the places of other pictures.
_COUNT: Final = f"CASE WHEN typeof(tiles) = 'integer' AND tiles BETWEEN 0 AND {MOST_TILES} THEN tiles ELSE 0 END"
_ROWS: Final = (
    f"SELECT tiles.id, content_id, hash, {_COUNT}, boxes, vectors, checksum "
    "FROM tiles LEFT JOIN contents ON contents.id = content_id WHERE +space_id = ? AND "
)
_AFTER: Final = f"{_ROWS} tiles.id > ? ORDER BY tiles.id"
_SOME: Final = f"{_ROWS} tiles.id IN (SELECT value FROM json_each(?)) ORDER BY tiles.id"
# Epochs and counts only: no row of tiles is read but the last.
_STATE: Final = f"""SELECT key, name, model, weights, preprocess, dim, has_text,
    coalesce((SELECT epoch FROM tile_grids WHERE space_id = :space), 0), coalesce(last, 0),
    coalesce((SELECT {_COUNT} FROM tiles WHERE id = last), 0),
    (SELECT coalesce(sum({_COUNT}), 0) FROM tiles WHERE space_id = :space)
    FROM spaces LEFT JOIN (SELECT max(id) AS last FROM tiles WHERE space_id = :space AND {_COUNT} > 0) AS newest
    WHERE id = :space"""
