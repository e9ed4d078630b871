"""A walk of TIFF directories: tags and where their values lie, for files that only begin like a TIFF.

Of raw files a camera writes, most are TIFF files in which the pictures lie in several directories. Layout: TIFF 6.0,
section 2; the pointers to further directories: TIFF Tech Note 1 (SubIFDs) and Exif 2.32, section 4.6.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

# Bytes of a value by its type: TIFF 6.0, section 2; 13 is a pointer to a directory (TIFF Tech Note 1).
_SIZES: Final[Mapping[int, int]] = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_CODES: Final[Mapping[int, str]] = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
_MOST_DIRECTORIES: Final = 64
_MOST_ENTRIES: Final = 2_000
_LONGEST: Final = 4 * 2**20  # of a value that is read
_ORIENTATION: Final = 0x112

SUB_DIRECTORIES: Final = 0x14A
EXIF: Final = 0x8769
GPS: Final = 0x8825


class Damaged(ValueError):
    """The directories end early, or never end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag's value: its type, how many, and where its bytes lie."""

    kind: int
    count: int
    offset: int


@dataclass(slots=True)
class Directory:
    """The tags of one directory, and the directories that it points to by `SubIFDs`, Exif and GPS."""

    tiff: Tiff
    entries: dict[int, Entry]
    below: dict[int, list[Directory]] = field(default_factory=dict)

    def raw(self, tag: int) -> bytes:
        """The bytes of a tag's value; none where it is missing or too long to be read."""
        entry = self.entries.get(tag)
        if entry is None:
            return b""
        length = _SIZES.get(entry.kind, 0) * entry.count
        return self.tiff.read(entry.offset, length) if length <= _LONGEST else b""

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag; rationals rounded down; none where it is missing or holds none."""
        entry, data = self.entries.get(tag), self.raw(tag)
        if entry is None or not data:
            return ()
        if entry.kind == 5:
            pairs = struct.unpack(f"{self.tiff.order}{2 * entry.count}I", data)
            return tuple(top // bottom if bottom else 0 for top, bottom in zip(pairs[::2], pairs[1::2], strict=True))
        code = _CODES.get(entry.kind)
        return struct.unpack(f"{self.tiff.order}{entry.count}{code}", data) if code else ()

    def number(self, tag: int) -> int | None:
        """The first number of a tag; None where it has none."""
        return next(iter(self.numbers(tag)), None)

    def orientation(self) -> int | None:
        """The EXIF orientation, 1 to 8; None where it has none."""
        found = self.number(_ORIENTATION)
        return found if found in range(1, 9) else None

    def text(self, tag: int) -> str:
        """The text of a tag, up to its first NUL."""
        return self.raw(tag).partition(b"\0")[0].decode("latin-1").strip()


class Tiff:
    """A file of directories.

    `start`: where in `source` its offsets count from; `order`: "<" or ">", of its bytes.
    """

    def __init__(self, source: BinaryIO, start: int = 0, order: str = "") -> None:
        """Read the byte order at `start`, whatever magic number a maker put behind it, unless it is known.

        Raises:
            Damaged: there is none.
        """
        self._source = source
        self.start = start
        self.order = order or {b"II": "<", b"MM": ">"}.get(self.read(0, 2), "")
        if not self.order:
            raise Damaged("no byte order")
        self._seen: set[int] = set()

    def read(self, offset: int, length: int) -> bytes:
        """Read `length` bytes at `offset`.

        Raises:
            Damaged: the file ends before.
        """
        self._source.seek(self.start + offset)
        data = self._source.read(length)
        if len(data) < length:
            raise Damaged("the file ends inside its directories")
        return data

    def chain(self, offset: int | None = None) -> list[Directory]:
        """The directory at `offset`, the first by default, and those that follow it.

        Directories further down are in `Directory.below`. One that was seen before ends the chain.

        Raises:
            Damaged: the first directory can't be read; what follows it is left out where it can't.
        """
        found: list[Directory] = []
        at: int = struct.unpack(f"{self.order}I", self.read(4, 4))[0] if offset is None else offset
        while at and at not in self._seen and len(self._seen) < _MOST_DIRECTORIES:
            self._seen.add(at)
            try:
                directory, at = self._directory(at)
            except Damaged:
                if not found:
                    raise
                break
            found.append(directory)
        return found

    def _directory(self, offset: int) -> tuple[Directory, int]:
        (count,) = struct.unpack(f"{self.order}H", self.read(offset, 2))
        if count > _MOST_ENTRIES:
            raise Damaged("a directory without an end")
        data = self.read(offset + 2, 12 * count)
        directory = Directory(self, {})
        for at in range(0, len(data), 12):
            tag, kind, many = struct.unpack_from(f"{self.order}HHI", data, at)
            # Up to four bytes stand where the offset of a longer value would.
            inline = _SIZES.get(kind, 0) * many <= 4
            place = offset + 2 + at + 8 if inline else struct.unpack_from(f"{self.order}I", data, at + 8)[0]
            directory.entries.setdefault(tag, Entry(kind, many, place))
        for tag in (SUB_DIRECTORIES, EXIF, GPS):
            if tag in directory.entries:
                directory.below[tag] = list(self._below(directory, tag))
        try:
            (following,) = struct.unpack(f"{self.order}I", self.read(offset + 2 + len(data), 4))
        except Damaged:
            following = 0
        return directory, following

    def _below(self, directory: Directory, tag: int) -> Iterator[Directory]:
        try:
            offsets = directory.numbers(tag)[:_MOST_DIRECTORIES]
        except Damaged:
            return
        for offset in offsets:
            try:
                yield from self.chain(offset) if tag == SUB_DIRECTORIES else self.chain(offset)[:1]
            except Damaged:
                continue


def every(directories: Iterable[Directory]) -> Iterator[Directory]:
    """Each directory and, after it, those below it."""
    for directory in directories:
        yield directory
        for below in directory.below.values():
            yield from every(below)
