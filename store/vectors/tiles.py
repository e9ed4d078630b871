"""Pictures by the best of themselves and their tiles: a vector engine over both.

Of many tiles one is near to a query by chance. So the cosine of a tile counts less what chance gives it, by query: see
`sightline.ranking.handicap`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from store.arrays import Floats, Ids
from store.tables import tiles as tables
from store.tables.catalog import Catalog
from store.tables.tiles import Box, TileCatalog, contents_of, numbers_of, places_of
from store.vectors.engine import EngineFacts, Threshold, VectorEngine
from store.vectors.local import LocalEngine
from store.vectors.local_engines import LocalEngines
from store.vectors.policy import Policy

# No space has so many rows.
_ALL: Final = 1 << 62
EXACT: Final = Policy(exact_rows=_ALL, measured_rows=_ALL)
"""Every tile is scored, however many there are."""


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The pictures whose tiles an engine holds: sorted content ids, and counts of tiles, int64 (n,)."""

    state: tuple[int, int, int]
    contents: Ids
    counts: Ids


@dataclass(frozen=True, slots=True)
class Handicaps:
    """How much less a tile counts than a whole picture: float32 (m,) each, infinite where none counts.

    Attributes:
        strong, maybe: what is taken from a cosine that comes to `strong_at`, or to `maybe_at` and less, by that;
            between them what lies between.
        strong_at, maybe_at: cosines of whole pictures.
    """

    strong: Floats
    maybe: Floats
    strong_at: Floats
    maybe_at: Floats

    def take(self, rows: Ids) -> Handicaps:
        """Those of some queries."""
        return Handicaps(self.strong[rows], self.maybe[rows], self.strong_at[rows], self.maybe_at[rows])

    def taken_from(self, cosines: Floats) -> Floats:
        """What cosines of tiles, float32 (m, n), count."""
        low, high = self.maybe_at + self.maybe, self.strong_at + self.strong
        share = np.clip((cosines - low[:, None]) / np.maximum(high - low, 1e-6)[:, None], 0, 1)
        return np.asarray(cosines - (self.maybe[:, None] + (self.strong - self.maybe)[:, None] * share), np.float32)


class TileEngine:
    """The tiles of one space. Safe for use from several threads."""

    def __init__(self, engine: LocalEngine, boxes: Callable[[Ids], Mapping[int, Floats]]) -> None:
        """`boxes`: of the tiles of pictures, by content id, float32 (n, 4)."""
        self._engine = engine
        self._boxes = boxes
        self._pictures: _Pictures | None = None

    @property
    def state(self) -> tuple[int, int, int]:
        """What tells whether it holds others than before."""
        return self._engine.epoch, self._engine.last_id, len(self._engine)

    def _all(self) -> _Pictures:
        known = self._pictures
        if known is None or known.state != self.state:
            state = self.state
            contents, counts = np.unique(contents_of(self._engine.ids), return_counts=True)
            known = self._pictures = _Pictures(state, contents, np.asarray(counts, np.int64))
        return known

    def raise_to_best(
        self, queries: Floats, handicaps: Handicaps, ids: Ids, cosines: Floats, *, all_of_them: bool
    ) -> None:
        """Raise cosines float32 (m, n) of pictures (n,) to those of their best tiles, in place.

        Args:
            queries: float32 (m, dim).
            handicaps: of tiles, for each.
            ids: content ids (n,).
            cosines: of the whole pictures.
            all_of_them: whether these are all pictures of the space.
        """
        contents, best, _ = self._best(queries, None if all_of_them else ids)
        if not len(contents) or not len(ids):
            return
        order = np.argsort(ids)
        places = np.minimum(np.searchsorted(ids, contents, sorter=order), len(ids) - 1)
        rows = order[places]
        known = ids[rows] == contents
        rows = rows[known]
        cosines[:, rows] = np.maximum(cosines[:, rows], handicaps.taken_from(best[:, known]))

    def best_boxes(self, queries: Floats, handicaps: Handicaps, ids: Ids, cosines: Floats) -> list[list[Box | None]]:
        """By query, then by picture, the box of the tile that comes nearer to it than the whole.

        Arguments as of `raise_to_best`; `ids` are those of a page.
        """
        contents, best, places = self._best(queries, ids)
        best = handicaps.taken_from(best)
        boxes = self._boxes(ids)
        at = {int(content): column for column, content in enumerate(contents)}
        return [
            [self._box(int(id_), row, column, at, cosines, best, places, boxes) for column, id_ in enumerate(ids)]
            for row in range(len(queries))
        ]

    @staticmethod
    def _box(
        id_: int, row: int, column: int, at: Mapping[int, int], cosines: Floats, best: Floats, places: Ids,
        boxes: Mapping[int, Floats],
    ) -> Box | None:  # fmt: skip
        found = at.get(id_)
        if found is None or id_ not in boxes or best[row, found] <= cosines[row, column]:
            return None
        place = int(places[row, found])
        if place >= len(boxes[id_]):  # another grid since
            return None
        left, top, width, height = boxes[id_][place].tolist()
        return left, top, width, height

    def _best(self, queries: Floats, only: Ids | None) -> tuple[Ids, Floats, Ids]:
        """Content ids (p,) of pictures with tiles, cosines (m, p) of the best tile, and its place (m, p)."""
        wanted = None
        if only is not None:
            known = self._all()
            kept = np.isin(known.contents, only)
            wanted = numbers_of(known.contents[kept], known.counts[kept])
        numbers, cosines = self._engine.scores(queries, only=wanted)
        if not len(numbers):
            none = np.empty((len(queries), 0))
            return np.empty(0, np.int64), none.astype(np.float32), none.astype(np.int64)
        contents = contents_of(numbers)
        # The tiles of a picture lie one after the other.
        starts = np.flatnonzero(np.diff(contents, prepend=-1))
        best = np.maximum.reduceat(cosines, starts, axis=1)
        if only is None:
            return contents[starts], best, np.empty((len(queries), 0), np.int64)
        counts = np.diff(starts, append=len(contents))
        is_best = cosines == np.repeat(best, counts, axis=1)
        # The first of those that are best.
        ranks = np.where(is_best, np.arange(len(contents)), len(contents))
        places = places_of(numbers)[np.minimum.reduceat(ranks, starts, axis=1)]
        return contents[starts], best, places

    def vectors_of(self, ids: Ids) -> tuple[Floats, Ids]:
        """The vectors of all tiles of contents, float32 (sum, dim), and how many each content has, int64 (n,)."""
        known = self._all()
        counts = np.zeros(len(ids), np.int64)
        if len(known.contents):
            places = np.minimum(np.searchsorted(known.contents, ids), len(known.contents) - 1)
            counts = np.where(known.contents[places] == ids, known.counts[places], 0)
        return self._engine.vectors_of(numbers_of(np.asarray(ids, np.int64), counts)), counts

    def warm(self) -> None:
        """Compile the kernels that a search uses."""
        self._engine.warm()

    @property
    def per_picture(self) -> float:
        """How many tiles a picture has on average."""
        return len(self._engine) / max(1, len(self._all().contents))


class TileEngines:
    """The tiles of each space of a library that has a grid. Safe for use from several threads."""

    def __init__(self, folder: Path, catalog: Catalog, *, readonly: bool, policy: Policy) -> None:
        self._catalog = catalog
        exact = replace(EXACT, in_memory_bytes=policy.in_memory_bytes)
        self._engines = LocalEngines(folder, TileCatalog(catalog), readonly=readonly, policy=exact, name="tiles")
        self._lock = threading.Lock()
        self._grids: tuple[int, Mapping[int, int]] = (-1, {})
        self._made: dict[int, TileEngine] = {}
        self._held: dict[int, LocalEngine] = {}

    def get(self, space_id: int) -> TileEngine | None:
        """The tiles of a space, as they are committed by now; None where it has no grid, or no tiles yet."""
        if space_id not in self._current_grids():
            return None
        engine = self._engines.get(space_id)
        if not len(engine):
            return None
        with self._lock:
            if self._held.get(space_id) is not engine:
                self._held[space_id] = engine
                boxes = partial(tables.boxes_of, self._catalog.engine, space_id)
                self._made[space_id] = TileEngine(engine, boxes)
            return self._made[space_id]

    def _current_grids(self) -> Mapping[int, int]:
        generation = self._catalog.generation()
        known, grids = self._grids
        if known != generation:
            grids = tables.grids(self._catalog.engine)
            self._grids = generation, grids
        return grids

    def save(self, space_id: int) -> None:
        """Bring the files of a space's tiles up to date, or remove them where it has no grid any more.

        Raises:
            OSError: they can't be written.
        """
        if space_id in tables.grids(self._catalog.engine):
            self._engines.save(space_id)
        else:
            self._engines.remove(space_id)

    def is_current(self, space_id: int) -> bool:
        """As for `VectorEngines.is_current`."""
        return self._engines.is_current(space_id)

    def facts(self, space_id: int) -> EngineFacts | None:
        """As for `VectorEngines.facts`."""
        return self._engines.facts(space_id)


class TiledEngine:
    """The vectors of a space, a `VectorEngine` whose cosines are the best of each picture and its tiles.

    For the queries of one search. All else is of whole pictures.
    """

    def __init__(self, whole: VectorEngine, tiles: TileEngine, handicaps: Handicaps) -> None:
        """Take both, and handicaps of tiles for the queries that `scores` is asked for."""
        self.whole = whole
        self._tiles = tiles
        self._tiled = np.flatnonzero(np.isfinite(handicaps.strong))
        self._handicaps = handicaps.take(self._tiled)

    @property
    def dim(self) -> int:
        """Of the whole."""
        return self.whole.dim

    @property
    def epoch(self) -> int:
        """Of the whole."""
        return self.whole.epoch

    @property
    def last_id(self) -> int:
        """Of the whole."""
        return self.whole.last_id

    def __len__(self) -> int:
        return len(self.whole)

    @property
    def ids(self) -> Ids:
        """Of the whole."""
        return self.whole.ids

    def held(self, ids: Ids) -> Ids:
        """Of the whole."""
        return self.whole.held(ids)

    def scores(self, queries: Floats, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        """Cosines of each picture, or of its best tile where that is nearer; see `VectorEngine.scores`."""
        ids, cosines = self.whole.scores(queries, only=only)
        rows = self._tiled
        if len(rows):
            best = cosines[rows]
            self._tiles.raise_to_best(queries[rows], self._handicaps, ids, best, all_of_them=only is None)
            cosines[rows] = best
        return ids, cosines

    def shortlist(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]] = (), *, wanted: int = 0,
        only: Ids | None = None, absent: Ids | None = None,
    ) -> Ids | None:  # fmt: skip
        """None: what is found by a tile alone is on no shortlist of whole pictures."""
        return None

    def vectors_of(self, ids: Ids) -> Floats:
        """Of the whole."""
        return self.whole.vectors_of(ids)

    def sample(self, count: int, *, without: Ids | None = None, seed: int = 0) -> tuple[Ids, Floats]:
        """Of the whole."""
        return self.whole.sample(count, without=without, seed=seed)

    def warm(self) -> None:
        """Of the whole."""
        self.whole.warm()

    def boxes(self, queries: Floats, ids: Ids) -> list[list[Box | None]]:
        """By query, then by content: the box of its best tile; None where the whole picture is nearest."""
        found: list[list[Box | None]] = [[None] * len(ids) for _ in range(len(queries))]
        rows = self._tiled
        if len(rows) and len(ids):
            _, cosines = self.whole.scores(queries[rows], only=ids)
            best = self._tiles.best_boxes(queries[rows], self._handicaps, ids, cosines)
            for row, own in zip(rows.tolist(), best, strict=True):
                found[row] = own
        return found
