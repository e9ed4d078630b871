"""What is known of a raw file, and the JPEG pictures that lie in it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from sightline.metadata.blocks import NO_BLOCKS, Blocks

_LONGEST: Final = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture inside a raw file: a JPEG in one part, or bare RGB of 8 bits in several.

    `parts`: offset and length of each.
    """

    width: int
    height: int
    parts: tuple[tuple[int, int], ...]
    is_jpeg: bool = True


@dataclass(slots=True)
class RawFile:
    """A raw file: its format, size, metadata and previews.

    `width` and `height` are pixels before it is turned, 0 where unknown. `orientation` is that of EXIF, None where only
    the preview may know it. `blocks` are its metadata, read from the file when they are asked for.
    """

    format: str
    width: int = 0
    height: int = 0
    orientation: int | None = None
    blocks: Blocks = NO_BLOCKS
    previews: list[Preview] = field(default_factory=list)


def jpeg_at(source: BinaryIO, offset: int, length: int) -> Iterator[Preview]:
    """The JPEG that lies there, if viewers show it: of 8 bits, not the lossless kind of raw data.

    Segments and frame headers: ITU-T T.81, annex B.
    """
    if not 4 < length <= _LONGEST:
        return
    end, at = offset + length, offset + 2
    source.seek(offset)
    if source.read(2) != b"\xff\xd8":
        return
    while at < end:
        source.seek(at)
        head = source.read(10)
        if len(head) < 10 or head[0] != 0xFF:
            return
        if head[1] in (0xC0, 0xC1, 0xC2):
            height, width = struct.unpack(">HH", head[5:9])
            if head[4] == 8 and width and height and head[9] in (1, 3):
                yield Preview(width, height, ((offset, length),))
            return
        if head[1] == 0xFF:
            at += 1
        elif head[1] == 0x01 or 0xD0 <= head[1] <= 0xD7:
            at += 2
        elif 0xC3 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):
            return  # lossless, hierarchical or with arithmetic codes
        elif head[1] in (0xD9, 0xDA):
            return
        else:
            at += 2 + int.from_bytes(head[2:4], "big")
