"""Sizes: at which a picture is decoded, small but large enough, and at which it is shown on screens."""

from __future__ import annotations

from typing import Final

THUMBNAIL_SIDE: Final = 512
PREVIEW_SIDE: Final = 1600

# A picture of more than 20:9 keeps 720 px of its shorter side in a preview, so that the text of a long screenshot can
# be told; one of more than 3:1 keeps 170 in a thumbnail, of which the grid shows a part. All others are as long as
# their side says.
PREVIEW_LEAST: Final = 720
THUMBNAIL_LEAST: Final = 170
# Within these, times the square of the side and the side: 10 megapixels and 32,000 px of a preview. A JPEG ends at
# 65,500 px, and what is drawn on screens at 32,767.
_AREA: Final = 4
_LENGTH: Final = 20


def screen_size(size: tuple[int, int], side: int, least: int) -> tuple[int, int]:
    """The width and height at which a picture of `size` is shown; never larger than it.

    The longer side has `side` px, or the shorter one `least` where that is more: a strip would be unreadable. Yet at
    most 4 * side^2 pixels, and 20 * side px in length.
    """
    shorter, longer = sorted(size)
    most = min(side * (_AREA / (longer * shorter)) ** 0.5, side * _LENGTH / longer)
    ratio = max(side / longer, min(least / shorter, most))
    if ratio >= 1:
        return size
    width, height = (max(1, round(each * ratio)) for each in size)
    return width, height


def decode_scale(size: tuple[int, int], need: int, thumbnail: bool) -> int:
    """The largest power of two to shrink by that keeps both promises of `sightline.images.decode.decode`."""
    shorter, longer = sorted(size)
    limit = shorter // (2 * need)
    if thumbnail:
        limit = min(limit, longer // max(screen_size(size, THUMBNAIL_SIDE, THUMBNAIL_LEAST)))
    return power_of_two(limit)


def power_of_two(limit: int) -> int:
    """The largest power of two up to `limit`, at least 1."""
    return 1 << (limit.bit_length() - 1) if limit > 1 else 1


def rounded_size(size: tuple[int, int], scale: int) -> tuple[int, int]:
    """The whole-pixel width and height nearest to size / scale.

    Nearest, because a cell that hangs over the edge stretches the picture: with 3 of 4 pixels beyond it the later
    resize is off by a quarter pixel at the far side (40 dB where 55 are to be had). Powers of two because camera
    sizes are divisible by them.
    """
    width, height = ((2 * side + scale) // (2 * scale) for side in size)
    return width, height
