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

from PIL import Image

from sightline.images.raw_previews import Preview, RawFile, jpeg_at
from sightline.images.tiff_directories import Damaged, Directory, Tiff, exif_block

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
        raw.exif, raw.xmp = _exif_of_jpeg(source.read(min(length, 2**20)))
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


def _exif_of_jpeg(head: bytes) -> tuple[bytes, bytes]:
    """EXIF and XMP of a JPEG, by its beginning."""
    factory, _ = Image.OPEN["JPEG"]
    try:
        info = factory(io.BytesIO(head), "").info
    except Exception:  # noqa: BLE001 - a plugin raises anything; the preview itself will say what is wrong
        return b"", b""
    exif, xmp = info.get("exif"), info.get("xmp")
    return (exif or b"").removeprefix(b"Exif\0\0"), xmp if isinstance(xmp, bytes) else b""


def canon(source: BinaryIO) -> RawFile:
    """What is in a CR3 file.

    Raises:
        Damaged: it ends inside a box.
    """
    raw = RawFile("CR3")
    tables: dict[bytes, Directory] = {}
    source.seek(0, io.SEEK_END)
    end = source.tell()
    for kind, start, stop in _boxes(source, 0, end):
        own = _read(source, start, 16) if kind == b"uuid" else b""
        if kind == b"moov":
            _movie(source, start, stop, raw, tables)
        elif own == _XMP and stop - start <= _LONGEST_BOX:
            raw.xmp = _read(source, start + 16, stop - start - 16)
        elif own == _PREVIEW:
            # A header of 8 bytes, then a box PRVW: 16 bytes (width and height among them), then the JPEG.
            raw.previews += _jpeg_in(source, start + 16, min(stop, start + 128), stop)
    main = tables.get(b"CMT1")
    if main is not None:
        raw.orientation = main.orientation()
        raw.exif = exif_block(main, tables.get(b"CMT2"), tables.get(b"CMT4"))
        raw.width, raw.height = main.number(0x100) or 0, main.number(0x101) or 0
    return raw


def _movie(source: BinaryIO, start: int, stop: int, raw: RawFile, tables: dict[bytes, Directory]) -> None:
    """Metadata in a box of Canon's own, and a track for each picture: the first is a JPEG of full size."""
    for kind, first, last in _boxes(source, start, stop):
        if kind == b"uuid" and _read(source, first, 16) == _CANON:
            for name, inner, _ in _boxes(source, first + 16, last):
                if name in (b"CMT1", b"CMT2", b"CMT4"):
                    tables[name] = Tiff(source, inner).chain()[0]
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
