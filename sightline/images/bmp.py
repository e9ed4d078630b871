"""BMPs whose channels lie where Pillow doesn't look for them: any bit masks, of 16 or 32 bits a pixel."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, ImageFile

_BITFIELDS: Final = frozenset({3, 6})  # BI_BITFIELDS, BI_ALPHABITFIELDS
_KNOWN_TO_PILLOW: Final = frozenset({
    (0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    (0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0), (0, 0, 0, 0),
})  # fmt: skip
_WITH_ALPHA: Final = 56  # bytes of the first header that has a mask for it


def open_bmp(source: BinaryIO, filename: str = "") -> ImageFile.ImageFile:
    """Open a BMP, by Pillow where it knows its layout; raises whatever Pillow does for a damaged file."""
    source.seek(0)
    masks = _masks(source)
    source.seek(0)
    if masks is not None and masks not in _KNOWN_TO_PILLOW:
        return _MaskedBmp(source, filename)
    return BmpImagePlugin.BmpImageFile(source, filename)


def _masks(source: Any) -> tuple[int, ...] | None:
    """The masks of red, green, blue and alpha; None where it has none."""
    head = source.read(14 + 40)
    if len(head) < 54:
        return None
    header, _, _, _, bits, compression = struct.unpack_from("<IiiHHI", head, 14)
    if compression not in _BITFIELDS or bits not in (16, 32):
        return None
    count = 4 if header >= _WITH_ALPHA or compression == 6 else 3
    masks = source.read(4 * count)
    return (*struct.unpack(f"<{count}I", masks), 0)[:4] if len(masks) == 4 * count else None


class _MaskedBmp(ImageFile.ImageFile):
    format = "BMP"

    def _open(self) -> None:
        assert self.fp is not None
        masks = _masks(self.fp)
        if masks is None or not all(masks[:3]) or sum(masks) != masks[0] | masks[1] | masks[2] | masks[3]:
            raise SyntaxError("the bit masks overlap or are missing")
        self.fp.seek(10)
        self._offset, _, width, height, _, self._bits = struct.unpack("<IIiiHH", self.fp.read(20))
        self._masks, self._is_top_down = masks, height < 0
        self._size = width, abs(height)
        self._mode = "RGBA" if masks[3] else "RGB"
        self.tile = [ImageFile._Tile("masks", (0, 0, *self._size), self._offset, ())]

    def load(self) -> Any:
        """Read the pixels by their masks."""
        if self.tile:
            assert self.fp is not None
            self.im, self.tile = self._read(self.fp).im, []
        return Image.Image.load(self)

    def _read(self, source: Any) -> Image.Image:
        width, height = self._size
        size = self._bits // 8
        row = (width * size + 3) & ~3
        source.seek(self._offset)
        data = source.read(row * height)
        if len(data) < row * height:
            raise EOFError(f"{len(data)} of {row * height} bytes of the pixels are there")
        values = np.frombuffer(data, np.uint8).reshape(height, row)[:, : width * size].copy().view(f"<u{size}")
        channels = [_channel(values, mask) for mask in self._masks if mask]
        if len(channels) == 4 and not channels[3].any():  # an alpha that nobody wrote
            channels[3][:] = 255
        pixels = np.stack(channels, axis=-1)
        return Image.fromarray(pixels if self._is_top_down else np.ascontiguousarray(pixels[::-1]), self._mode)


def _channel(values: NDArray[Any], mask: int) -> NDArray[np.uint8]:
    """The bits under a mask, as 0 to 255."""
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    levels: NDArray[Any] = (values & values.dtype.type(mask)) >> values.dtype.type(shift)
    spread: NDArray[np.uint8] = np.rint(levels * (255 / most)).astype(np.uint8)
    return spread
