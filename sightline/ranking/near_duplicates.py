"""Near-duplicates folded: versions of one picture, and bursts, take one place among the hits.

So do a RAW file and the pictures that were made of it, whatever their vectors.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.twins import NO_SHOT, Place, Shot
from sightline.version_pairs import (
    Nearness,
    PictureFacts,
    Seen,
    are_bursts,
    are_versions,
    no_looks,
    proposed,
    proposed_pairs,
)  # fmt: skip
from store.arrays import Floats, Ids, Mask, Rows
from store.tables.moments import Moments, no_moments

# A hit joins a place that began at most this many hits before it. Versions of a picture score alike, so they lie close
# in the order; without an end, the thousandth page would cost a million times the first, and no place would ever be
# known to be complete.
WINDOW: Final = 500
_CHUNK: Final = 256  # hits that are compared at a time with those before them
_AT_ONCE: Final = 512  # pairs whose pixels are compared at once, at least


@dataclass(slots=True)
class Fold:
    """One place among the hits.

    Attributes:
        rank: of the hit that began it, the best of them.
        folded: ranks of those folded into it, in order.
        twin: the rank of the one that is shown: of a RAW file, the first picture that was made of it, else `rank`.
    """

    rank: int
    folded: list[int] = field(default_factory=list)
    twin: int | None = None

    @property
    def shown(self) -> int:
        """The rank of the hit that stands for all."""
        return self.rank if self.twin is None else self.twin

    @property
    def others(self) -> list[int]:
        """The ranks of those it stands for, in order."""
        return self.folded if self.twin is None else [rank for rank in (self.rank, *self.folded) if rank != self.twin]


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Vectors (n, dim), content ids (n,), looks and moments of some hits."""

    vectors: Floats
    ids: Ids
    looks: Seen
    moments: Moments

    def take(self, rows: Rows | slice) -> _Pictures:
        """Some of them."""
        return _Pictures(self.vectors[rows], self.ids[rows], self.looks.take(rows), self.moments.take(rows))

    def followed_by(self, others: _Pictures) -> _Pictures:
        """These and others."""
        return _Pictures(
            np.concatenate([self.vectors, others.vectors]), np.concatenate([self.ids, others.ids]),
            self.looks.followed_by(others.looks), self.moments.followed_by(others.moments),
        )  # fmt: skip


class _Pairs:
    """Pairs of a hit and one before it that may belong together, by the earlier one.

    Attributes:
        every: the pictures that began places, `kept` of them, and the hits after them.
        rows: the later ones, among the hits; `others`: the earlier ones, among `every`; int64 (p,).
        cosines: float32 (p,).
        bounds: where the pairs of each of `every` begin, and the end.
        belong: which belong together, of those before `judged`.
    """

    def __init__(self, every: _Pictures, kept: int, rows: Rows, others: Rows, cosines: Floats) -> None:
        self.every, self.kept, self.rows, self.others, self.cosines = every, kept, rows, others, cosines
        self.bounds: list[int] = np.searchsorted(others, np.arange(len(every.ids) + 1)).tolist()
        self.belong = np.zeros(len(rows), np.bool_)
        self.judged = 0


class Folding:
    """Folds hits, best first, a block at a time; what is folded does not depend on the blocks.

    A hit joins the place of its twin within reach, else the first whose own picture it belongs to, never one that
    joined it: a long walk in small steps does not become one picture.
    """

    def __init__(self, dim: int, near: Nearness, facts: PictureFacts | None = None) -> None:
        """Begin with no hits.

        Args:
            dim: numbers in a vector.
            near: from which cosines pictures are versions of one, or frames of a burst.
            facts: what is compared besides; without, vectors decide alone.
        """
        self.places: list[Fold] = []
        self.done = 0  # how many hits were given so far
        self._near = near
        self._facts = facts
        # The pictures that began the last places, and the numbers of these.
        self._kept = _Pictures(np.empty((0, dim), np.float32), np.empty(0, np.int64), no_looks(0), no_moments(0))
        self._numbers: list[int] = []
        # The hits at a place in the file system: the numbers of their places among the hits, and their shots.
        self._shots: dict[Place, list[tuple[int, Shot]]] = {}
        self._raw: dict[int, Shot] = {}  # of places that a RAW file began, by their numbers

    def extend(self, vectors: Floats, shots: Sequence[Shot] | None = None, ids: Ids | None = None) -> None:
        """Fold the next hits.

        Args:
            vectors: theirs, float32 (n, dim), unit rows.
            shots: theirs, None where no hit has a twin.
            ids: their content ids int64 (n,), where there are facts to compare.
        """
        count = len(vectors)
        if self._facts is None or ids is None:
            hits = _Pictures(vectors, np.zeros(count, np.int64), no_looks(count), no_moments(count))
        else:
            hits = _Pictures(vectors, ids, *self._facts.of(ids))
        pairs = self._propose(hits)
        joins = np.full(count, -1, np.int64)  # the number of the place that each row joins, -1 for none yet
        for at, number in enumerate(self._numbers):
            self._claim(pairs, at, joins, number)
        began: dict[int, int] = {}  # places by the rows of the block that they began with
        for row in range(count):
            rank, shot = self.done + row, shots[row] if shots else NO_SHOT
            place = self._place_of_twin(shot, rank) if shot.places else None
            if place is None and joins[row] >= 0:
                place = int(joins[row])
            if place is not None:
                self._join(place, rank, shot)
            else:
                began[row] = place = len(self.places)
                self.places.append(Fold(rank))
                if shot.is_raw:
                    self._raw[place] = shot
                self._claim(pairs, len(self._numbers) + row, joins, place)
            for where in shot.places:
                self._shots.setdefault(where, []).append((place, shot))
        self.done += count
        numbers = [*self._numbers, *began.values()]
        reach = [at for at, number in enumerate(numbers) if self.places[number].rank >= self.done - WINDOW]
        self._kept = self._kept.followed_by(hits.take(np.array(list(began), np.int64))).take(np.array(reach, np.int64))
        self._numbers = [numbers[at] for at in reach]

    def _propose(self, hits: _Pictures) -> _Pairs:
        """The pairs of a hit and one before it, in reach, that may belong together."""
        kept, count = len(self._numbers), len(hits.ids)
        every = self._kept.followed_by(hits)
        ranks = np.array([self.places[number].rank for number in self._numbers], np.int64)
        ranks = np.concatenate([ranks, self.done + np.arange(count)]).astype(np.int32)
        has_bursts = bool(hits.moments.cameras.any())
        parts = []
        for start in range(kept, kept + count, _CHUNK):
            stop = min(start + _CHUNK, kept + count)
            first = int(np.searchsorted(ranks, ranks[start] - WINDOW))
            mine, theirs = every.take(slice(start, stop)), every.take(slice(first, stop))
            apart = ranks[start:stop, None] - ranks[first:stop]
            within = (apart > 0) & (apart <= WINDOW)
            cosines = mine.vectors @ theirs.vectors.T
            may = proposed(cosines, mine.looks, theirs.looks, self._near)
            if has_bursts:
                may |= cosines >= self._near.burst
            rows, others = np.nonzero(may & within)
            parts.append((rows + start - kept, others + first, cosines[rows, others]))
        rows, others, cosines = (np.concatenate([part[at] for part in parts]) for at in range(3)) if parts else (
            np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
        )  # fmt: skip
        order = np.lexsort((rows, others))
        return _Pairs(every, kept, rows[order], others[order], cosines[order])

    def _claim(self, pairs: _Pairs, other: int, joins: NDArray[np.int64], place: int) -> None:
        """Have the rows that belong to the picture that began a place join it, if they joined none yet."""
        start, stop = pairs.bounds[other], pairs.bounds[other + 1]
        if start == stop:
            return
        if pairs.judged < stop:
            # With those of the next pictures: one pair takes nearly as long as many. Not all, as a row that has joined
            # a place needs no others.
            until = max(stop, pairs.bounds[bisect_right(pairs.bounds, start + _AT_ONCE) - 1])
            at = np.arange(max(start, pairs.judged), until)
            at = at[joins[pairs.rows[at]] < 0]
            pairs.belong[at] = self._belong(pairs, at)
            pairs.judged = until
        rows = pairs.rows[start:stop][pairs.belong[start:stop]]
        joins[rows[joins[rows] < 0]] = place

    def _belong(self, pairs: _Pairs, at: Rows) -> Mask:
        """Which of some pairs belong together."""
        first, second = pairs.every.take(pairs.rows[at] + pairs.kept), pairs.every.take(pairs.others[at])
        cosines = pairs.cosines[at]
        found = (cosines >= self._near.burst) & are_bursts(first.moments, second.moments)
        rest = np.flatnonzero(~found & proposed_pairs(cosines, first.looks, second.looks, self._near))
        ids = np.stack([first.ids[rest], second.ids[rest]], axis=1)
        looks = first.looks.take(rest), second.looks.take(rest)
        found[rest] = are_versions(cosines[rest], ids, *looks, self._near, self._facts)
        return found

    def _place_of_twin(self, shot: Shot, rank: int) -> int | None:
        near = (each for where in shot.places for each in self._shots.get(where, ()))
        numbers = [number for number, other in near if shot.is_twin_of(other)]
        return min((number for number in numbers if self.places[number].rank >= rank - WINDOW), default=None)

    def _join(self, number: int, rank: int, shot: Shot) -> None:
        place = self.places[number]
        place.folded.append(rank)
        if place.twin is None and number in self._raw and shot.is_twin_of(self._raw[number]):
            place.twin = rank

    def is_complete(self, place: int) -> bool:
        """Whether no later hit can join this place."""
        return place < len(self.places) and self.done > self.places[place].rank + WINDOW
