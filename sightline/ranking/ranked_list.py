"""The pictures of a query in order, near-duplicates folded: computed lazily."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.ranking.calibrated_terms import CalibratedTerm
from sightline.ranking.fusion import Ranked
from sightline.ranking.near_duplicates import WINDOW, Fold, Folding
from sightline.twins import Shot
from sightline.version_pairs import Nearness, PictureFacts
from store.arrays import Floats, Ids
from store.tables.tiles import Box
from store.vectors.engine import VectorEngine
from store.vectors.tiles import TiledEngine

# Pictures that are folded at a time, at least.
_BLOCK: Final = 256
# So many more than a page needs where none is folded: mostly the next page needs no others then.
_AHEAD: Final = 200


class RankedList:
    """The hits of a query in one generation, lazily ordered. Safe for use from several threads.

    Attributes:
        generation: of the library, see `Result.generation`.
        terms, vectors: the query's terms, and their vectors, float32 (terms, dim).
        engine: the vectors, as they were then or more: it outlives what a prune puts in its place.
        ranked: the pictures; of a large library the shortlist first, and all when more are asked for.
        is_cut: whether more pictures match than `ranked` counts.
    """

    def __init__(
        self, generation: int, terms: Sequence[CalibratedTerm], vectors: Floats, engine: VectorEngine, ranked: Ranked,
        *, order: Ids | None = None, near: Nearness | None, facts: PictureFacts,
        shots: Callable[[Ids], Sequence[Shot] | None], total: int, rest: Callable[[], Ranked] | None = None,
        is_cut: bool = False,
    ) -> None:  # fmt: skip
        """Take what a search ranked.

        Args:
            order: content ids above the threshold, where facts order them and not scores.
            near: the cosines from which pictures are folded; None to fold nothing.
            facts: what else is compared of them.
            shots: of contents, in their order, as for `Folding.extend`.
            total: how many pictures there are with the rest.
            rest: the pictures that come after all of `ranked`, whatever their scores; None for none.
            is_cut: see `store.search.Scored`.
        """
        self.generation = generation
        self.terms = terms
        self.vectors = vectors
        self.engine = engine
        self.ranked = ranked
        self.is_cut = is_cut
        self._order = order
        self._total = total
        self._shortlist = ranked
        self._make_rest = rest
        self._rest: Ranked | None = None
        self._rows = np.empty(0, np.int64)
        self._folding = None if near is None else Folding(engine.dim, near, facts)
        self._shots = shots
        self._lock = threading.Lock()

    @property
    def above(self) -> Ids:
        """Content ids above the threshold or near it, in the order that facts give them, int64 (n,)."""
        return np.empty(0, np.int64) if self._order is None else self._order

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return self._total if self._make_rest is not None else len(self.ranked.ids)

    def boxes(self, ids: Ids) -> list[list[Box | None]]:
        """By term, then by content: the box of the tile it was found in; empty where no term looks at tiles."""
        return self.engine.boxes(self.vectors, ids) if isinstance(self.engine, TiledEngine) else []

    def places(self, first: int, last: int) -> tuple[list[Fold], bool]:
        """The places from `first` to before `last`, and whether there are more after them."""
        with self._lock:
            if last > len(self._shortlist.ids):
                self._first(last)
            total = self.total
            folding = self._folding
            if folding is None:
                return [Fold(rank) for rank in range(first, min(last, total))], last < total
            while folding.done < total and not (len(folding.places) > last and folding.is_complete(last - 1)):
                # In one go: to compare few pairs of pictures takes nearly as long as many.
                end = max(folding.done + _BLOCK, last + WINDOW + _AHEAD)
                ranks = range(folding.done, min(end, total))
                rows = self._first(ranks.stop)[ranks.start :]
                total = self.total
                ids = self.ranked.ids[rows]
                folding.extend(self.engine.vectors_of(ids), self._shots(ids), ids)
            return folding.places[first:last], len(folding.places) > last

    def rows(self, ranks: Sequence[int]) -> NDArray[np.int64]:
        """The rows of `ranked` that have these ranks."""
        with self._lock:
            return self._first(max(ranks, default=-1) + 1)[np.asarray(ranks, np.int64)]

    def _first(self, count: int) -> NDArray[np.int64]:
        """Rows of the first `count` pictures."""
        short = len(self._shortlist.ids)
        if count > short and self._make_rest is not None:
            self._rest, self._make_rest = self._make_rest(), None
            self.ranked = self._shortlist.followed_by(self._rest)
        if count > len(self._rows):
            ahead = min(len(self.ranked.ids), max(count, 2 * len(self._rows), _BLOCK))
            if self._order is not None:
                self._rows = self._by_facts(ahead, self._order)
            elif self._rest is None:
                self._rows = self.ranked.best(ahead)
            else:
                after = self._rest.best(max(0, ahead - short)) + short
                self._rows = np.concatenate([self._shortlist.best(min(ahead, short)), after])
        return self._rows[:count]

    def _by_facts(self, count: int, order: Ids) -> NDArray[np.int64]:
        """Rows in the order that facts give to what is above the threshold; the rest follows by its scores."""
        by_id = np.argsort(self.ranked.ids)
        rows = by_id[np.searchsorted(self.ranked.ids, order[:count], sorter=by_id)]
        if len(rows) < count:
            rows = np.concatenate([rows, self.ranked.best(count)[len(rows) :]])
        return np.asarray(rows, np.int64)
