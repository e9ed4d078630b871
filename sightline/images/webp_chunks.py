"""The chunks of a WebP (RFC 9649, section 2): the picture without what lies beside it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from PIL import ImageFile, WebPImagePlugin

_PIXELS: Final = frozenset({b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF"})
_BESIDE: Final = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}  # and the flags that tell of them
_MOST_HEADER: Final = 2**20  # a profile may come before the first frame
_ALPHA: Final = 0x10
_ANIMATED: Final = 0x02
_KEY_FRAME: Final = b"\x9d\x01\x2a"


def open_webp(source: BinaryIO, filename: str = "") -> ImageFile.ImageFile:
    """Open a WebP; raises whatever Pillow does for a damaged file.

    Of an animation `info["frame"]` is where its first frame lies: encoders call it opaque when that frame is, though
    nothing is drawn beside it.
    """
    source.seek(0)
    head = source.read(_MOST_HEADER)
    source.seek(0)
    image = WebPImagePlugin.WebPImageFile(source, filename)
    at = head.find(b"ANMF") if head[12:16] == b"VP8X" and head[20] & _ANIMATED else -1
    if 0 <= at <= len(head) - 20:
        left, top, width, height = (
            int.from_bytes(head[place : place + 3], "little") for place in range(at + 8, at + 20, 3)
        )
        image.info["frame"] = (2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1)
    return image


def without_rest(data: bytes) -> bytes | None:
    """The file anew, of its pixels and whole chunks beside them; None where it has no pixels.

    Chunks of a wrong length, and rubbish between them, are left out.
    """
    chunks = list(_chunks(data))
    found = dict(reversed(chunks))
    lossy, lossless, old = found.get(b"VP8 ", b""), found.get(b"VP8L", b""), found.get(b"VP8X", b"")
    if b"ANMF" in found and len(old) == 10:
        size, flags = old[4:], _ANIMATED | (old[0] & _ALPHA)
    elif lossy[3:6] == _KEY_FRAME and len(lossy) >= 10:
        width, height = (each & 0x3FFF for each in struct.unpack_from("<HH", lossy, 6))
        size, flags = _sides(width, height), _ALPHA if b"ALPH" in found else 0
    elif lossless[:1] == b"\x2f" and len(lossless) >= 5:
        bits = int.from_bytes(lossless[1:5], "little")
        size, flags = _sides((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), _ALPHA if bits >> 28 & 1 else 0
    else:
        return None
    made, seen = b"", set[bytes]()
    for kind, content in chunks:
        if kind in _PIXELS or (kind in _BESIDE and kind not in seen):
            made += _chunk(kind, content)
            seen.add(kind)
            flags |= _BESIDE.get(kind, 0)
    made = b"WEBP" + _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size) + made
    return _chunk(b"RIFF", made)


def _sides(width: int, height: int) -> bytes:
    return (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and content of each known chunk that another or the end follows.

    Ends before pixels that are cut.
    """
    place, known = 12, _PIXELS | _BESIDE.keys() | {b"VP8X"}
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        content, end = data[place + 8 : place + 8 + length], place + 8 + length + length % 2
        if kind in known and len(content) == length and data[end : end + 4].isascii():
            yield kind, content
            place = end
            continue
        if kind in _PIXELS:
            return
        later = [at for each in known if (at := data.find(each, place + 1)) > 0]
        if not later:
            return
        place = min(later)
