"""Truevision TGA, which has no magic number: a file is one where all of its header makes sense.

Pillow reads the pixels. Format: Truevision TGA File Format Specification 2.0, pages 6 to 10 and 23.
"""

from __future__ import annotations

import io
import struct
from typing import Any, Final

from PIL import Image, TgaImagePlugin

from sightline.images.errors import DecodeError

# By the kind of picture without its bit for run lengths: bits a pixel. 1 has a colour map, 2 colours, 3 is grey.
_DEPTHS: Final = {1: (8,), 2: (16, 24, 32), 3: (8, 16)}
_HEADER: Final = 18
_RUNS: Final = 8
_MOST_EXPANDED: Final = 16_000_000  # pixels; of single ones, as many take 8 s


def accept(prefix: bytes) -> bool:
    """Whether the first 16 bytes may be those of a TGA file."""
    if len(prefix) < 16:
        return False
    _, has_map, kind, _, entries, entry_bits = struct.unpack("<BBBHHB", prefix[:8])
    if kind & ~_RUNS not in _DEPTHS or has_map != (kind & ~_RUNS == 1):
        return False
    return (0 < entries <= 256 and entry_bits in (16, 24, 32)) if has_map else not (entries or entry_bits)


class TgaImageFile(TgaImagePlugin.TgaImageFile):
    """A TGA file. Its fourth channel is transparency where the header says so, and it shows anything."""

    def _open(self) -> None:
        assert self.fp is not None
        self._source = self.fp  # which Pillow lets go of when it fails
        self._head = self.fp.read(_HEADER)
        self.fp.seek(0, io.SEEK_END)
        size = self.fp.tell()
        width, height, depth, flags = struct.unpack("<HHBB", self._head[12:])
        kind = self._head[2]
        rows = 0 if kind & _RUNS else width * height * depth // 8
        if depth not in _DEPTHS.get(kind & ~_RUNS, ()) or flags & 0xC0 or size < _HEADER + rows:
            # Of a file that is no TGA at all, as most that come here: there is no telling that its header is damaged.
            raise DecodeError("open", "neither a whole TGA file nor of another format Sightline reads")
        self.fp.seek(0)
        super()._open()

    def load(self) -> Any:
        """Read the pixels; runs may go on over the end of a row, which Pillow's decoder refuses."""
        if not self.tile:
            return super().load()
        start = self.tile[0].offset
        try:
            return super().load()
        except OSError:
            if not self._head[2] & _RUNS or self.size[0] * self.size[1] > _MOST_EXPANDED:
                raise
        plain = io.BytesIO(bytes([0, *self._head[1:2], self._head[2] & ~_RUNS, *self._head[3:]]))
        self._source.seek(_HEADER + self._head[0])
        plain.seek(0, io.SEEK_END)
        plain.write(self._source.read(start - _HEADER - self._head[0]))
        plain.write(self._expanded(start))
        plain.seek(0)
        picture = TgaImageFile(plain, "")
        picture.load()
        self.im, self._mode, self.tile = picture.im, picture.mode, []
        return Image.Image.load(self)

    def _expanded(self, start: int) -> bytes:
        """The pixels that runs and literals stand for."""
        self._source.seek(start)
        width = self._head[16] // 8
        wanted = self.size[0] * self.size[1] * width
        data = self._source.read(2 * wanted + 128 * width + 1)  # at most a byte before each pixel, and a run too many
        out, at = bytearray(), 0
        while len(out) < wanted and at < len(data):
            count = (data[at] & 0x7F) + 1
            if data[at] & 0x80:
                out += data[at + 1 : at + 1 + width] * count
                at += 1 + width
            else:
                out += data[at + 1 : at + 1 + width * count]
                at += 1 + width * count
        if len(out) < wanted:
            raise OSError("image file is truncated")
        return bytes(out[:wanted])

    def load_end(self) -> None:
        """Drop a fourth channel that is no transparency."""
        super().load_end()
        if self.mode == "RGBA" and (not self._head[17] & 0x0F or self.im.getband(3).getextrema() == (0, 0)):
            self.im.fillband(3, 255)
