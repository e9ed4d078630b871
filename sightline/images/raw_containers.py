"""Raw files that are no TIFF files: Fujifilm's RAF and Canon's CR3.

RAF: a header with the places of a JPEG, with the EXIF in it, and of a directory of the sensor's data. CR3: an ISO base
media file (ISO/IEC 14496-12). Layouts: the tag tables of ExifTool (FujiFilm RAF; Canon CR3) and
https://github.com/lclevy/canon_cr3.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from sightline.images.raw_previews import Preview, RawFile, jpeg_at
from sightline.images.tiff_directories import Damaged
from sightline.metadata.blocks import Blocks, blocks_of
from sightline.metadata.exif import Exif
from sightline.metadata.tiff import Directory, in_file

_RAF_SIZES: Final = (0x111, 0x100)  # of the picture, of the sensor: height, width
_RAF_ENTRIES: Final = 256

_CANON: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_PREVIEW: Final = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
_XMP: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MOST_BOXES: Final = 1_000
_LONGEST_BOX: Final = 16 * 2**20  # of those that are read whole: directories, tables of samples


def fujifilm(source: BinaryIO) -> RawFile:
    """What is in a RAF file.

    Raises:
        Damaged: it ends inside its header.
    """
    at, length, table = struct.unpack(">III", _read(source, 84, 12))
    raw = RawFile("RAF", previews=list(jpeg_at(source, at, length)))
    if raw.previews:
        source.seek(at)
        raw.blocks = blocks_of("JPEG", io.BytesIO(source.read(min(length, _LONGEST_BOX))), {})
    sizes: dict[int, tuple[int, int]] = {}
    (count,) = struct.unpack(">I", _read(source, table, 4))
    table += 4
    for _ in range(min(count, _RAF_ENTRIES)):
        tag, size = struct.unpack(">HH", _read(source, table, 4))
        if tag in _RAF_SIZES and size == 4:
            height, width = struct.unpack(">HH", _read(source, table + 4, 4))
            sizes[tag] = (width, height)
        table += 4 + size
    raw.width, raw.height = next((sizes[tag] for tag in _RAF_SIZES if tag in sizes), (0, 0))
    return raw


def canon(source: BinaryIO) -> RawFile:
    """What is in a CR3 file.

    Raises:
        Damaged: it ends inside a box.
    """
    raw = RawFile("CR3")
    tables: dict[bytes, Directory] = {}
    xmp: tuple[bytes, ...] = ()
    source.seek(0, io.SEEK_END)
    end = source.tell()
    for kind, start, stop in _boxes(source, 0, end):
        own = _read(source, start, 16) if kind == b"uuid" else b""
        if kind == b"moov":
            _movie(source, start, stop, raw, tables)
        elif own == _XMP and stop - start <= _LONGEST_BOX:
            xmp = (_read(source, start + 16, stop - start - 16),)
        elif own == _PREVIEW:
            # A header of 8 bytes, then a box PRVW: 16 bytes (width and height among them), then the JPEG.
            raw.previews += _jpeg_in(source, start + 16, min(stop, start + 128), stop)
    if b"CMT1" in tables:
        main, details, gps = (tables.get(name) or tables[b"CMT1"].inner(0) for name in (b"CMT1", b"CMT2", b"CMT4"))
        exif = Exif(main, details, gps)
        raw.orientation, raw.blocks = exif.orientation, Blocks(exif, xmp)
        width, height = main.number(0x100), main.number(0x101)
        if isinstance(width, int) and isinstance(height, int):
            raw.width, raw.height = width, height
    return raw


def _movie(source: BinaryIO, start: int, stop: int, raw: RawFile, tables: dict[bytes, Directory]) -> None:
    """Metadata in a box of Canon's own, and a track for each picture: the first is a JPEG of full size."""
    for kind, first, last in _boxes(source, start, stop):
        if kind == b"uuid" and _read(source, first, 16) == _CANON:
            for name, inner, _ in _boxes(source, first + 16, last):
                if name in (b"CMT1", b"CMT2", b"CMT4"):
                    tiff = in_file(source, inner)
                    if tiff is not None:
                        tables[name] = tiff.directory(tiff.first)
        elif kind == b"trak":
            found = {name: inner for name, inner, _ in _inside(source, first, last)}
            if b"co64" in found and b"stsz" in found:
                (at,) = struct.unpack(">Q", _read(source, found[b"co64"] + 8, 8))
                same, _, one = struct.unpack(">III", _read(source, found[b"stsz"] + 4, 12))
                raw.previews += jpeg_at(source, at, same or one)


def _inside(source: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of a track, and those inside the ones that hold its table of samples."""
    for kind, first, last in _boxes(source, start, stop):
        yield kind, first, last
        if kind in (b"mdia", b"minf", b"stbl"):
            yield from _inside(source, first, last)


def _boxes(source: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where the content starts and ends, of the boxes between two places."""
    for _ in range(_MOST_BOXES):
        if start + 8 > stop:
            return
        size, kind = struct.unpack(">I4s", _read(source, start, 8))
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", _read(source, start + 8, 8))
            head = 16
        elif size == 0:
            size = stop - start
        if size < head or start + size > stop:
            raise Damaged("a box without an end")
        yield kind, start + head, start + size
        start += size


def _jpeg_in(source: BinaryIO, start: int, stop: int, end: int) -> list[Preview]:
    at = _read(source, start, stop - start).find(b"\xff\xd8\xff")
    return [] if at < 0 else list(jpeg_at(source, start + at, end - start - at))


def _read(source: BinaryIO, offset: int, length: int) -> bytes:
    source.seek(offset)
    data = source.read(length)
    if len(data) < length:
        raise Damaged("the file ends inside its header")
    return data
