"""Directories of a TIFF: the layout of EXIF blocks, TIFF, most RAW files, and many maker notes.

Read by ourselves, as a tag must cost nothing until it is asked for, and one that is damaged nothing but itself.
Layout: TIFF 6.0, section 2; BigTIFF (libtiff); Exif 3.0 for type 129.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

Number = int | float

# The struct code of each type; text, "undefined" and unsigned bytes are read as bytes.
_CODES: Final = {
    1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I",
    16: "Q", 17: "q", 18: "Q", 129: "B",
}  # fmt: skip
_SIZES: Final = {kind: struct.calcsize("<" + code) for kind, code in _CODES.items()}
_RATIONALS: Final = (5, 10)
_MOST_ENTRIES: Final = 4096
_MOST_NUMBERS: Final = 64
LONGEST: Final = 16 * 2**20
"""Bytes of a tag or block, above which it is left alone."""


@dataclass(frozen=True, slots=True)
class Tiff:
    """Where a TIFF is read from.

    `read(at, size)` gives bytes, fewer at the end. `endian` is "<" or ">", `first` the offset of the first directory.
    Offsets in it count from `base`.
    """

    read: Callable[[int, int], bytes]
    endian: str
    first: int
    is_big: bool = False
    base: int = 0

    def directory(self, at: int) -> Directory:
        """Return the directory at an offset; an empty one where there is none."""
        wide = self.is_big
        head, size, inline = (8, 20, 8) if wide else (2, 12, 4)
        start = self.base + at
        counted = self.read(start, head) if at > 0 else b""
        if len(counted) < head:
            return Directory(self)
        count = int.from_bytes(counted, "little" if self.endian == "<" else "big")
        if count > _MOST_ENTRIES:
            return Directory(self)
        body = self.read(start + head, count * size)
        layout = struct.Struct(self.endian + ("HHQQ" if wide else "HHII"))
        entries: dict[int, tuple[int, int, int]] = {}
        for number in range(len(body) // size):
            tag, kind, amount, offset = layout.unpack_from(body, number * size)
            length = _SIZES.get(kind, 0) * amount
            if not 0 < length <= LONGEST:
                continue
            place = start + head + number * size + size - inline if length <= inline else self.base + offset
            entries.setdefault(tag, (kind, amount, place))
        return Directory(self, entries)


@dataclass(frozen=True, slots=True)
class Directory:
    """Tags of one directory: type, count and place of each value."""

    tiff: Tiff
    entries: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)

    def place(self, tag: int) -> int | None:
        """Where a value lies in the TIFF."""
        entry = self.entries.get(tag)
        return None if entry is None else entry[2]

    def data(self, tag: int, most: int = LONGEST) -> bytes | None:
        """The first `most` bytes of a value as they are; None where there is no such tag."""
        entry = self.entries.get(tag)
        if entry is None:
            return None
        kind, count, place = entry
        return self.tiff.read(place, min(_SIZES[kind] * count, most))

    def numbers(self, tag: int) -> tuple[Number | None, ...]:
        """Numbers of a value, up to 64; None for a rational over zero. Empty where there is no such tag."""
        entry = self.entries.get(tag)
        if entry is None:
            return ()
        kind, count, place = entry
        size, count = _SIZES[kind], min(count, _MOST_NUMBERS)
        data = self.tiff.read(place, size * count)
        count = len(data) // size
        code = _CODES[kind]
        found = struct.unpack(f"{self.tiff.endian}{code * count}", data[: size * count])
        if kind in _RATIONALS:
            return tuple(above / below if below else None for above, below in zip(found[::2], found[1::2], strict=True))
        return found

    def number(self, tag: int) -> Number | None:
        """The first number of a value."""
        found = self.numbers(tag)
        return found[0] if found else None

    def inner(self, tag: int) -> Directory:
        """The directory that a tag points to; an empty one where there is none."""
        at = self.number(tag)
        return self.tiff.directory(at) if isinstance(at, int) else Directory(self.tiff)


def in_bytes(data: bytes) -> Tiff | None:
    """A TIFF in memory, such as an EXIF block, with or without its `Exif` mark; None where there is none."""
    start = 0
    if data[:2] not in (b"II", b"MM"):
        found = [at for at in (data.find(b"II*\0", 0, 64), data.find(b"MM\0*", 0, 64)) if at >= 0]
        if not found:
            return None
        start = min(found)
    return in_file(io.BytesIO(data), start)


def in_file(source: BinaryIO, start: int = 0) -> Tiff | None:
    """A TIFF or a RAW file of its layout, whose header is at `start`; None where there is none."""
    end = source.seek(0, io.SEEK_END)

    def read(at: int, size: int) -> bytes:
        if not 0 <= at < end:
            return b""
        source.seek(at)
        return source.read(size)

    head = read(start, 16)
    endian = {b"II": "<", b"MM": ">"}.get(head[:2])
    if endian is None or len(head) < 8:
        return None
    # Other numbers than 42 and 43 stand in RAW files of this layout: Olympus, Panasonic.
    if struct.unpack(endian + "H", head[2:4])[0] == 43 and len(head) == 16:
        return Tiff(read, endian, struct.unpack(endian + "Q", head[8:])[0], True, start)
    return Tiff(read, endian, struct.unpack(endian + "I", head[4:8])[0], False, start)
