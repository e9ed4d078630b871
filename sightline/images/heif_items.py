"""The list of items in an AVIF or HEIC file, to hide what lies beside the pixels from readers.

Layout: `infe` boxes of ISO/IEC 14496-12, section 8.11.6.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from pi_heif import HeifImageFile
from PIL import ImageFile

_MOST_HEADER: Final = 2**20  # the list comes first; pixels lie behind
_ENTRY: Final = re.compile(rb"infe[\2\3]")
_TYPE_AT: Final = {2: 12, 3: 14}  # from the name of the box on, by its version
_METADATA: Final = frozenset({b"Exif", b"mime", b"uri "})
_HIDDEN: Final = b"skip"  # a type that no reader looks for


def open_heif(source: BinaryIO, filename: str = "") -> ImageFile.ImageFile:
    """Open a HEIC; raises whatever its plugin does for a damaged file.

    The list is put right in a copy first: pi-heif takes it as it is.
    """
    source.seek(0)
    repaired = _repaired(source.read(_MOST_HEADER))
    if repaired is not None:
        source = io.BytesIO(repaired + source.read())
    source.seek(0)
    image: ImageFile.ImageFile = HeifImageFile(source, filename)
    return image


def without_rest(data: bytes) -> bytes | None:
    """The file with its metadata hidden; None where it lists none."""
    made = bytearray(data)
    for place, _ in _entries(data):
        if data[place : place + 4] in _METADATA:
            made[place : place + 4] = _HIDDEN
    return bytes(made) if made != data else None


def _repaired(head: bytes) -> bytes | None:
    made = bytearray(head)
    for place, end in _entries(head):
        if not head[place : place + 4].isascii():
            made[place : place + 4] = _HIDDEN
        _, _, media_type = head[place + 4 : end].partition(b"\0")
        if not media_type.isascii():
            made[end - len(media_type) : end] = bytes(each if each < 0x80 else 0x3F for each in media_type)
    return bytes(made) if made != head else None


def _entries(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the type of each item starts, and where its entry ends."""
    for found in _ENTRY.finditer(data, 0, _MOST_HEADER):
        at = found.start()
        place, end = at + _TYPE_AT[data[at + 4]], at - 4 + int.from_bytes(data[max(0, at - 4) : at], "big")
        if place + 4 <= end <= len(data):
            yield place, end
