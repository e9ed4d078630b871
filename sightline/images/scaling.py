"""The size at which a picture is decoded: small, but large enough for the model and the thumbnail."""

from __future__ import annotations

from typing import Final

THUMBNAIL_SIDE: Final = 512


def decode_scale(size: tuple[int, int], need: int, thumbnail: bool) -> int:
    """The largest power of two to shrink by that keeps both promises of `sightline.images.decode.decode`."""
    shorter, longer = sorted(size)
    limit = shorter // (2 * need)
    if thumbnail:
        limit = min(limit, longer // THUMBNAIL_SIDE)
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
