"""Whether a file that can't be decoded lacks its end: by what its own structure says of its length."""

from __future__ import annotations

import os
from typing import BinaryIO


def is_cut_short(source: BinaryIO, name: str) -> bool:
    """Whether a file is shorter than it says or lacks its last mark; `name` is of its format in Pillow.

    Asked only of files that could not be decoded: some sound ones end without the mark.
    """
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    if name == "PNG":
        return not _png_ends(source, size)
    if name == "WEBP":
        head = source.read(8)
        return len(head) == 8 and int.from_bytes(head[4:], "little") + 8 > size
    if name in ("AVIF", "HEIF"):
        return _boxes_overrun(source, size)
    if name in ("JPEG", "MPO", "JPEG2000"):
        source.seek(0)
        return b"\xff\xd9" not in source.read()[2:]
    if name == "GIF":
        source.seek(max(0, size - 16))
        return b";" not in source.read()
    return False


def _png_ends(source: BinaryIO, size: int) -> bool:
    place = 8
    while place + 12 <= size:
        source.seek(place)
        head = source.read(8)
        place += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return True
    return False


def _boxes_overrun(source: BinaryIO, size: int) -> bool:
    """Whether a box of an ISO media file reaches beyond its end."""
    place = 0
    while place + 8 <= size:
        source.seek(place)
        head = source.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length == 0:  # to the end of the file
            return False
        if length < 8:
            return False
        place += length
    return place > size
