"""Differences between two rankings of the same pictures: ranks, common items, and overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PERSISTENCE: Final = 0.9
"""How far down a person looks, for `rank_biased_overlap`: from each hit on to the next with this probability, so that
the first ten hits have 86 % of the weight (Webber et al. 2010)."""


def changes(mine: Sequence[int], theirs: Sequence[int]) -> list[int | None]:
    """The ranks that each item of `mine` gained over `theirs`; None for one that is not in `theirs`.

    `changes([7, 8], [8, 7])` is `[1, -1]`: 7 came up by one place. No item is twice in either.
    """
    places = {item: place for place, item in enumerate(theirs)}
    return [places[item] - place if item in places else None for place, item in enumerate(mine)]


def formatted_change(change: int | None) -> str:
    """A change of rank in words as short as they get: `↑2`, `↓1`, `=`, `new`."""
    if change is None:
        return "new"
    return "=" if change == 0 else f"{'↑' if change > 0 else '↓'}{abs(change)}"


def shared(mine: Sequence[int], theirs: Sequence[int], depth: int) -> int:
    """How many items are among the first `depth` of both."""
    return len(set(mine[:depth]) & set(theirs[:depth]))


def jaccard(mine: Sequence[int], theirs: Sequence[int], depth: int) -> float:
    """Items in the first `depth` of both, as a share of those in the first of either; 1 without items.

    P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11(2), 1912.
    """
    either = set(mine[:depth]) | set(theirs[:depth])
    return shared(mine, theirs, depth) / len(either) if either else 1.0


def rank_biased_overlap(mine: Sequence[int], theirs: Sequence[int], persistence: float = PERSISTENCE) -> float:
    """The agreement of two rankings, top-weighted: 0 for nothing in common, 1 for the same order.

    The extrapolated overlap RBO_ext of W. Webber, A. Moffat and J. Zobel, "A similarity measure for indefinite
    rankings", ACM Transactions on Information Systems 28(4), 2010: with X_d the number of items that the first d of
    both share, and k ranks to look at,

        RBO_ext = X_k / k * p^k + (1 - p) / p * sum over d = 1..k of X_d / d * p^d

    Lists of different lengths are compared down to the end of the shorter one.

    Args:
        mine: items, best first, none twice.
        theirs: the same.
        persistence: p, above 0 and below 1.

    Returns:
        1 where both are empty, 0 where one is.
    """
    depth = min(len(mine), len(theirs))
    if depth == 0:
        return 1.0 if len(mine) == len(theirs) else 0.0
    seen_mine, seen_theirs = set[int](), set[int]()
    common, total = 0, 0.0
    for place, (left, right) in enumerate(zip(mine[:depth], theirs[:depth], strict=True), start=1):
        common += (left in seen_theirs) + (right in seen_mine) + (left == right)
        seen_mine.add(left)
        seen_theirs.add(right)
        total += common / place * persistence**place
    return common / depth * persistence**depth + (1 - persistence) / persistence * total
