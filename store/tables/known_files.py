"""What is known of files, as the indexer asks while it walks and reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, func, select
from sqlalchemy.engine import Connection

from store.tables.fact_table import FACTS_VERSION
from store.tables.records import KnownFailure
from store.tables.schema import Failure, Photo

# Well under SQLite's limit on bound values in one statement.
CHUNK: Final = 500


class IndexedFile(NamedTuple):
    """A photo that is not missing: its hash, and what its file looked like when it was read."""

    path: bytes
    hash: bytes
    size: int
    mtime_ns: int
    ctime_ns: int | None


class KnownFiles:
    """Reads of one library's tables by path and by hash. Each call is a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def known_between(
        self, root_id: int, first: bytes, last: bytes, space_ids: Sequence[int], most: int, *, older: bool
    ) -> list[tuple[Any, ...]]:
        """What photos of a root looked like, from one path to another, both included, in byte order.

        The fields are those of `indexer.walk.WalkedFile`. Without photos that are missing; without a time where a photo
        is not encoded in all of the spaces, with tiles where they have them, or with `older` where its facts are. At
        most one more than `most` of them.
        """
        with self.engine.connect() as connection:
            tiled = _tiled(connection, space_ids)
            given = (*space_ids, *tiled, root_id, first, last, most + 1)
            cursor: Any = connection.exec_driver_sql(_between(len(space_ids), len(tiled), older), given).cursor
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def known_rows(
        self, root_id: int, paths: Sequence[bytes], space_ids: Sequence[int], *, older: bool = False
    ) -> list[tuple[Any, ...]]:
        """Return photos of a root by path, for at most `CHUNK` paths: fields of `KnownPhoto`.

        They are bare tuples, as a walk asks for all.

        Only with `older` is it asked whether their facts are older.
        """
        with self.engine.connect() as connection:
            tiled = _tiled(connection, space_ids)
            query = f"{_known(len(space_ids), len(tiled), older)} ({', '.join('?' * len(paths))})"
            cursor: Any = connection.exec_driver_sql(query, (*space_ids, *tiled, root_id, *paths)).cursor
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def has_older_facts(self) -> bool:
        """Whether the facts of any picture that is there were read by an older version than `FACTS_VERSION`."""
        query = "SELECT 1 FROM contents WHERE facts_version < ? AND photo_count > 0 LIMIT 1"
        with self.engine.connect() as connection:
            return connection.exec_driver_sql(query, (FACTS_VERSION,)).first() is not None

    def shape_of(self, content_id: int) -> tuple[int, int, int] | None:
        """Width, height and orientation of a content, if the library has it."""
        query = "SELECT width, height, orientation FROM contents WHERE id = ?"
        with self.engine.connect() as connection:
            row = connection.exec_driver_sql(query, (content_id,)).first()
        return None if row is None else (row[0], row[1], row[2])

    def known_failures(self, root_id: int) -> dict[bytes, KnownFailure]:
        """Failures of a root by path."""
        columns = (Failure.path, Failure.id, Failure.stage, Failure.size, Failure.mtime_ns, Failure.ctime_ns)
        query = select(*columns).where(Failure.root_id == root_id)
        with self.engine.connect() as connection:
            return {row[0]: KnownFailure(*row[1:]) for row in connection.execute(query)}

    def count_present(self, root_id: int, prefix: bytes = b"") -> int:
        """How many photos of a root, below a folder in it, are not missing."""
        query = (
            select(func.count()).select_from(Photo.table).where(Photo.root_id == root_id, Photo.missing_since.is_(None))
        )
        if prefix:
            query = query.where(func.substr(Photo.path, 1, len(prefix)) == prefix)
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def count_known(self, root_id: int, last_photo_id: int, prefix: bytes = b"") -> int:
        """How many photos of a root, below a folder in it, have ids up to this one.

        Those that are missing count, too.
        """
        query = "SELECT count(*) FROM photos WHERE root_id = ? AND id <= ? AND substr(path, 1, ?) = ?"
        values = (root_id, last_photo_id, len(prefix), prefix)
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql(query, values).scalar_one())

    def lost_photos(self, photo_ids: Sequence[int]) -> dict[int, str]:
        """Of photos that are gone, those whose bytes lie nowhere else in their root.

        Each with the time since when it is missing.

        The time is empty where it is not noted as missing yet.
        """
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql(_LOST, (json.dumps(list(photo_ids)),) * 2)
            return {row[0]: row[1] for row in rows}

    def places_of(self, photo_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """The inode and size of photos by their ids, where the inode is known."""
        query = "SELECT id, inode, size FROM photos WHERE id IN (SELECT value FROM json_each(?)) AND inode IS NOT NULL"
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql(query, (json.dumps(list(photo_ids)),))
            return {row[0]: (row[1], row[2]) for row in rows}

    def missing_times(self, root_id: int) -> list[str]:
        """Since when photos of a root are missing, each time once."""
        query = "SELECT DISTINCT missing_since FROM photos WHERE root_id = ? AND missing_since IS NOT NULL"
        with self.engine.connect() as connection:
            return list(connection.exec_driver_sql(query, (root_id,)).scalars())

    def sample(self, root_id: int, most: int) -> list[IndexedFile]:
        """Some photos of a root that are not missing, chosen by a hash of their ids, so ever the same."""
        with self.engine.connect() as connection:
            return [IndexedFile(*row) for row in connection.exec_driver_sql(_SAMPLE, (root_id, most))]

    def missing_photos(self, root_id: int) -> list[tuple[int, bytes]]:
        """Id and path of each photo of a root that is missing."""
        query = select(Photo.id, Photo.path).where(Photo.root_id == root_id, Photo.missing_since.is_not(None))
        with self.engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def photo_ids(self, root_id: int) -> list[int]:
        """Ids of all photos of a root, those that are missing too."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(Photo.id).where(Photo.root_id == root_id)).scalars())

    def last_photo_id(self) -> int:
        """The highest id a photo ever had; 0 in an empty library."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.coalesce(func.max(Photo.id), 0))).scalar_one())

    def present_photos(self, root_id: int) -> Iterator[tuple[int, bytes]]:
        """Id and path of each photo of a root that is not missing."""
        query = "SELECT id, path FROM photos WHERE root_id = ? AND missing_since IS NULL"
        with self.engine.connect() as connection:
            cursor: Any = connection.exec_driver_sql(query, (root_id,)).cursor
            yield from cursor

    def indexed_files(self, root_id: int) -> Iterator[IndexedFile]:
        """The photos of a root that are not missing, by path; no transaction stays open meanwhile."""
        last = b""
        while True:
            with self.engine.connect() as connection:
                rows = connection.exec_driver_sql(_INDEXED, (root_id, last, CHUNK)).all()
            if not rows:
                return
            yield from (IndexedFile(*row) for row in rows)
            last = rows[-1][0]

    def content_by_hash(
        self, content_hash: bytes, space_ids: Sequence[int] = ()
    ) -> tuple[int, frozenset[int]] | None:  # fmt: skip
        """The id of a content, and in which of the spaces it has a vector; None where the content is unknown."""
        with self.engine.connect() as connection:
            row = connection.exec_driver_sql(_by_hash(len(space_ids)), (*space_ids, content_hash)).first()
        if row is None:
            return None
        return row[0], frozenset(id_ for id_, held in zip(space_ids, row[1:], strict=True) if held)


# Asked for every file that a walk comes by: the driver's own rows, which SQLAlchemy's take four times as long as. By
# the number of spaces, and by whether older facts are asked for, which takes one more look-up for each.
_HAS_VECTOR: Final = "EXISTS (SELECT 1 FROM vectors WHERE space_id = ? AND vectors.content_id = {0})"
_IS_OLDER: Final = f"(SELECT facts_version < {FACTS_VERSION} FROM contents WHERE contents.id = photos.content_id)"


_HAS_TILES: Final = "EXISTS (SELECT 1 FROM tiles WHERE space_id = ? AND tiles.content_id = {0})"


def _tiled(connection: Connection, space_ids: Sequence[int]) -> list[int]:
    """Which of the spaces have tiles."""
    found = connection.exec_driver_sql("SELECT space_id FROM tile_grids WHERE grid > 0").scalars()
    return [id_ for id_ in found if id_ in space_ids]


def _is_encoded(spaces: int, tiled: int) -> str:
    return " AND ".join(
        [*[_HAS_VECTOR.format("photos.content_id")] * spaces, *[_HAS_TILES.format("photos.content_id")] * tiled]
    )


@cache
def _known(spaces: int, tiled: int, older: bool) -> str:
    return f"""SELECT path, id, content_id, size, mtime_ns, missing_since IS NOT NULL, {_is_encoded(spaces, tiled)},
    {_IS_OLDER if older else 0}, inode, ctime_ns, sidecars
    FROM photos WHERE root_id = ? AND path IN"""


@cache
def _between(spaces: int, tiled: int, older: bool) -> str:
    condition = f" AND NOT {_IS_OLDER}" if older else ""
    return f"""SELECT path, size, CASE WHEN {_is_encoded(spaces, tiled)}{condition} THEN mtime_ns END, inode, ctime_ns,
    sidecars FROM photos WHERE root_id = ? AND path BETWEEN ? AND ? AND missing_since IS NULL ORDER BY path LIMIT ?"""


_INDEXED: Final = """SELECT path, hash, photos.size, mtime_ns, ctime_ns
    FROM photos JOIN contents ON contents.id = content_id
    WHERE root_id = ? AND path > ? AND missing_since IS NULL ORDER BY path LIMIT ?"""


@cache
def _by_hash(spaces: int) -> str:
    return f"SELECT {', '.join(['id', *[_HAS_VECTOR.format('contents.id')] * spaces])} FROM contents WHERE hash = ?"


# `+` and `||`: by content, whatever SQLite thinks of the indexes on roots and on what is missing.
_LOST: Final = """SELECT id, coalesce(missing_since, '') FROM photos AS gone
    WHERE id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
        SELECT 1 FROM photos WHERE content_id = gone.content_id AND +root_id = gone.root_id
        AND missing_since || '' IS NULL AND id NOT IN (SELECT value FROM json_each(?)))"""
# Knuth's multiplicative hash, of 32 bits.
_SAMPLE: Final = """SELECT path, hash, photos.size, mtime_ns, ctime_ns FROM photos
    JOIN contents ON contents.id = content_id WHERE photos.id IN (
        SELECT id FROM photos WHERE root_id = ? AND missing_since IS NULL
        ORDER BY (id * 2654435761) % 4294967296 LIMIT ?)"""
