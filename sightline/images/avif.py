"""The clean aperture of an AVIF (ISO/IEC 14496-12, 12.1.4), which Pillow's plugin doesn't apply."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, Final

from PIL import AvifImagePlugin, ImageFile

from sightline.images.iso_boxes import boxes

_MOST_HEADER: Final = 2**20  # the properties come first; pixels lie behind


def open_avif(source: BinaryIO, filename: str = "") -> ImageFile.ImageFile:
    """Open an AVIF; raises whatever Pillow does for a damaged file."""
    source.seek(0)
    aperture = _aperture(source.read(_MOST_HEADER))
    source.seek(0)
    if aperture is None:
        return AvifImagePlugin.AvifImageFile(source, filename)
    image = _CleanAvif(source, filename)
    image.crop_to(*aperture)
    return image


class _CleanAvif(AvifImagePlugin.AvifImageFile):
    """A picture of which the coded one is larger."""

    _box: tuple[int, int, int, int] | None = None

    def crop_to(self, width: float, height: float, right: float, down: float) -> None:
        """Be the part of this size whose centre lies `right` and `down` of the centre of the whole."""
        whole = self._whole = self.size
        left = round((whole[0] - width) / 2 + right)
        top = round((whole[1] - height) / 2 + down)
        box = (left, top, left + round(width), top + round(height))
        if 0 <= left < box[2] <= whole[0] and 0 <= top < box[3] <= whole[1] and (box[2], box[3]) != (0, 0):
            self._box, self._size = box, (box[2] - left, box[3] - top)

    def load(self) -> Any:
        """Decode the whole, and keep the part."""
        if self.tile and self._box is not None:
            self._size = self._whole
            super().load()
            part = self.crop(self._box)
            self.im, self._size = part.im, part.size
        return super().load()


def _aperture(data: bytes) -> tuple[float, float, float, float] | None:
    """Width, height and offsets of the centre, px, of the primary item; None without a clean aperture."""
    if b"clap" not in data:
        return None
    meta = dict(boxes(dict(boxes(data)).get(b"meta", b"")[4:]))
    held, first = dict(boxes(meta.get(b"iprp", b""))), meta.get(b"pitm", b"\0")
    properties, primary = list(boxes(held.get(b"ipco", b""))), int.from_bytes(first[4:], "big")
    for index in _associations(held.get(b"ipma", b"")).get(primary, []):
        kind, content = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"clap" and len(content) == 32:
            numbers = struct.unpack(">IIIIiIiI", content)
            if all(numbers[1::2]):
                width, height, right, down = (numbers[place] / numbers[place + 1] for place in (0, 2, 4, 6))
                return width, height, right, down
    return None


def _associations(content: bytes) -> dict[int, list[int]]:
    """The properties of each item, by their places among all, from 1 on (ISO/IEC 23008-12, section 9.3)."""
    if len(content) < 8:
        return {}
    version, flags = content[0], content[3]
    item_bytes, index_bytes = (4 if version else 2), (2 if flags & 1 else 1)
    made: dict[int, list[int]] = {}
    place = 8
    for _ in range(int.from_bytes(content[4:8], "big")):
        if place + item_bytes >= len(content):
            break
        item, count = int.from_bytes(content[place : place + item_bytes], "big"), content[place + item_bytes]
        place += item_bytes + 1
        raw = [content[at : at + index_bytes] for at in range(place, place + count * index_bytes, index_bytes)]
        made[item] = [int.from_bytes(each, "big") & (0x7FFF if index_bytes == 2 else 0x7F) for each in raw]
        place += count * index_bytes
    return made
