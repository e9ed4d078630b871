"""Where the tiles of a picture lie, and how they become a model's input.

A grid of N has N tiles along the shorter side, each overlapping the next by half, so that a thing on the edge of one
lies in the middle of another. What a model looks at is a square. For one that squashes pictures to it, tiles have the
shape of the picture, as its training had, up to 3:2; for others they are squares, of which nothing is cropped. Along
the longer side lie as many more as it is longer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.models.preprocess import Preprocess
from sightline.tiles import LEAST_GRID
from store.arrays import Floats

MOST: Final = 128
"""Tiles of one picture: of a very long one they become oblong, up to all of its length."""
# The longer side of a tile to its shorter one, at most, of models that squash: beyond it a thing loses its shape.
_WIDEST: Final = 1.5
# With fewer pixels along a side a tile shows nothing that the whole picture does not.
_LEAST_SIDE: Final = 32


@dataclass(frozen=True, slots=True)
class CutPicture:
    """Tiles of a picture for a model: boxes float32 (n, 4), pixels uint8 (n, 3, height, width)."""

    boxes: Floats
    pixels: NDArray[np.uint8]


def without_pixels(cut: Mapping[int, CutPicture]) -> dict[int, CutPicture]:
    """The boxes alone, for who keeps the pixels elsewhere."""
    return {id_: replace(each, pixels=np.empty((0, 3, 0, 0), np.uint8)) for id_, each in cut.items()}


def boxes(size: tuple[int, int], grid: int, *, square: bool) -> Floats:
    """Tiles of an upright picture, row by row: left, top, width, height as shares, float32 (n, 4).

    Of a picture with few pixels there are fewer, or none.

    Args:
        size: its width and height, px.
        grid: tiles along its shorter side, `LEAST_GRID` to `MOST_GRID`.
        square: whether tiles are squares, or of the picture's shape.
    """
    width, height = size
    grid = min(grid, 2 * min(size) // _LEAST_SIDE - 1)
    if grid < LEAST_GRID:
        return np.empty((0, 4), np.float32)
    side = 2 * min(size) / (grid + 1)
    length = side * (1 if square else min(_WIDEST, max(size) / min(size)))
    along = min(round((max(size) - length) / (length / 2)) + 1, MOST // grid)
    length = max(length, max(size) / along)
    (columns, wide), (rows, high) = ((along, length), (grid, side))[:: 1 if width >= height else -1]
    lefts, tops = np.linspace(0, width - wide, columns) / width, np.linspace(0, height - high, rows) / height
    made = [(left, top, wide / width, high / height) for top in tops for left in lefts]
    return np.array(made, np.float32)


def need_of(preprocess: Preprocess, grid: int) -> int:
    """What `Preprocess.need` is for a whole picture of whose tiles each is resized to the model's input."""
    return math.ceil(preprocess.need * (grid + 1) / 2)


def cut(pixels: NDArray[np.uint8], original: tuple[int, int], grid: int, preprocess: Preprocess) -> CutPicture:
    """The tiles of a picture as a model takes them.

    Args:
        pixels: upright RGB (h, w, 3).
        original: height and width of the picture that they are shrunk from.
        grid: see `boxes`.
        preprocess: of the model.
    """
    found = boxes((original[1], original[0]), grid, square=is_square(preprocess))
    made = np.empty((len(found), 3, *preprocess.size), np.uint8)
    for place, box in enumerate(found.tolist()):
        made[place] = preprocess.apply(tile_of(pixels, box))
    return CutPicture(found, made)


def tile_of(pixels: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.uint8]:
    """The pixels of a tile among those of its picture (h, w, 3); its box as of `boxes`."""
    height, width = pixels.shape[:2]
    left, top, wide, high = box
    x, y = round(left * width), round(top * height)
    right, bottom = max(x + 1, round((left + wide) * width)), max(y + 1, round((top + high) * height))
    return pixels[y:bottom, x:right]


def is_square(preprocess: Preprocess) -> bool:
    """Whether a model's tiles are squares."""
    return preprocess.resize != "squash"


def usual_count(grid: int, preprocess: Preprocess) -> int:
    """How many tiles a photo of 4:3 has."""
    return len(boxes((4_000, 3_000), grid, square=is_square(preprocess)))
