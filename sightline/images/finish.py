"""What is made of decoded pixels: pictures for screens, their look and colour.

Nothing here reads a stranger's bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.images import jpeg
from sightline.images.dominant_colour import dominant
from sightline.images.look import Look, look_of
from sightline.images.scaling import (
    PREVIEW_LEAST,
    PREVIEW_SIDE,
    THUMBNAIL_LEAST,
    THUMBNAIL_SIDE,
    screen_size,
)  # fmt: skip
from sightline.metadata.facts import Facts
from sightline.resampling import resized

_THUMBNAIL_QUALITY: Final = 82  # about 35 kB for a photograph; below 80 skies begin to band
_PREVIEW_QUALITY: Final = 85  # about 300 kB; it is looked at alone, and large

ToSrgb = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Makes sRGB of pixels (h, w, 3) of any strides."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture.

    `pixels`: (height, width, 3) uint8, upright, contiguous and writable, in the file's own RGB space: the models were
    trained on pictures whose colour profile was ignored. `thumbnail`: a baseline JPEG in sRGB without any metadata.
    `original`: height and width of the whole picture, upright, which `pixels` are a power of two smaller than: those of
    the facts, but for a raw file, whose preview it is.
    `colour`: the dominant colour of the thumbnail, 0xRRGGBB in sRGB; None without a thumbnail. `look`: what that looks
    like, for comparing; None likewise.
    `remark`: what was wrong with the file, though there is a picture, in words for the person who owns it.
    """

    pixels: NDArray[np.uint8]
    facts: Facts
    original: tuple[int, int]
    thumbnail: bytes | None
    colour: int | None = None
    remark: str | None = None
    look: Look | None = None


def decoded(
    pixels: NDArray[np.uint8], facts: Facts, original: tuple[int, int], remark: str | None, *, thumbnail: bool,
    to_srgb: ToSrgb | None,
) -> Decoded:  # fmt: skip
    """Make a decoded picture of upright pixels (h, w, 3), with a thumbnail where one is wanted."""
    if not thumbnail:
        return Decoded(pixels, facts, original, None, remark=remark)
    picture = _for_screens(pixels, THUMBNAIL_SIDE, THUMBNAIL_LEAST, to_srgb)
    encoded = jpeg.encoded(picture, _THUMBNAIL_QUALITY)
    return Decoded(pixels, facts, original, encoded, dominant(picture), remark, look_of(picture))


def preview(pixels: NDArray[np.uint8], to_srgb: ToSrgb | None, side: int = PREVIEW_SIDE) -> bytes:
    """A picture to be looked at, of upright pixels (h, w, 3).

    A baseline JPEG in sRGB without any metadata. Its longest side has at most `side` px, that of a long picture more
    (see `screen_size`); it is never larger than the pixels are.
    """
    least = round(side * PREVIEW_LEAST / PREVIEW_SIDE)
    return jpeg.encoded(_for_screens(pixels, side, least, to_srgb), _PREVIEW_QUALITY)


def _for_screens(pixels: NDArray[np.uint8], side: int, least: int, to_srgb: ToSrgb | None) -> NDArray[np.uint8]:
    """The pixels in sRGB, at the `screen_size` of them."""
    size = screen_size((pixels.shape[0], pixels.shape[1]), side, least)
    pixels = resized(pixels, size)
    return pixels if to_srgb is None else to_srgb(pixels)
