"""Whether two files show the same picture: by their thumbnails, and by their vectors."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.ranking.calibration import FEW, SAMPLE, duplicate_threshold
from store.arrays import Ids
from store.vectors.engine import VectorEngine

BLOCK: Final = 8
MOST_DIFFERENT: Final = 16.0
"""The greatest mean difference, of 255 levels, between two blocks of 8 x 8 pixels of thumbnails that look the same.

Measured on 30 photographs: turned by a tag, saved anew with a quality of 60, or made 5 % brighter, their blocks differ
by 15 at most. Shifted by 1 % of the width, or with a dot of 1/40 of the width drawn in, some block differs by 32 or
more.
"""

_SAME_SHAPE: Final = 0.02  # two shares of height to width that differ by less are one
_TURNS: Final = (None, *Image.Transpose)


def look_the_same(one: bytes, other: bytes) -> bool:
    """Whether two thumbnails, files of pictures, show the same pixels, maybe turned or mirrored."""
    if one == other:
        return True
    first, second = _opened(one), _opened(other)
    return any(_match(first, second if turn is None else second.transpose(turn)) for turn in _TURNS)


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def _match(first: Image.Image, second: Image.Image) -> bool:
    ratio = (first.width / first.height) / (second.width / second.height)
    if abs(ratio - 1) > _SAME_SHAPE:
        return False
    size = min(first.size, second.size)
    pixels = [np.asarray(image.resize(size), np.float32) for image in (first, second)]
    return bool(_blocks(np.abs(pixels[0] - pixels[1]).mean(axis=2)).max() <= MOST_DIFFERENT)


def _blocks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The means of blocks, those at the right and lower edge being smaller."""
    rows, columns = (np.arange(0, length, BLOCK) for length in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    heights, widths = (
        np.minimum(BLOCK, length - starts) for length, starts in zip(values.shape, (rows, columns), strict=True)
    )
    return np.asarray(sums / np.outer(heights, widths), np.float32)


def version_threshold(engine: VectorEngine, absent: Ids) -> float:
    """The cosine from which two pictures of a space are versions of one, as on the Duplicates page.

    Few pictures tell little of how far apart pictures are in this space. They can make it stricter, but not looser than
    it is where nothing is known.

    Args:
        engine: of the space.
        absent: contents that no photo holds, which don't count.
    """
    sample = engine.sample(SAMPLE, without=absent)[1]
    threshold = duplicate_threshold(sample)
    return threshold if len(sample) >= FEW else max(threshold, duplicate_threshold(sample[:0]))
