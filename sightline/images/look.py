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
# Of red, green and blue in the brightness that is seen: ITU-R BT.601, as in JPEG.
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


def look_of(pixels: NDArray[np.uint8]) -> Look:
    """The look of a picture.

    Args:
        pixels: RGB (h, w, 3), upright, of any size and strides; a thumbnail is large enough.
    """
    height, width = pixels.shape[:2]
    # By bands of rows: each is in the processor's cache as floats, which all of them would not be.
    bands = np.empty((SIDE, width * 3), np.float32)
    for band, (first, weights) in zip(bands, _bands(height), strict=True):
        rows = pixels[first : first + len(weights)].reshape(len(weights), -1)
        np.dot(weights, rows.astype(np.float32), out=band)
    brightness = bands.reshape(SIDE, width, 3) @ _LUMA
    grey = np.rint(brightness @ _means(width).T).astype(np.uint8)
    return Look(_hash(grey), grey.tobytes())


def look_of_thumbnail(data: bytes) -> Look | None:
    """The look of a picture by its thumbnail, a JPEG file; None where that is damaged.

    It is that of the pixels it was made of, but for what JPEG takes: 1 level of 256 on average.
    """
    size = jpeg.size_of(data)
    if not min(size):
        return None
    scale = min(jpeg.SCALES[-1], power_of_two(min(size) // _ENOUGH))
    pixels, remark = jpeg.pixels_of(data, size, scale)
    return None if pixels is None or remark else look_of(pixels)


def _hash(grey: NDArray[np.uint8]) -> int:
    waves = _waves()
    coefficients = (waves @ grey @ waves.T).ravel()[1:]
    coefficients = np.rint(coefficients / _STEP)
    bits = coefficients > np.median(coefficients)
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


@lru_cache(maxsize=64)
def _means(size: int) -> NDArray[np.float32]:
    """The matrix (SIDE, size) that takes the mean of each of SIDE equal parts of a line of pixels."""
    edges = np.arange(SIDE + 1) * (size / SIDE)
    pixels = np.arange(size)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.maximum(covered, 0) * (SIDE / size), np.float32)


@lru_cache(maxsize=64)
def _bands(size: int) -> list[tuple[int, NDArray[np.float32]]]:
    """Of each row of `_means` the first column that is not 0, and the weights from there on."""
    found = []
    for row in _means(size):
        there = np.flatnonzero(row)
        found.append((int(there[0]), row[there[0] : there[-1] + 1].copy()))
    return found


@lru_cache(maxsize=1)
def _waves() -> NDArray[np.float64]:
    """The lowest frequencies of the DCT-II of SIDE numbers, a row for each: (_FREQUENCIES, SIDE)."""
    return np.cos(np.pi / SIDE * np.outer(np.arange(_FREQUENCIES), np.arange(SIDE) + 0.5))
