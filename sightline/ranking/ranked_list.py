"""A query's terms measured in a library, and the order that they give its pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.query.types import Query, Term
from sightline.ranking.calibration import Scale
from sightline.ranking.fusion import BELOW, STRONG, Ranked, band, fuse
from sightline.ranking.near_duplicates import Fold, Folding
from sightline.ranking.results import Part
from sightline.ranking.term_vectors import Aim
from store.vectors.index import Floats, Ids, VectorIndex

# Pictures that are folded at a time.
_BLOCK: Final = 256


@dataclass(frozen=True, slots=True)
class Measured:
    """A term with its vector and its scale in the library as it is."""

    term: Term
    excluded: bool
    aim: Aim
    scale: Scale

    def put_right(self, ids: Ids, cosines: Floats) -> None:
        """Put cosines right: a picture is as near to itself as can be, which half-precision vectors are not quite."""
        if self.aim.content_id is not None:
            cosines[ids == self.aim.content_id] = 1.0

    def part(self, cosine: np.float32) -> Part:
        """How a picture of this cosine suits the term."""
        score = float(self.scale.standard(np.asarray([cosine], np.float32))[0])
        return Part(self.term.printed(excluded=self.excluded), float(np.clip(cosine, -1, 1)), score, self.excluded)


class Ranking:
    """What a query makes of the library in one generation: pictures in an order, with places among the hits.

    Worked out as far as it was asked for. Safe for use from several threads.

    Attributes:
        generation: of the library, see `Result.generation`.
        measured, queries: the terms, and their vectors, float32 (terms, dim).
        index: the vectors, as they were then or more: it outlives what a prune puts in its place.
        ranked: the pictures; of a large library those that are likely first, and all when more are asked for.
    """

    def __init__(
        self, generation: int, measured: Sequence[Measured], queries: Floats, index: VectorIndex, ranked: Ranked,
        *, order: Ids | None = None, duplicates: float | None, total: int, rest: Callable[[], Ranked] | None = None,
    ) -> None:  # fmt: skip
        """Take what a search ranked.

        Args:
            order: content ids above the line, where facts order them and not scores.
            duplicates: the cosine from which two pictures are versions of one; None to fold nothing.
            total: how many pictures there are with the rest.
            rest: the pictures that come after all of `ranked`, whatever their scores; None for none.
        """
        self.generation = generation
        self.measured = measured
        self.queries = queries
        self.index = index
        self.ranked = ranked
        self._order = order
        self._total = total
        self._likely = ranked
        self._make_rest = rest
        self._rest: Ranked | None = None
        self._rows = np.empty(0, np.int64)
        self._folding = None if duplicates is None else Folding(index.dim, duplicates)
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return self._total if self._make_rest is not None else len(self.ranked.ids)

    def places(self, first: int, last: int) -> tuple[list[Fold], bool]:
        """The places from `first` to before `last`, and whether there are more after them."""
        with self._lock:
            if last > len(self._likely.ids):
                self._first(last)
            total = self.total
            folding = self._folding
            if folding is None:
                return [Fold(rank) for rank in range(first, min(last, total))], last < total
            while folding.done < total and not (len(folding.places) > last and folding.is_complete(last - 1)):
                ranks = range(folding.done, min(folding.done + _BLOCK, total))
                rows = self._first(ranks.stop)[ranks.start :]
                total = self.total
                folding.extend(self.index.vectors_of(self.ranked.ids[rows]))
            return folding.places[first:last], len(folding.places) > last

    def rows(self, ranks: Sequence[int]) -> NDArray[np.int64]:
        """The rows of `ranked` that have these ranks."""
        with self._lock:
            return self._first(max(ranks, default=-1) + 1)[np.asarray(ranks, np.int64)]

    def _first(self, count: int) -> NDArray[np.int64]:
        """Rows of the first `count` pictures."""
        likely = len(self._likely.ids)
        if count > likely and self._make_rest is not None:
            self._rest, self._make_rest = self._make_rest(), None
            both = (self._likely, self._rest)
            self.ranked = Ranked(
                np.concatenate([each.ids for each in both]), np.concatenate([each.scores for each in both]),
                np.concatenate([each.bands for each in both]),
            )  # fmt: skip
        if count > len(self._rows):
            ahead = min(len(self.ranked.ids), max(count, 2 * len(self._rows), _BLOCK))
            if self._order is not None:
                self._rows = self._by_facts(ahead, self._order)
            elif self._rest is None:
                self._rows = self.ranked.best(ahead)
            else:
                after = self._rest.best(max(0, ahead - likely)) + likely
                self._rows = np.concatenate([self._likely.best(min(ahead, likely)), after])
        return self._rows[:count]

    def _by_facts(self, count: int, order: Ids) -> NDArray[np.int64]:
        """Rows in the order that facts give to what is above the line; the rest follows by its scores."""
        by_id = np.argsort(self.ranked.ids)
        rows = by_id[np.searchsorted(self.ranked.ids, order[:count], sorter=by_id)]
        if len(rows) < count:
            rows = np.concatenate([rows, self.ranked.best(count)[len(rows) :]])
        return np.asarray(rows, np.int64)


def ranked_by(query: Query, measured: Sequence[Measured], ids: Ids, cosines: Floats) -> Ranked:
    """Pictures by all terms of a query together; all alike where it has none.

    Args:
        query: the query.
        measured: its terms, in order.
        ids: content ids int64 (n,).
        cosines: float32 (terms, n); put right in place.
    """
    if not measured:
        return Ranked(ids, np.zeros(len(ids), np.float32), np.full(len(ids), STRONG, np.uint8))
    standard = np.empty_like(cosines)
    for row, m in enumerate(measured):
        m.put_right(ids, cosines[row])
        standard[row] = m.scale.standard(cosines[row])
    scores, met = fuse(query.groups, standard, [m.scale.maybe_standard for m in measured])
    if len(measured) == 1:
        # One term is ordered by its cosine itself: nothing that rounds may come between.
        scores = -cosines[0] if measured[0].excluded else cosines[0]
        own = measured[0].aim.content_id
        if own is not None and not measured[0].excluded:
            scores[ids == own] = 2.0  # before a copy of it, whose cosine may round to 1 as well
    bands = band(query.groups, met)
    for m in measured:
        if m.excluded and m.aim.content_id is not None:
            bands[ids == m.aim.content_id] = BELOW  # whatever the weight: it was named
    return Ranked(ids, scores, bands)
