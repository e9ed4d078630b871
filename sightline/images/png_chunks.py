"""The chunks of a PNG (third edition, sections 5 and 11): the picture without what lies beside it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MOST: Final = 2**20  # bytes of a text or profile, unpacked: what Pillow takes of one
_END: Final = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
_PALETTE_TYPE: Final = 3


def without_rest(data: bytes) -> bytes | None:
    """The file with its pixels, and of what lies beside them the sound parts; None where it has no pixels.

    Chunks of a wrong checksum, too long texts and profiles, and all of an animation but its first picture are left out.
    """
    made = [SIGNATURE]
    has_pixels = False
    for kind, start, end in _chunks(data):
        whole = data[start - 8 : end + 4]
        if kind in _PIXELS:
            has_pixels |= kind == b"IDAT"
            made.append(whole)
        elif _is_sound(kind, data[start:end], whole) and not (kind in (b"tRNS", b"iCCP") and has_pixels):
            made.append(whole)
    return b"".join([*made, _END]) if has_pixels else None


def pixels_are_sound(source: BinaryIO) -> bool:
    """Whether the checksums of the pixels are right, by chunk or of all: Pillow doesn't look at them."""
    source.seek(len(SIGNATURE))
    right, parts = True, list[tuple[int, int]]()
    while len(head := source.read(8)) == 8 and head[4:] != b"IEND":
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"IDAT":
            parts.append((source.tell(), length))
            right &= zlib.crc32(source.read(length), zlib.crc32(b"IDAT")) == int.from_bytes(source.read(4), "big")
        elif parts:
            break
        else:
            source.seek(length + 4, 1)
    if right:
        return True
    unpacker = zlib.decompressobj()
    try:
        for start, length in parts:
            source.seek(start)
            part = source.read(length)
            while part and not unpacker.eof:
                unpacker.decompress(part, _MOST)
                part = unpacker.unconsumed_tail
    except zlib.error:
        return False
    return unpacker.eof


def _is_sound(kind: bytes, content: bytes, whole: bytes) -> bool:
    if kind not in _TEXTS | {b"tRNS", b"iCCP", b"eXIf"} or zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
        return False
    packed = {b"zTXt": 2, b"iCCP": 2}.get(kind, 0)
    keyword, _, rest = content.partition(b"\0")
    if kind == b"iTXt" and rest[:1] == b"\1":
        packed, rest = 1, rest.split(b"\0", 3)[-1] if rest.count(b"\0") >= 3 else rest
    if packed:
        unpacker = zlib.decompressobj()
        try:
            content = unpacker.decompress(rest[1:] if packed == 2 else rest, _MOST)
        except zlib.error:
            return False
        if unpacker.unconsumed_tail:
            return False
    return len(content) < _MOST and bool(keyword or kind not in _TEXTS)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The type of each chunk, and where its content starts and ends; the last one may be cut.

    Where no chunk follows one beside the pixels, its length is wrong, and the next that pixels need is searched for.
    """
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IEND":
            return
        after = data[place + 16 + length : place + 20 + length]
        if kind not in _PIXELS and not (len(after) == 4 and after.isalpha()):
            found = [at for each in (b"PLTE", b"IDAT") if (at := data.find(each, place + 8)) > 0]
            if not found:
                return
            place = min(found) - 4
            continue
        yield kind, place + 8, place + 8 + length
        place += 12 + length
