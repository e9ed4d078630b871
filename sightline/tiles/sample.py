"""A sample of a library's pictures with their tiles, to calibrate terms that look at tiles."""

from __future__ import annotations

from typing import Final

import numpy as np

from store.arrays import Floats, Halves, Ids
from store.vectors.tiles import TileEngine

# Rows of the sample, pictures and tiles together: 64 MB of x 512 in half precision.
_ROWS: Final = 65_536
_LEAST: Final = 512  # pictures
_CHUNK: Final = 8_192  # rows that are compared at a time


class TileSample:
    """The tiles of some pictures.

    A term's cosine to a picture of the sample is that of its best tile, as it is in a search: what null queries score
    rises by that as what a term scores does, and so do the thresholds.
    """

    def __init__(self, vectors: Halves, counts: Ids) -> None:
        """Take the tiles of all pictures one after the other, float16 (n, dim), and how many each has."""
        self._vectors = vectors
        self._counts = counts

    @classmethod
    def of(cls, tiles: TileEngine, ids: Ids) -> TileSample:
        """The tiles of pictures by content id, int64 (n,)."""
        vectors, counts = tiles.vectors_of(ids)
        return cls(vectors.astype(np.float16), counts)

    def raise_to_best(self, queries: Floats, cosines: Floats) -> Floats:
        """Cosines float32 (m, n) of pictures raised to those of their best tiles, in place; returns them.

        `queries` are float32 (m, dim).
        """
        ends = np.cumsum(self._counts)
        first = 0
        while first < len(ends):
            start = int(ends[first] - self._counts[first])
            last = max(first + 1, int(np.searchsorted(ends, start + _CHUNK, side="right")))
            cut = first + np.flatnonzero(self._counts[first:last])
            if len(cut):
                rows = self._vectors[start : ends[last - 1]].astype(np.float32)
                best = np.maximum.reduceat(queries @ rows.T, ends[cut] - self._counts[cut] - start, axis=1)
                cosines[:, cut] = np.maximum(cosines[:, cut], best)
            first = last
        return cosines


def sample_size(tiles: TileEngine, most: int) -> int:
    """How many pictures a sample has, up to `most`: fewer the more tiles each has."""
    return min(most, max(_LEAST, int(_ROWS / (1 + tiles.per_picture))))
