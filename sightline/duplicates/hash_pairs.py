"""Pairs of near perceptual hashes: they propose versions that the vectors of a space don't.

Up to `EXACT` hashes every pair is compared. Beyond it, those that share one of four parts of 16 bits are, with their
`NEIGHBOURS` next in the order of that part: of pairs that differ in 8 bits about 3 in 10 do, of those that differ in 4
bits 8 in 10. There the vectors find the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sightline.versions import hash_distance
from store.arrays import CodeWords, Rows

EXACT: Final = 50_000
NEIGHBOURS: Final = 64
_BLOCK: Final = 1_024
_PARTS: Final = 4
_BITS: Final = 16


def hash_pairs(hashes: CodeWords, most: int, *, exact: int = EXACT) -> tuple[Rows, Rows]:
    """Find pairs of hashes that differ in at most `most` bits.

    Args:
        hashes: uint64 (n,).
        most: how many bits may differ.
        exact: the most hashes of which every pair is compared.

    Returns:
        Rows int64 (p,) and (p,), the first less than the second, each pair once. Of one row with more than `NEIGHBOURS`
        such partners after it, as of empty pages, the first ones.
    """
    search = _all_pairs if len(hashes) <= exact else _likely_pairs
    found = [np.empty(0, np.int64), *((left << 32) | right for left, right in search(hashes, most))]
    keys = np.unique(np.concatenate(found))
    return keys >> 32, keys & 0xFFFFFFFF


def _all_pairs(hashes: CodeWords, most: int) -> Iterator[tuple[Rows, Rows]]:
    for start in range(0, len(hashes), _BLOCK):
        near = hash_distance(hashes[start : start + _BLOCK, None], hashes[start:]) <= most
        rows, columns = np.nonzero(near)
        after = columns > rows
        rows, columns = rows[after], columns[after]
        # The place of a pair among those of its row.
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        rows, columns = rows[place < NEIGHBOURS], columns[place < NEIGHBOURS]
        yield rows + start, columns + start


def _likely_pairs(hashes: CodeWords, most: int) -> Iterator[tuple[Rows, Rows]]:
    for number in range(_PARTS):
        turn = np.uint64(number * _BITS)
        turned = (hashes >> turn) | (hashes << (np.uint64(64) - turn)) if number else hashes
        # The part comes first in the order, and what else the hashes share after it.
        parts = turned & np.uint64((1 << _BITS) - 1)
        order = np.lexsort((turned, parts))
        for apart in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            one, other = order[:-apart], order[apart:]
            near = (parts[one] == parts[other]) & (hash_distance(hashes[one], hashes[other]) <= most)
            yield np.minimum(one[near], other[near]), np.maximum(one[near], other[near])
