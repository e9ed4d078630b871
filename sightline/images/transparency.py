"""What of a picture is transparent, where Pillow is mistaken, and the ground that it is shown on."""

from __future__ import annotations

from typing import BinaryIO, Final

import numpy as np
from PIL import Image, ImageFile

_WHITE: Final = (255, 255, 255)  # what viewers show behind a transparent picture
_DARK: Final = (64, 64, 64)
_FAINT: Final = 32  # levels of 255 that something must differ from white by to be seen on it
_SEEN: Final = 0.1  # where less of what is drawn can be seen on white, another ground is taken
_TRANSPARENT: Final = 0.02  # and at least so much of the picture shows the ground
_LOOKED_AT: Final = 128  # px; the choice must be the same for every size of one picture

_RGB_TYPE, _GREY_TYPE = 2, 0


def ground(image: Image.Image) -> tuple[int, int, int]:
    """The colour behind an RGBA picture: white, or dark grey where it could hardly be seen on white.

    A white logo on white is a blank page, to the eye as to a model.
    """
    factor = max(1, max(image.size) // _LOOKED_AT)
    pixels = np.asarray(image.reduce(factor) if factor > 1 else image, dtype=np.float32)
    opacity = pixels[..., 3] / 255
    if 1 - opacity.mean() < _TRANSPARENT or not opacity.any():
        return _WHITE
    is_seen = 255 - pixels[..., :3].min(axis=-1) >= _FAINT
    return _WHITE if (opacity * is_seen).sum() >= _SEEN * opacity.sum() else _DARK


def correct_key(image: ImageFile.ImageFile, source: BinaryIO) -> None:
    """Put right the transparency of a PNG just opened, as libpng has it (PNG, section 11.3.1.1).

    A chunk of more entries than the palette is not valid. A key colour is in the bits of the file, and Pillow has
    those of 16 cut to 8, and of less than 8 spread to 8.
    """
    key = image.info.get("transparency")
    if key is None:
        return
    place, lengths, header = 8, {}, b""
    while True:
        source.seek(place)
        head = source.read(8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or head[4:] == b"IDAT":
            break
        if head[4:] == b"IHDR":
            header = source.read(13)
        lengths[head[4:]] = length
        place += 12 + length
    depth, kind = header[8], header[9]
    if image.mode == "P" and lengths.get(b"tRNS", 0) * 3 > lengths.get(b"PLTE", 0):
        del image.info["transparency"]
    elif kind == _RGB_TYPE and depth == 16 and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)
    elif kind == _GREY_TYPE and depth in (2, 4) and isinstance(key, int):
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)


def outside_is_clear(image: Image.Image, frame: tuple[int, int, int, int]) -> Image.Image:
    """A GIF or WebP whose first frame covers a part of it: the rest is transparent."""
    if frame == (0, 0, *image.size):
        return image
    made = Image.new("RGBA", image.size)
    made.paste(image.convert("RGBA").crop(frame), frame[:2])
    return made
