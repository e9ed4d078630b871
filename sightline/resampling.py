"""Pixels at another size, by Pillow's antialiased filters.

torch has the same kernels, vectorised: they are seven to nine times as fast as Pillow's (0.5 ms where it takes 4.7, for
800x600 to 341x256) and equal to one level. Importing torch for them takes seconds, which only a long run earns back. So
Pillow makes a program's first pictures, and torch those after `use_torch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

BY_TORCH: Final = ("bicubic", "bilinear")
"""The filters that torch has."""
FILTERS: Final = (*BY_TORCH, "nearest", "box", "hamming", "lanczos")
"""Pillow's."""

_Pixels = NDArray[np.uint8]
_Kernel = Callable[[_Pixels, tuple[float, float], tuple[int, int], str], _Pixels]


class Part(NamedTuple):
    """Where a part of a picture is, px."""

    top: int
    left: int
    height: int
    width: int


# torch's kernels, once `use_torch` was called: pixels, their true size, the target and the filter.
_fast: _Kernel | None = None


def resized(
    pixels: _Pixels, target: tuple[int, int], how: str = "bicubic", *, true: tuple[float, float] | None = None,
    part: Part | None = None,
) -> _Pixels:  # fmt: skip
    """Resize pixels (h, w, 3).

    Args:
        pixels: uint8, of any strides.
        target: height and width to resize them to, px.
        how: one of FILTERS.
        true: height and width of what is shown in `pixels`, where these were rounded to whole ones.
        part: of the resized pixels the part that is wanted; None for all.

    Returns:
        uint8 (height, width, 3) of `part`: the pixels themselves, or a view, where they have the target's size.
    """
    part = part or Part(0, 0, *target)
    true = true or (float(pixels.shape[0]), float(pixels.shape[1]))
    if pixels.shape[:2] == target:
        made = pixels
    elif how not in BY_TORCH:
        # In whole: their steps are sharp, and a box is of so few digits that one would move by a pixel.
        made = _by_pillow(pixels, true, target, how, Part(0, 0, *target))
    elif _fast is None:
        return _by_pillow(pixels, true, target, how, part)
    else:
        made = _fast(pixels, true, target, how)
    return made[part.top : part.top + part.height, part.left : part.left + part.width]


def _by_pillow(pixels: _Pixels, true: tuple[float, float], target: tuple[int, int], how: str, part: Part) -> _Pixels:
    from PIL import Image  # a run without news resizes nothing

    # What is shown may end beyond the last pixel, by half a one. Pillow takes no box that does.
    beyond = [max(0, math.ceil(shown) - there) for shown, there in zip(true, pixels.shape[:2], strict=True)]
    if any(beyond):
        pixels = np.pad(pixels, ((0, beyond[0]), (0, beyond[1]), (0, 0)), mode="edge")
    high, wide = true[0] / target[0], true[1] / target[1]
    # Only what is wanted is computed: a filter reaches beyond a box, so that the edge is as it would be within.
    box = (
        part.left * wide, part.top * high,
        min((part.left + part.width) * wide, pixels.shape[1]), min((part.top + part.height) * high, pixels.shape[0]),
    )  # fmt: skip
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((part.width, part.height), Image.Resampling[how.upper()], box))


def use_torch() -> None:
    """Have torch's kernels do the work from now on, which are faster; this imports torch."""
    global _fast

    import torch

    bicubic, bilinear = torch.ops.aten._upsample_bicubic2d_aa, torch.ops.aten._upsample_bilinear2d_aa

    def kernel(pixels: _Pixels, true: tuple[float, float], target: tuple[int, int], how: str) -> _Pixels:
        # The batch axis goes on first: torch then sees its channels-last layout and runs its fast kernel on it.
        batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"]))[None].permute(0, 3, 1, 2)
        # What torch.nn.functional.interpolate calls; it takes a size or a scale, and here they are not the same.
        resize = bicubic if how == "bicubic" else bilinear
        made = resize(batch, list(target), False, target[0] / true[0], target[1] / true[1])
        small: _Pixels = made[0].permute(1, 2, 0).numpy()
        return small

    _fast = kernel
