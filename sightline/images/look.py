"""What a picture looks like in few bytes: a small grey picture, and a perceptual hash of it.

Both are of a thumbnail, while its pixels are in memory. They tell whether two pictures are versions of each other.
Vectors alone don't: how near two versions are depends on the model.

The hash is that of Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010), section 3.2:
the signs of the lowest frequencies of a discrete cosine transform (DCT-II) about their median.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.images import jpeg
from sightline.images.scaling import power_of_two
from store.tables.looks import SIDE, Look

__all__ = ["SIDE", "Look", "look_of", "look_of_thumbnail"]

# The lowest frequencies across and down that the hash keeps, but for the mean: 63 bits, so that it is never negative.
_FREQUENCIES: Final = 8
# Coefficients below half of this count as 0: rounding must not decide the bits of flat pictures.
_STEP: Final = 1e-6
# Sides of a thumbnail may be decoded down to this, px.
_ENOUGH: Final = 4 * SIDE
# Rows that are added up for each part: with fewer its edges would be too coarse in small pictures, and the sum of more
# levels has more than 16 bits.
_LEAST: Final = 8
_MOST: Final = 257
_PARTS: Final = 8  # parts down whose rows are added up at once
# Of red, green and blue in the brightness that is seen: ITU-R BT.601, as in JPEG.
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


def look_of(pixels: NDArray[np.uint8]) -> Look:
    """The look of a picture; takes 0.1 to 0.2 ms for a thumbnail.

    Args:
        pixels: RGB (h, w, 3), upright, of any size and strides; a thumbnail is large enough.
    """
    height, width = pixels.shape[:2]
    rows = _sampled(height)
    sums = np.empty((SIDE, width * 3), np.uint16)
    # Rows first, as whole numbers of 16 bits, a few parts at a time: so they stay in the processor's cache.
    for done in range(0, SIDE, _PARTS):
        here = rows[done * len(rows) // SIDE : (done + _PARTS) * len(rows) // SIDE]
        part = (pixels[here[0] : here[-1] + 1] if len(rows) == height else pixels[here]).astype(np.uint16)
        np.add.reduce(part.reshape(_PARTS, -1, width * 3), axis=1, dtype=np.uint16, out=sums[done : done + _PARTS])
    brightness = sums.reshape(SIDE, width, 3) @ _LUMA
    grey = np.rint(brightness @ _means(width) * np.float32(SIDE / len(rows))).astype(np.uint8)
    return Look(_hash(grey), grey.tobytes())


def look_of_thumbnail(data: bytes) -> Look | None:
    """The look of a picture by its thumbnail, a JPEG file; None where that is damaged.

    It is that of the pixels it was made of, but for what JPEG takes: of 300 photographs 0.4 levels of 256 on average,
    and 4 bits of the hash at most.
    """
    size = jpeg.size_of(data)
    if not min(size):
        return None
    scale = min(jpeg.SCALES[-1], power_of_two(min(size) // _ENOUGH))
    pixels, remark = jpeg.pixels_of(data, size, scale)
    return None if pixels is None or remark else look_of(pixels)


@lru_cache(maxsize=64)
def _sampled(size: int) -> NDArray[np.intp]:
    """Of a column of pixels those to add up, equally many for each of SIDE parts: all, and some twice."""
    each = min(max(-(-size // SIDE), _LEAST), _MOST)
    return (2 * np.arange(SIDE * each) + 1) * size // (2 * SIDE * each)


@lru_cache(maxsize=64)
def _means(size: int) -> NDArray[np.float32]:
    """The matrix (size, SIDE) that takes the mean of each of SIDE equal parts of a line of pixels."""
    edges = np.arange(SIDE + 1) * (size / SIDE)
    pixels = np.arange(size)[:, None]
    covered = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return np.asarray(np.maximum(covered, 0) * (SIDE / size), np.float32)


def _hash(grey: NDArray[np.uint8]) -> int:
    waves = _waves()
    coefficients = np.rint((waves @ grey @ waves.T).ravel()[1:] / _STEP)
    bits = coefficients > np.sort(coefficients)[len(coefficients) // 2]  # above their median
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


@lru_cache(maxsize=1)
def _waves() -> NDArray[np.float64]:
    """The lowest frequencies of the DCT-II of SIDE numbers, a row for each: (_FREQUENCIES, SIDE)."""
    return np.cos(np.pi / SIDE * np.outer(np.arange(_FREQUENCIES), np.arange(SIDE) + 0.5))
