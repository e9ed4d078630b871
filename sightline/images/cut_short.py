"""Whether a file that can't be decoded lacks its end: by what its own structure says of its length."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Final

_LEAST_ZEROS: Final = 1024
_LEAST_SHARE: Final = 0.02
_PART: Final = 2**24  # bytes that are read at once
_TYPE_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # TIFF 6.0, section 2


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
        source.seek(2)
        return not _has(source, b"\xff\xd9")
    if name == "TIFF":
        return _directory_overruns(source, size)
    if name == "ICO":
        source.seek(4)
        entries = source.read(2 + 16 * int.from_bytes(source.read(2), "little"))[:-2]
        return any(sum(struct.unpack_from("<II", entry, 8)) > size for entry in _each(entries, 16))
    if name == "GIF":
        source.seek(max(0, size - 16))
        return b";" not in source.read()
    return False


def _has(source: BinaryIO, mark: bytes) -> bool:
    """Whether two bytes are in the rest of a file, read in parts: it may exceed the memory."""
    last = b""
    while part := source.read(_PART):
        if mark in last + part:
            return True
        last = part[-1:]
    return False


def zeros_at_end(source: BinaryIO) -> str | None:
    """A remark on a file of which a large part at the end is zeros; None where that is not so.

    That is what is left of a copy that was interrupted after the whole file had got its place on the disk.
    """
    size = end = source.seek(0, os.SEEK_END)
    least = max(_LEAST_ZEROS, round(size * _LEAST_SHARE))
    source.seek(max(0, size - least))
    if size <= least or source.read(least).strip(b"\0"):
        return None
    while end:  # in parts, from the end: the file may be larger than the memory
        begin = max(0, end - _PART)
        source.seek(begin)
        rest = source.read(end - begin).rstrip(b"\0")
        end = begin + len(rest)
        if rest:
            break
    share = 1 - end / size
    return f"the last {share:.0%} of the file are zeros: a part of the picture may be missing".replace("%", " %")


def _each(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]


def _directory_overruns(source: BinaryIO, size: int) -> bool:
    """Whether the first directory of a classic TIFF, or a value that it points to, reaches beyond the end."""
    head = source.read(8)
    order = "<" if head[:2] == b"II" else ">"
    if len(head) < 8 or struct.unpack(f"{order}H", head[2:4])[0] != 42:
        return False
    (place,) = struct.unpack(f"{order}I", head[4:])
    if place + 2 > size:
        return True
    source.seek(place)
    (count,) = struct.unpack(f"{order}H", source.read(2))
    entries = source.read(12 * count)
    values = (struct.unpack(f"{order}HHII", entry) for entry in _each(entries, 12))
    return len(entries) < 12 * count or any(
        _TYPE_BYTES.get(kind, 0) * length > 4 and start + _TYPE_BYTES.get(kind, 0) * length > size
        for _, kind, length, start in values
    )


def _png_ends(source: BinaryIO, size: int) -> bool:
    place = 8
    while place + 12 <= size:
        source.seek(place)
        head = source.read(8)
        place += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return True
        if not head[4:].isalpha():  # no name of a chunk: zeros to the end would be gone through 12 bytes at a time
            return False
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
