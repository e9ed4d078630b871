"""Which pictures of a library are alike: all pairs of vectors whose cosine is high enough.

Up to `EXACT` pictures every pair is looked at, in blocks. That grows with the square, so beyond it only likely pairs
are: some pictures, drawn at random, are pivots; every picture belongs to the pivot that is nearest to it, and is
compared with what belongs to any of the `PROBES` pivots nearest to it. Near pairs share their nearest pivots nearly
always. The idea is that of the inverted file with several probes: H. Jegou, M. Douze, C. Schmid, "Product quantization
for nearest neighbor search", IEEE TPAMI 33(1), 2011, section IV, with pivots in the place of k-means.

Measured on 2 cores with made-up vectors of 512 numbers in 1,000 uneven topics, one in twenty a version of another at a
cosine that was drawn evenly between the loosest threshold and 1: every pair of 50,000 took 11 s, the likely ones 1.0 s
and found 2,497 of 2,499. Of 300,000 the likely ones took 10 s and found 14,993 of the 15,000 that were planted. With n
pictures that way grows as n to the power of 1.5, so that a million would take about a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Ids
from store.vectors.index import VectorIndex

EXACT: Final = 50_000
PROBES: Final = 8
# Of n pictures so many times sqrt(n) are pivots: finding the nearest pivots then costs about as much as the comparing.
PIVOTS: Final = 4.0
BLOCK: Final = 4_096  # rows; a block of cosines takes 64 MB
# 12 bytes a pair, three times that while they are put in order. Thousands of pictures that are all alike, such as
# scans of empty pages, make so many.
MAX_PAIRS: Final = 8_000_000

Rows = NDArray[np.int32]
Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of pictures that are alike, each once, ordered by `left`, then `right`.

    Attributes:
        left: row of the one picture in the list of ids that was asked about, int32 (p,); below `right`.
        right: row of the other, int32 (p,).
        cosines: float32 (p,).
        floor: no pair whose cosine is above this was left out to save memory: what was asked for, or more.
    """

    left: Rows
    right: Rows
    cosines: NDArray[np.float32]
    floor: float


def pairs(
    index: VectorIndex, ids: Ids, floor: float, report: Report, *, exact: int = EXACT, limit: int = MAX_PAIRS
) -> Pairs:
    """All pairs among some pictures whose cosine is at least `floor`; beyond `exact` pictures nearly all.

    Args:
        index: the vectors.
        ids: content ids int64 (n,), each once, each with a vector there.
        floor: cosine; values near 0 give as many pairs as there can be.
        report: told how far it is.
        exact: up to so many pictures every pair is looked at.
        limit: so many pairs are kept; where there are more, those with the highest cosines, and `Pairs.floor` says so.
    """
    kept = _Kept(floor, limit)
    found = _all(index, ids, kept, report) if len(ids) <= exact else _likely(index, ids, kept, report)
    for left, right, cosines in found:
        kept.add(left, right, cosines)
    return kept.pairs()


def _all(index: VectorIndex, ids: Ids, kept: _Kept, report: Report) -> Iterator[tuple[Any, Any, Any]]:
    starts = range(0, len(ids), BLOCK)
    done, total = 0, max(1, len(starts) * (len(starts) + 1) // 2)
    for start in starts:
        mine = index.vectors_of(ids[start : start + BLOCK])
        for other in range(start, len(ids), BLOCK):
            report(done / total, f"Comparing {len(ids):,} pictures with each other")
            done += 1
            theirs = mine if other == start else index.vectors_of(ids[other : other + BLOCK])
            cosines = mine @ theirs.T
            rows, columns = np.nonzero(cosines >= kept.floor)
            if other == start:
                above = rows < columns
                rows, columns = rows[above], columns[above]
            yield rows + start, columns + other, cosines[rows, columns]


def _likely(index: VectorIndex, ids: Ids, kept: _Kept, report: Report) -> Iterator[tuple[Any, Any, Any]]:
    nearest = _nearest_pivots(index, ids, report)
    # Which pictures belong to each pivot, and which ask there.
    order = np.argsort(nearest[:, 0], kind="stable")
    cells = np.arange(nearest.max() + 2)
    home = np.searchsorted(nearest[order, 0], cells)
    flat = nearest.ravel()
    asking = np.argsort(flat, kind="stable")
    bounds = np.searchsorted(flat[asking], cells)
    asking //= nearest.shape[1]
    for cell in range(len(cells) - 1):
        report(0.5 + 0.5 * cell / len(cells), f"Comparing {len(ids):,} pictures with those that may be like them")
        members = order[home[cell] : home[cell + 1]]
        guests = asking[bounds[cell] : bounds[cell + 1]]
        for start in range(0, len(members), BLOCK):
            theirs_rows = members[start : start + BLOCK]
            theirs = index.vectors_of(ids[theirs_rows])
            for first in range(0, len(guests), BLOCK):
                mine_rows = guests[first : first + BLOCK]
                cosines = index.vectors_of(ids[mine_rows]) @ theirs.T
                rows, columns = np.nonzero(cosines >= kept.floor)
                left, right = mine_rows[rows], theirs_rows[columns]
                other = left != right
                yield (
                    np.minimum(left, right)[other], np.maximum(left, right)[other], cosines[rows, columns][other]
                )  # fmt: skip


def _nearest_pivots(index: VectorIndex, ids: Ids, report: Report) -> Rows:
    """The pivots nearest to each picture, nearest first: int32 (n, probes)."""
    count = int(PIVOTS * np.sqrt(len(ids)))
    chosen = np.random.default_rng(0).choice(len(ids), count, replace=False)
    pivots = index.vectors_of(ids[np.sort(chosen)]).T.copy()
    nearest = np.empty((len(ids), PROBES), np.int32)
    for start in range(0, len(ids), BLOCK):
        report(0.5 * start / len(ids), f"Sorting {len(ids):,} pictures by what they are like")
        cosines = index.vectors_of(ids[start : start + BLOCK]) @ pivots
        rows = np.arange(len(cosines))
        for probe in range(PROBES):
            # So many passes over a row take less time than partitioning it.
            best = cosines.argmax(axis=1)
            nearest[start : start + BLOCK, probe] = best
            cosines[rows, best] = -np.inf
    return nearest


class _Kept:
    """Pairs found so far, those with the lowest cosines left out where there are too many."""

    def __init__(self, floor: float, limit: int) -> None:
        self.floor = floor
        self._limit = limit
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        self._count = 0

    def add(self, left: NDArray[np.int64], right: NDArray[np.int64], cosines: NDArray[np.float32]) -> None:
        """Rows int64 (p,) with `left` below `right`, and cosines float32 (p,)."""
        for start in range(0, len(left), self._limit):
            part = slice(start, start + self._limit)
            self._parts.append(((left[part] << 32) | right[part], cosines[part]))
            self._count += len(left[part])
            if self._count > 2 * self._limit:
                self._merge()

    def _merge(self) -> None:
        keys = np.concatenate([np.empty(0, np.int64), *(keys for keys, _ in self._parts)])
        cosines = np.concatenate([np.empty(0, np.float32), *(cosines for _, cosines in self._parts)])
        keys, first = np.unique(keys, return_index=True)
        cosines = cosines[first]
        if len(keys) > self._limit:
            # Of equal ones the first rows: one of those then has all of its pairs, and can stand for the others.
            best = np.sort(np.argsort(-cosines, kind="stable")[: self._limit])
            keys, cosines = keys[best], cosines[best]
            self.floor = float(cosines.min())
        self._parts, self._count = [(keys, cosines)], len(keys)

    def pairs(self) -> Pairs:
        """All of them, in order."""
        self._merge()
        ((keys, cosines),) = self._parts
        return Pairs((keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), cosines, self.floor)
