"""Near-duplicates folded: versions of one picture, and bursts, take one place among the hits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from store.arrays import Floats

# A hit joins a place that began at most this many hits before it. Versions of a picture score alike, so they lie close
# in the order; without an end, the thousandth page would cost a million times the first, and no place would ever be
# known to be complete.
WINDOW: Final = 500


@dataclass(slots=True)
class Fold:
    """One place among the hits: the rank of the hit shown, and of those folded into it, in order."""

    rank: int
    folded: list[int] = field(default_factory=list)


class Folding:
    """Folds hits, best first, a block at a time; what is folded does not depend on the blocks.

    A hit joins the first place within reach whose own picture is near enough, never one that joined it: a long walk in
    small steps does not become one picture.
    """

    def __init__(self, dim: int, threshold: float) -> None:
        """`threshold`: the cosine from which two pictures are versions of one."""
        self.places: list[Fold] = []
        self.done = 0  # how many hits were given so far
        self._threshold = threshold
        self._kept = np.empty((0, dim), np.float32)  # vectors of the last places, and their numbers
        self._numbers: list[int] = []

    def extend(self, vectors: Floats) -> None:
        """Fold the next hits: float32 (n, dim), unit rows."""
        to_kept = vectors @ self._kept.T >= self._threshold
        to_earlier = np.tril(vectors @ vectors.T >= self._threshold, -1)
        may_join = set(np.flatnonzero(np.logical_or(to_kept.any(axis=1), to_earlier.any(axis=1))).tolist())
        began: dict[int, int] = {}  # places by the rows of the block that they began with
        for row in range(len(vectors)):
            rank, place = self.done + row, None
            if row in may_join:
                near = [self._numbers[at] for at in np.flatnonzero(to_kept[row])]
                near += [began[at] for at in np.flatnonzero(to_earlier[row]).tolist() if at in began]
                place = next((number for number in near if self.places[number].rank >= rank - WINDOW), None)
            if place is not None:
                self.places[place].folded.append(rank)
            else:
                began[row] = len(self.places)
                self.places.append(Fold(rank))
        self.done += len(vectors)
        numbers = [*self._numbers, *began.values()]
        reach = [at for at, number in enumerate(numbers) if self.places[number].rank >= self.done - WINDOW]
        self._kept = np.concatenate([self._kept, vectors[list(began)]])[reach]
        self._numbers = [numbers[at] for at in reach]

    def is_complete(self, place: int) -> bool:
        """Whether no later hit can join this place."""
        return place < len(self.places) and self.done > self.places[place].rank + WINDOW
