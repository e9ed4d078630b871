"""Facts out: queries over the tables. Each reader sees the last committed generation."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, func, select, text
from sqlalchemy.engine import Connection, Row

from store import walk_options
from store.paths import paths_from_json
from store.tables import filter_sql, listings, space_rows, vector_rows
from store.tables.fact_table import GIVEN_NAMES, LIST_NAMES
from store.tables.filters import Filter
from store.tables.known_files import CHUNK, KnownFiles
from store.tables.places_order import first
from store.tables.records import (
    Counts,
    FailureRow,
    KnownFailure,
    KnownPhoto,
    PhotoRow,
    PlacedPhoto,
    RootState,
    SpaceState,
)
from store.tables.schema import Content, LibraryRow, Photo
from store.tables.space_identity import SpaceIdentity
from store.tables.vector_rows import VectorRows

__all__ = [
    "CHUNK", "Catalog", "Counts", "FailureRow", "KnownFailure", "KnownPhoto", "PhotoRow", "PlacedPhoto",
    "RootState", "SpaceState", "raise_generation",
]  # fmt: skip

if TYPE_CHECKING:
    from store.tables.facets import Facets


class Catalog(KnownFiles):
    """Reads of one library's tables. Each call is a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._absent: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    # -- roots, spaces, totals ----------------------------------------------------------------------------------

    def roots(self) -> list[RootState]:
        """Every root with its counts, in the order they were added."""
        with self.engine.connect() as connection:
            return [_root(row) for row in connection.exec_driver_sql(_ROOTS)]

    def spaces(self) -> list[SpaceState]:
        """Every space the library has vectors in, or once meant to, oldest first."""
        with self.engine.connect() as connection:
            return [_space(row) for row in connection.exec_driver_sql(_SPACES.format(only="") + " ORDER BY 1")]

    def space_state(self, space_id: int) -> SpaceState:
        """One space as of now.

        Raises:
            KeyError: the library has no such space.
        """
        with self.engine.connect() as connection:
            query = _SPACES.format(only="WHERE space_id = :space") + " WHERE spaces.id = :space"
            row = connection.exec_driver_sql(query, {"space": space_id}).first()
        if row is None:
            raise KeyError(space_id)
        return _space(row)

    def find_space(self, identity: SpaceIdentity) -> int | None:
        """The id of the space with this identity; None where the library has none."""
        with self.engine.connect() as connection:
            row = space_rows.find(connection, identity)
        return None if row is None else int(row.id)

    def default_space(self) -> SpaceState | None:
        """The space that searches use, see `space_choice.best_default`. None in an empty library."""
        space_id = self.default_space_id()
        return None if space_id is None else self.space_state(space_id)

    def default_space_id(self) -> int | None:
        """Its id, without a look at its vectors."""
        with self.engine.connect() as connection:
            found: int | None = connection.execute(select(LibraryRow.default_space_id)).scalar_one()
        return found

    def generation(self) -> int:
        """Raised with every change of what a search can return."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(LibraryRow.generation)).scalar_one())

    def state(self) -> tuple[int, int]:
        """The generation, and the one of what people decided: tags and favourites. Read together."""
        with self.engine.connect() as connection:
            row = connection.execute(select(LibraryRow.generation, LibraryRow.marks_generation)).one()
        return row[0], row[1]

    def counts(self, space_id: int | None = None) -> Counts:
        """Totals; with a space, `pictures` counts those that can be found in it."""
        found = ""
        values: tuple[int, ...] = ()
        if space_id is not None:
            found = "AND EXISTS (SELECT 1 FROM vectors WHERE space_id = ? AND content_id = contents.id)"
            values = (space_id,)
        query = f"""SELECT (SELECT count(*) FROM contents WHERE photo_count > 0 {found}),
            (SELECT count(*) FROM photos WHERE missing_since IS NULL),
            (SELECT count(*) FROM photos WHERE missing_since IS NOT NULL),
            (SELECT count(*) FROM failures), generation FROM library"""
        with self.engine.connect() as connection:
            return Counts(*connection.exec_driver_sql(query, values).one())

    def failures(self, limit: int | None = None, offset: int = 0) -> list[FailureRow]:
        """Return `limit` files that could not be indexed, or all, after the first `offset`, by path."""
        with self.engine.connect() as connection:
            return listings.failures(connection, limit, offset)

    def last_run(self) -> dict[str, Any] | None:
        """The newest run: started_at, finished_at, state and its summary; None before the first."""
        query = "SELECT started_at, finished_at, state, summary FROM runs ORDER BY id DESC LIMIT 1"
        with self.engine.connect() as connection:
            row = connection.exec_driver_sql(query).first()
        if row is None:
            return None
        return {**row._mapping, "summary": json.loads(row.summary) if row.summary else None}

    # -- vectors and hits ---------------------------------------------------------------------------------------

    def vectors_after(
        self, space_id: int, dim: int, last_id: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float16]]]:
        """Yield a space's vectors with an id above `last_id`, by id, in chunks.

        A chunk is ids int64 (n,), content ids int64 (n,), vectors float16 (n, dim). A vector that is not what was
        written is all zeros.
        """
        wrong = 0
        for rows in vector_rows.read(self.engine, space_id, dim, last_id):
            wrong += int(rows.wrong.sum())
            yield rows.ids, rows.contents, rows.vectors
        if wrong:
            vector_rows.say_wrong(wrong)

    def rows(self, space_id: int, dim: int) -> Iterator[VectorRows]:
        """Yield all rows of a space's vectors, in chunks."""
        return vector_rows.read(self.engine, space_id, dim, 0)

    def some_rows(self, space_id: int, dim: int, ids: Sequence[int]) -> VectorRows:
        """Those that have one of some vector ids, a few hundred at most."""
        return vector_rows.read_some(self.engine, space_id, dim, ids)

    def vector_ids(self, space_id: int) -> NDArray[np.int64]:
        """Ids of all vectors of a space, sorted, int64 (n,)."""
        # From the index on (space, content), which holds the ids too: the table itself has the vectors between them.
        query = "SELECT id FROM vectors WHERE space_id = ?"
        with self.engine.connect() as connection:
            return np.sort(filter_sql.column(connection, query, (space_id,)))

    def absent_contents(self) -> NDArray[np.int64]:
        """Ids of contents that no present photo holds: their vectors stay, unfound. Read once a generation."""
        with self.engine.connect() as connection:
            generation = connection.execute(select(LibraryRow.generation)).scalar_one()
            known, ids = self._absent
            if known != generation:
                found = connection.execute(select(Content.id).where(Content.photo_count == 0)).scalars().all()
                ids = np.asarray(found, np.int64)
                self._absent = (generation, ids)
        return ids

    def photos(self, content_ids: Sequence[int], filters: Sequence[Filter] = ()) -> dict[int, PhotoRow]:
        """Return one present photo and the facts of each content that has any.

        The photo is the first by its root and path.

        Args:
            content_ids: in any order; unknown ones are left out.
            filters: only photos that satisfy those of a path (`Folder`, `Name`, `Ext`) are shown; others don't count.
        """
        found: dict[int, PhotoRow] = {}
        with self.engine.connect() as connection:
            for start in range(0, len(content_ids), CHUNK):
                ids = json.dumps([int(id_) for id_ in content_ids[start : start + CHUNK]])
                where, values = filter_sql.photos_of(connection, ids, filters)
                shown = first(connection, "contents.id", _SHOWN, f"{_HOLDING} AND {where}")
                for row in connection.exec_driver_sql(shown, values):
                    # On SQLite one more column follows: the place, see `first`.
                    facts_of = dict(zip(GIVEN_NAMES, row[7:], strict=False))
                    for name in LIST_NAMES:
                        facts_of[name] = tuple(json.loads(facts_of[name] or "[]"))
                    found[row[0]] = PhotoRow(*row[:7], facts_of)  # type: ignore[call-arg]
        return found

    def photos_of(self, content_ids: Sequence[int] | NDArray[np.int64]) -> list[PlacedPhoto]:
        """Return every present photo of these contents, by content id, then by path.

        Unknown contents are left out.
        """
        with self.engine.connect() as connection:
            return listings.photos_of(connection, np.asarray(content_ids, np.int64))

    def has_extension(self, names: Collection[str]) -> bool:
        """Whether a present photo has one of these extensions: folded, without the dot."""
        with self.engine.connect() as connection:
            return listings.has_extension(connection, names)

    def copies(self, limit: int | None = None, offset: int = 0) -> list[tuple[int, int]]:
        """Contents that several present photos hold, and how many those are: the most first, then by id."""
        with self.engine.connect() as connection:
            return listings.copies(connection, limit, offset)

    def copy_count(self) -> int:
        """How many contents several present photos hold."""
        with self.engine.connect() as connection:
            return listings.copy_count(connection)

    def located(
        self, ids: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Contents with a position, of `ids`, int64 (m,), or of all, that a present photo holds.

        Returns:
            Ids int64 (n,), sorted; latitudes and longitudes float64 (n,), degrees, WGS84, north and east positive.
        """
        with self.engine.connect() as connection:
            return listings.located(connection, ids)

    # -- filters ------------------------------------------------------------------------------------------------

    def matching(self, filters: Sequence[Filter]) -> NDArray[np.int64]:
        """Ids of the contents that pass all filters and that a present photo holds, sorted, int64 (n,).

        Raises:
            MarksError: a filter names a set that is not there any more.
        """
        with self.engine.connect() as connection:
            return filter_sql.matching(connection, filters)

    def facets(
        self, only: NDArray[np.int64] | None = None, limit: int = 100, *, with_folders: bool = True
    ) -> Facets:  # fmt: skip
        """Count by values the contents `only`, int64 (n,), or all; at most `limit` of an open kind."""
        from store.tables.facets import facets  # only searches show them

        with self.engine.connect() as connection:
            return facets(connection, only, limit, with_folders=with_folders)

    def folders(self, only: NDArray[np.int64] | None = None) -> Mapping[str, int]:
        """Count by every folder, at any depth, the contents `only`, int64 (n,), or all."""
        from store.tables.facets import folders

        with self.engine.connect() as connection:
            return folders(connection, only)

    def ordered(
        self, content_ids: NDArray[np.int64], by: filter_sql.FactOrder, filters: Sequence[Filter] = ()
    ) -> NDArray[np.int64]:
        """Contents in an order of their facts, int64 (n,); ties by id.

        Args:
            content_ids: int64 (n,), in any order, each once.
            by: "date", newest first, or "oldest" first, with the undated last; "added", those indexed last first; or
                "name", the folded file name of the photo that `photos` shows, with those last that have
                none to show.
            filters: as for `photos`.
        """
        with self.engine.connect() as connection:
            return filter_sql.ordered(connection, content_ids, by, filters)

    def timeline(
        self, content_ids: NDArray[np.int64], by: Literal["taken", "added"]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Ratios and days, taken or added, of contents, int64 (n,): float64 and int64 (n,).

        Days as numbers, see `store.tables.timelines`.
        """
        from store.tables import timelines  # only pages in order of time ask

        with self.engine.connect() as connection:
            days = timelines.days_taken if by == "taken" else timelines.days_added
            return timelines.shapes(connection, content_ids), days(connection, content_ids)

    def paths_of(self, content_id: int) -> list[tuple[bytes, bytes]]:
        """Root and path of every present photo that holds a content, by path: the one that is shown first."""
        return [(photo.root, photo.path) for photo in self.photos_of([content_id])]

    def hash_of(self, content_id: int) -> bytes | None:
        """The SHA-256 of a content, or None where there is no such content."""
        with self.engine.connect() as connection:
            return connection.execute(select(Content.hash).where(Content.id == content_id)).scalar_one_or_none()

    def hashes(self) -> list[bytes]:
        """The hash of every content that a present photo holds."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(Content.hash).where(Content.photo_count > 0)).scalars())

    def contents_without_photo_count(self) -> int:
        """How many contents carry a wrong `photo_count`; 0 unless the database was changed by something else."""
        counted = (
            select(func.count()).select_from(Photo.table)
            .where(Photo.content_id == Content.id, Photo.missing_since.is_(None)).scalar_subquery()
        )  # fmt: skip
        with self.engine.connect() as connection:
            return connection.execute(
                select(func.count()).select_from(Content.table).where(Content.photo_count != counted)
            ).scalar_one()


_ROOTS = """SELECT roots.id, roots.path, roots.display, last_walked_at,
    count(photos.id) - count(photos.missing_since), count(photos.missing_since),
    (SELECT count(*) FROM failures WHERE failures.root_id = roots.id), options, drives, identity,
    watched FROM roots LEFT JOIN photos ON photos.root_id = roots.id GROUP BY roots.id ORDER BY roots.id"""

# Vectors are counted before they are joined: that takes half as long as counting what was joined.
_SPACES = """SELECT spaces.id, key, name, model, weights, preprocess, dim, has_text, epoch,
    coalesce(last, 0), coalesce(many, 0), fingerprint FROM spaces LEFT JOIN
    (SELECT space_id, max(id) AS last, count(*) AS many FROM vectors {only} GROUP BY space_id) AS held
    ON held.space_id = spaces.id"""


def _root(row: Row[Any]) -> RootState:
    values: tuple[Any, ...] = tuple(row)
    state = RootState(*values[:7])
    options, drives = walk_options.from_json(values[7]), paths_from_json(values[8])
    return replace(state, options=options, drives=drives, identity=values[9], watched=bool(values[10]))


def _space(row: Row[Any]) -> SpaceState:
    values = list(row)
    values[7] = bool(values[7])  # has_text: SQLite has no truth values
    return SpaceState(*values)


_SHOWN = f"""contents.id, photos.id, contents.hash, roots.path, photos.path, photos.display,
    contents.photo_count, {", ".join(f"contents.{name}" for name in GIVEN_NAMES)}"""
# CROSS JOIN: SQLite keeps the order.
_HOLDING = """FROM photos CROSS JOIN contents JOIN roots ON roots.id = photos.root_id
    WHERE contents.id = photos.content_id"""


def raise_generation(connection: Connection) -> None:
    """Say, in the transaction that changed something, that searches may now return something else."""
    connection.execute(text("UPDATE library SET generation = generation + 1"))
