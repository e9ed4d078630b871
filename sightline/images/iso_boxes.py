"""Boxes, of which AVIF, HEIC and JPEG 2000 files are made (ISO/IEC 14496-12, section 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and content of each box; the last one may be cut."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        size = size or len(data) - place
        if size < head:
            return
        yield kind, data[place + head : place + size]
        place += size
