"""From which cosines pictures of a library are compared with each other."""

from __future__ import annotations

from typing import Final

import numpy as np

from sightline.ranking.calibration import FEW, SAMPLE, duplicate_threshold
from sightline.version_pairs import Nearness, PictureFacts
from store.library import Library

# Of pairs of pictures so many are farther apart than two whose pixels are compared. How near versions are differs from
# space to space, and so does how near different pictures are; versions lie above this in each.
PIXELS_QUANTILE: Final = 0.999
# And so many than the frames of a burst.
BURST_QUANTILE: Final = 0.99
_PAIRED: Final = 1_024  # pictures whose pairs are looked at


def nearness(library: Library, space_id: int) -> Nearness:
    """The cosines of a space, by the pictures that are in it now."""
    engine = library.vectors.get(space_id)
    sample = engine.sample(SAMPLE, without=library.catalog.absent_contents())[1]
    alone = duplicate_threshold(sample)
    some = sample[:_PAIRED]
    pairs = (some @ some.T)[np.triu_indices(len(some), 1)]
    different = pairs[pairs < alone]
    if len(sample) < FEW or not len(different):
        return Nearness(alone, alone, alone)
    pixels, burst = np.quantile(different, (PIXELS_QUANTILE, BURST_QUANTILE))
    return Nearness(alone, float(pixels), float(burst))


class Comparisons:
    """What pictures are compared by, made anew when the library has changed. Thread-safe."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._nearness: dict[int, tuple[int, Nearness]] = {}
        self._facts: tuple[int, PictureFacts] = (-1, PictureFacts(library.catalog))

    def nearness(self, space_id: int, generation: int) -> Nearness:
        """The cosines of a space in this generation of the library."""
        known, found = self._nearness.get(space_id, (-1, None))
        if found is None or known != generation:
            found = nearness(self._library, space_id)
            self._nearness[space_id] = (generation, found)
        return found

    def facts(self, generation: int) -> PictureFacts:
        """What is compared besides, in this generation."""
        known, found = self._facts
        if known != generation:
            found = PictureFacts(self._library.catalog)
            self._facts = (generation, found)
        return found
