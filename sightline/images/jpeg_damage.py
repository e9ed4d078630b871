"""A remark on a JPEG that was decoded though libjpeg warned: what a person will see of it."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.images.jpeg_markers import END

DAMAGED: Final = "part of the picture data is damaged"

# What libjpeg (jerror.h) says of damaged scans; the rest is of headers and profiles.
_OF_SCANS: Final = ("premature end", "Huffman code", "arithmetic code", "found marker", "extraneous bytes")
_LEFT_OVER: Final = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_RESTARTS: Final = range(0xD0, 0xD8)
_FEW: Final = 256  # bytes; encoders pad the end of a scan with less
_GREY: Final = 128  # what libjpeg fills with where data are missing
_SMALLEST: Final = 0.01  # of the picture, that is told as a share
_MOST: Final = 0.9  # of the picture, that may be grey where no decoder calls it whole
_SIDES: Final = {1: "lower", 2: "lower", 3: "upper", 4: "upper", 5: "right", 6: "left", 7: "left", 8: "right"}
"""Where the end of the scan is when the picture is turned upright, by its EXIF orientation."""


def is_worth_showing(data: bytes, pixels: NDArray[np.uint8]) -> bool:
    """Whether what came out of a broken scan is a picture, and the file has its end: it was not cut short."""
    return data.rstrip(b"\0").endswith(END) and _grey_share(pixels) <= _MOST


def remark(
    doubt: str, data: bytes, pixels: NDArray[np.uint8], orientation: int, *, is_broken: bool = False
) -> str | None:
    """What is wrong with the picture; None where libjpeg's warning is not about its pixels.

    Args:
        doubt: what libjpeg said.
        data: the file.
        pixels: what came out, not turned.
        orientation: of the EXIF, 1 to 8.
        is_broken: whether decoding ended with an error, and not with a warning only.
    """
    if not is_broken and (not any(words in doubt for words in _OF_SCANS) or _is_padding(doubt, data)):
        return None
    share = _grey_share(pixels)
    if share < _SMALLEST:
        return DAMAGED
    return f"the picture ends early: the {_SIDES[orientation]} {share:.0%} is grey".replace("%", " %")


def _grey_share(pixels: NDArray[np.uint8]) -> float:
    """How much of the picture, from its stored end, is nothing but grey: 0 to 1."""
    rows = (pixels == _GREY).all(axis=(1, 2))
    return (int(np.argmin(rows[::-1])) if not rows.all() else len(rows)) / len(rows)


def _is_padding(doubt: str, data: bytes) -> bool:
    """Whether bytes were only left over: between segments, or as padding or a few behind a scan."""
    found = _LEFT_OVER.search(doubt)
    if found is None:
        return False
    count, marker = int(found[1]), int(found[2], 16)
    if marker in _RESTARTS:
        return False
    end = data.rfind(END)
    return marker != END[1] or count < _FEW or not data[max(0, end - count) : end].strip(b"\0\xff")
