"""Windows icons: the largest picture, and of several of its size the one with most colours.

Pillow reads the pixels. Format: https://learn.microsoft.com/previous-versions/ms997538(v=msdn.10), "Icons in Win32".
"""

from __future__ import annotations

import struct
from typing import Any, Final

from PIL import IcoImagePlugin, Image, ImageFile

from sightline.images.errors import DecodeError

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_LARGEST_SIDE: Final = 4096  # Windows makes them of 256; a PNG inside may claim any size


def accept(prefix: bytes) -> bool:
    """Whether a file begins like an icon.

    That is type 1, 1 to 255 pictures, and the byte of the first that is always 0.
    """
    return prefix.startswith(b"\0\0\1\0") and prefix[4:5] != b"\0" and prefix[5:6] == b"\0" and prefix[9:10] == b"\0"


class IcoImageFile(ImageFile.ImageFile):
    """An icon, with its transparency."""

    format = "ICO"
    format_description = "Windows icon"

    def _open(self) -> None:
        assert self.fp is not None
        self._icon = IcoImagePlugin.IcoFile(self.fp)
        self._entry = self._icon.entry[0]
        # What the list of an icon says of a size is one byte: the picture itself knows better.
        self.fp.seek(self._entry.offset)
        head = self.fp.read(24)
        if head.startswith(_PNG):
            width, height = struct.unpack(">II", head[16:24])
        else:
            width, height = struct.unpack("<ii", head[4:12])
            height //= 2  # the mask lies above the colours
        if max(width, height) > _LARGEST_SIDE:
            limit = f"{_LARGEST_SIDE} pixels a side"
            raise DecodeError("open", f"the picture in the icon says it has {width}x{height}; the limit is {limit}")
        self._size, self._mode = (width, height), "RGBA"

    def load(self) -> Any:
        """Read the pixels, once."""
        if self._im is None:
            picture = self._icon.frame(0)
            picture.load()
            picture = picture.convert("RGBA")
            # Icons of 32 bits from before Windows XP: zeros where transparency would be.
            if picture.getchannel("A").getextrema() == (0, 0) and self._entry.bpp == 32:
                picture.putalpha(255)
            self.im = picture.im
        return Image.Image.load(self)
