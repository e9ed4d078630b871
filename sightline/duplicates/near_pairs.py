"""Near-duplicate pairs: all pairs of pictures of a library whose vectors have a high enough cosine.

Up to `EXACT` pictures every pair is compared, in blocks. That grows with the square of their number, so beyond it only
candidate pairs are compared: some pictures, drawn at random, are pivots. Each picture belongs to its nearest pivot, and
is compared with the pictures that belong to any of its `PROBES` nearest pivots. Near-duplicates nearly always share
their nearest pivots. This is the inverted file with several probes of H. Jegou, M. Douze, C. Schmid, "Product
quantization for nearest neighbor search", IEEE TPAMI 33(1), 2011, section IV, with pivots instead of k-means.

Measured on 2 cores with synthetic vectors of 512 dimensions in 1,000 topics of uneven size, where one in twenty is a
version of another at a cosine drawn evenly between the loosest threshold and 1:

- 50,000 pictures: every pair takes 11 s. The candidate pairs take 1.0 s and find 2,497 of 2,499.
- 300,000 pictures: the candidate pairs take 10 s and find 14,993 of 15,000.

The time of candidate pairs grows as n to the power of 1.5: a million pictures would take about a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Floats, Ids
from store.vectors.engine import VectorEngine

EXACT: Final = 50_000
PROBES: Final = 8
# Pivots are this many times sqrt(n): finding the nearest pivots then costs about as much as comparing the pictures.
PIVOTS: Final = 4.0
BLOCK: Final = 4_096  # rows; a block of cosines takes 64 MB
# 12 bytes a pair, three times that while they are sorted. Thousands of pictures that all look the same, such as scans
# of empty pages, make this many pairs.
MAX_PAIRS: Final = 8_000_000

Rows32 = NDArray[np.int32]
Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Near-duplicate pairs, each once, ordered by `left`, then `right`.

    Attributes:
        left: row of the first picture in the given list of ids, int32 (p,); less than `right`.
        right: row of the second picture, int32 (p,).
        cosines: float32 (p,).
        min_cosine: no pair with a higher cosine was dropped to save memory. At least the `min_cosine` asked for.
    """

    left: Rows32
    right: Rows32
    cosines: Floats
    min_cosine: float


def find_pairs(
    engine: VectorEngine, ids: Ids, min_cosine: float, report: Report, *, exact: int = EXACT, limit: int = MAX_PAIRS
) -> Pairs:
    """Find the pairs with a cosine of at least `min_cosine`: all, or beyond `exact` pictures nearly all.

    Args:
        engine: the vectors.
        ids: content ids int64 (n,), each once, each with a vector in `engine`.
        min_cosine: the least cosine of a pair; near 0 most pairs pass.
        report: called with the share that is done, 0 to 1, and what is being done.
        exact: the most pictures of which every pair is compared.
        limit: the most pairs to keep, those with the highest cosines; `Pairs.min_cosine` then says down to where.
    """
    buffer = _PairBuffer(min_cosine, limit)
    search = _exact_pairs if len(ids) <= exact else _approximate_pairs
    for left, right, cosines in search(engine, ids, buffer, report):
        buffer.add(left, right, cosines)
    return buffer.pairs()


def _exact_pairs(engine: VectorEngine, ids: Ids, buffer: _PairBuffer, report: Report) -> Iterator[tuple[Any, Any, Any]]:
    starts = range(0, len(ids), BLOCK)
    done, total = 0, max(1, len(starts) * (len(starts) + 1) // 2)
    for start in starts:
        mine = engine.vectors_of(ids[start : start + BLOCK])
        for other in range(start, len(ids), BLOCK):
            report(done / total, f"Comparing {len(ids):,} pictures with each other")
            done += 1
            theirs = mine if other == start else engine.vectors_of(ids[other : other + BLOCK])
            cosines = mine @ theirs.T
            rows, columns = np.nonzero(cosines >= buffer.min_cosine)
            if other == start:
                above = rows < columns
                rows, columns = rows[above], columns[above]
            yield rows + start, columns + other, cosines[rows, columns]


def _approximate_pairs(
    engine: VectorEngine, ids: Ids, buffer: _PairBuffer, report: Report
) -> Iterator[tuple[Any, Any, Any]]:
    nearest = _nearest_pivots(engine, ids, report)
    # For each pivot, the pictures that belong to it and those that are compared with them.
    order = np.argsort(nearest[:, 0], kind="stable")
    cells = np.arange(nearest.max() + 2)
    member_bounds = np.searchsorted(nearest[order, 0], cells)
    flat = nearest.ravel()
    probing = np.argsort(flat, kind="stable")
    probe_bounds = np.searchsorted(flat[probing], cells)
    probing //= nearest.shape[1]
    for cell in range(len(cells) - 1):
        report(0.5 + 0.5 * cell / len(cells), f"Comparing {len(ids):,} pictures with those that may be like them")
        members = order[member_bounds[cell] : member_bounds[cell + 1]]
        probes = probing[probe_bounds[cell] : probe_bounds[cell + 1]]
        for start in range(0, len(members), BLOCK):
            theirs_rows = members[start : start + BLOCK]
            theirs = engine.vectors_of(ids[theirs_rows])
            for first in range(0, len(probes), BLOCK):
                mine_rows = probes[first : first + BLOCK]
                cosines = engine.vectors_of(ids[mine_rows]) @ theirs.T
                rows, columns = np.nonzero(cosines >= buffer.min_cosine)
                left, right = mine_rows[rows], theirs_rows[columns]
                other = left != right
                yield (
                    np.minimum(left, right)[other], np.maximum(left, right)[other], cosines[rows, columns][other]
                )  # fmt: skip


def _nearest_pivots(engine: VectorEngine, ids: Ids, report: Report) -> Rows32:
    """The pivots nearest to each picture, nearest first: int32 (n, probes)."""
    count = int(PIVOTS * np.sqrt(len(ids)))
    chosen = np.random.default_rng(0).choice(len(ids), count, replace=False)
    pivots = engine.vectors_of(ids[np.sort(chosen)]).T.copy()
    nearest = np.empty((len(ids), PROBES), np.int32)
    for start in range(0, len(ids), BLOCK):
        report(0.5 * start / len(ids), f"Sorting {len(ids):,} pictures by what they are like")
        cosines = engine.vectors_of(ids[start : start + BLOCK]) @ pivots
        rows = np.arange(len(cosines))
        for probe in range(PROBES):
            # This many passes over a row take less time than partitioning it.
            best = cosines.argmax(axis=1)
            nearest[start : start + BLOCK, probe] = best
            cosines[rows, best] = -np.inf
    return nearest


class _PairBuffer:
    """The `limit` pairs with the highest cosines so far. `min_cosine` rises when others are dropped."""

    def __init__(self, min_cosine: float, limit: int) -> None:
        self.min_cosine = min_cosine
        self._limit = limit
        self._parts: list[tuple[NDArray[np.int64], Floats]] = []
        self._count = 0

    def add(self, left: NDArray[np.int64], right: NDArray[np.int64], cosines: Floats) -> None:
        """Add rows int64 (p,), `left` less than `right`, and cosines float32 (p,)."""
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
            # Of equal cosines keep the first rows: one picture then keeps all of its pairs, and its group is whole.
            best = np.sort(np.argsort(-cosines, kind="stable")[: self._limit])
            keys, cosines = keys[best], cosines[best]
            self.min_cosine = float(cosines.min())
        self._parts, self._count = [(keys, cosines)], len(keys)

    def pairs(self) -> Pairs:
        """Sort and return the pairs."""
        self._merge()
        ((keys, cosines),) = self._parts
        return Pairs((keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), cosines, self.min_cosine)
