"""Near-duplicates folded: versions of one picture, and bursts, take one place among the hits.

So do a RAW file and the pictures that were made of it, whatever their vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sightline.twins import NO_SHOT, Place, Shot
from store.arrays import Floats

# A hit joins a place that began at most this many hits before it. Versions of a picture score alike, so they lie close
# in the order; without an end, the thousandth page would cost a million times the first, and no place would ever be
# known to be complete.
WINDOW: Final = 500


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


class Folding:
    """Folds hits, best first, a block at a time; what is folded does not depend on the blocks.

    A hit joins the place of its twin within reach, else the first whose own picture is near enough, never one that
    joined it: a long walk in small steps does not become one picture.
    """

    def __init__(self, dim: int, threshold: float) -> None:
        """`threshold`: the cosine from which two pictures are versions of one."""
        self.places: list[Fold] = []
        self.done = 0  # how many hits were given so far
        self._threshold = threshold
        self._kept = np.empty((0, dim), np.float32)  # vectors of the last places, and their numbers
        self._numbers: list[int] = []
        # The hits at a place in the file system: the numbers of their places among the hits, and their shots.
        self._shots: dict[Place, list[tuple[int, Shot]]] = {}
        self._raw: dict[int, Shot] = {}  # of places that a RAW file began, by their numbers

    def extend(self, vectors: Floats, shots: Sequence[Shot] | None = None) -> None:
        """Fold the next hits: float32 (n, dim), unit rows; `shots`: theirs, None where no hit has a twin."""
        to_kept = vectors @ self._kept.T >= self._threshold
        to_earlier = np.tril(vectors @ vectors.T >= self._threshold, -1)
        may_join = set(np.flatnonzero(np.logical_or(to_kept.any(axis=1), to_earlier.any(axis=1))).tolist())
        began: dict[int, int] = {}  # places by the rows of the block that they began with
        for row in range(len(vectors)):
            rank, shot = self.done + row, shots[row] if shots else NO_SHOT
            place = self._place_of_twin(shot, rank)
            if place is None and row in may_join:
                near = [self._numbers[at] for at in np.flatnonzero(to_kept[row])]
                near += [began[at] for at in np.flatnonzero(to_earlier[row]).tolist() if at in began]
                place = next((number for number in near if self.places[number].rank >= rank - WINDOW), None)
            if place is not None:
                self._join(place, rank, shot)
            else:
                began[row] = place = len(self.places)
                self.places.append(Fold(rank))
                if shot.is_raw:
                    self._raw[place] = shot
            for where in shot.places:
                self._shots.setdefault(where, []).append((place, shot))
        self.done += len(vectors)
        numbers = [*self._numbers, *began.values()]
        reach = [at for at, number in enumerate(numbers) if self.places[number].rank >= self.done - WINDOW]
        self._kept = np.concatenate([self._kept, vectors[list(began)]])[reach]
        self._numbers = [numbers[at] for at in reach]

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
