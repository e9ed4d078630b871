"""What is in a camera's raw file: its previews, its size, its EXIF. No pixel is read.

TIFF-based files by their directories: DNG (Adobe, DNG 1.7.1), and CR2, NEF, ARW, ORF, PEF, RW2, SRW and others as the
tag tables of ExifTool describe them (https://exiftool.org/TagNames). RAF and CR3 have layouts of their own
(`sightline.images.raw_containers`). Of the rest only the name is known here: LibRaw reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from sightline.images import raw_containers
from sightline.images.raw_previews import Preview, RawFile, jpeg_at
from sightline.images.tiff_directories import EXIF, Damaged, Directory, Tiff, every
from sightline.metadata.blocks import in_tiff
from sightline.metadata.tiff import in_file

_TIFF_HEADS: Final = (b"II*\0", b"MM\0*")
# Makers that put another number where TIFF has 42, and files that LibRaw alone takes apart: where the bytes stand.
_OWN_NUMBERS: Final = {b"IIRO": "ORF", b"IIRS": "ORF", b"MMOR": "ORF", b"IIU\0": "RW2"}
_OTHERS: Final = ((0, b"\0MRM", "MRW"), (0, b"FOVb", "X3F"), (6, b"HEAPCCDR", "CRW"))
_MAKERS: Final = {
    "nikon": "NEF", "sony": "ARW", "pentax": "PEF", "ricoh": "PEF", "samsung": "SRW", "hasselblad": "3FR",
    "seiko epson": "ERF", "epson": "ERF", "eastman kodak": "DCR", "kodak": "DCR", "mamiya": "MEF", "leaf": "MOS",
    "phase one": "IIQ", "canon": "CR2", "olympus": "ORF", "panasonic": "RW2", "leica": "RWL",
}  # fmt: skip
RAW: Final = "RAW"
"""The format of a raw file whose maker is not known."""

FORMATS: Final = frozenset({
    *_MAKERS.values(), *_OWN_NUMBERS.values(), *(name for _, _, name in _OTHERS), "DNG", "RAF", "CR3", RAW,
})  # fmt: skip
"""What the fact `format` may be of a raw file."""

# TIFF 6.0, section 8, TIFF/EP (ISO 12234-2) and DNG: what the pixels are, and how makers compress those of a sensor.
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 0x100, 0x101, 0x102, 0x103, 0x106
_MAKE, _STRIPS, _SAMPLES, _STRIP_BYTES, _PLANES = 0x10F, 0x111, 0x115, 0x117, 0x11C
_JPEG_AT, _JPEG_BYTES, _DNG_VERSION, _CROP_SIZE = 0x201, 0x202, 0xC612, 0xC620
_PIXELS_X, _PIXELS_Y, _MAKER_NOTE = 0xA002, 0xA003, 0x927C
_SENSOR: Final = frozenset({32803, 34892})  # a colour filter array, LinearRaw
_SENSOR_COMPRESSIONS: Final = frozenset({32767, 32770, 34713, 65000, 65535})
_RW2_BORDERS: Final = (4, 5, 6, 7)  # top, left, bottom, right
_RW2_JPEG: Final = 0x2E


def find(source: BinaryIO) -> RawFile | None:
    """What is in a raw file; None for any other.

    Raises:
        OSError: the disk fails.
    """
    source.seek(0)
    head = source.read(16)
    if head[:4] in _TIFF_HEADS or head[:4] in _OWN_NUMBERS:
        try:
            return _of_directories(source, head)
        except (Damaged, struct.error):  # a TIFF's own reader says what is wrong with it
            return RawFile(_OWN_NUMBERS[head[:4]]) if head[:4] in _OWN_NUMBERS else None
    try:
        if head.startswith(b"FUJIFILMCCD-RAW"):
            return raw_containers.fujifilm(source)
        if head[4:12] == b"ftypcrx ":
            return raw_containers.canon(source)
    except (Damaged, struct.error):
        return RawFile("RAF" if head.startswith(b"FUJIFILM") else "CR3")
    return next((RawFile(name) for at, magic, name in _OTHERS if head[at:].startswith(magic)), None)


def _of_directories(source: BinaryIO, head: bytes) -> RawFile | None:
    main, *following = Tiff(source).chain()
    found = list(every([main, *following]))
    name = _format(head, main, found)
    if name is None:
        return None
    exif = next(iter(main.below.get(EXIF, [])), None)
    raw = RawFile(name, orientation=main.orientation(), blocks=in_tiff(in_file(source)))
    raw.previews = [preview for directory in found for preview in _previews(source, directory)]
    if name == "ORF" and exif is not None:
        raw.previews += _of_olympus(source, exif)
    raw.width, raw.height = _size(name, main, exif, found) or _largest(raw.previews)
    return raw


def _format(head: bytes, main: Directory, found: Sequence[Directory]) -> str | None:
    if head[:4] in _OWN_NUMBERS:
        return _OWN_NUMBERS[head[:4]]
    if head[8:10] == b"CR":
        return "CR2"
    if any(_DNG_VERSION in directory.entries for directory in found):
        return "DNG"
    if head[8:12] not in (b"IIII", b"MMMM") and not any(map(_is_of_sensor, found)):
        return None
    make = main.text(_MAKE).lower()
    return next((name for maker, name in _MAKERS.items() if make.startswith(maker)), RAW)


def _is_of_sensor(directory: Directory) -> bool:
    return directory.number(_PHOTOMETRIC) in _SENSOR or directory.number(_COMPRESSION) in _SENSOR_COMPRESSIONS


def _size(name: str, main: Directory, exif: Directory | None, found: Sequence[Directory]) -> tuple[int, int] | None:
    """Width and height of what the sensor gives, without its borders where a maker tells them."""
    if name == "RW2" and all(tag in main.entries for tag in _RW2_BORDERS):
        top, left, bottom, right = (main.number(tag) or 0 for tag in _RW2_BORDERS)
        return (right - left, bottom - top) if right > left and bottom > top else None
    crop = next((crop for directory in found if len(crop := directory.numbers(_CROP_SIZE)) > 1), ())
    if crop and min(crop) > 0:
        return crop[0], crop[1]
    # The sensor's pixels of a CR2 have no size of their own: the first directory has that of the picture made of them.
    sizes = [
        _pair(each, _WIDTH, _HEIGHT) for each in ([main] if name in ("CR2", "ORF") else filter(_is_of_sensor, found))
    ]
    if exif is not None and not any(sizes):
        sizes = [_pair(exif, _PIXELS_X, _PIXELS_Y)]
    return max((size for size in sizes if size), key=lambda size: size[0] * size[1], default=None)


def _pair(directory: Directory, first: int, second: int) -> tuple[int, int] | None:
    one, two = directory.number(first), directory.number(second)
    return (one, two) if one and two else None


def _largest(previews: Sequence[Preview]) -> tuple[int, int]:
    sizes = [(preview.width, preview.height) for preview in previews]
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def _previews(source: BinaryIO, directory: Directory) -> Iterator[Preview]:
    """The pictures of a directory that need no raw decoder; one that can't be read is left out."""
    try:
        start = directory.tiff.start
        at, length = directory.number(_JPEG_AT), directory.number(_JPEG_BYTES)
        offsets, counts = directory.numbers(_STRIPS), directory.numbers(_STRIP_BYTES)
        compression = directory.number(_COMPRESSION)
        if at and length:
            yield from jpeg_at(source, start + at, length)
        if (entry := directory.entries.get(_RW2_JPEG)) is not None and entry.kind in (1, 7):
            yield from jpeg_at(source, start + entry.offset, entry.count)
        if compression in (6, 7) and len(offsets) == len(counts) == 1:
            yield from jpeg_at(source, start + offsets[0], counts[0])
        size = _pair(directory, _WIDTH, _HEIGHT)
        is_rgb = (
            directory.number(_PHOTOMETRIC) == 2 and compression in (None, 1)
            and directory.number(_SAMPLES) == 3 and set(directory.numbers(_BITS)) == {8}
            and directory.number(_PLANES) in (None, 1)
        )  # fmt: skip
        if is_rgb and size and offsets and sum(counts) == size[0] * size[1] * 3:
            parts = tuple((start + offset, count) for offset, count in zip(offsets, counts, strict=True))
            yield Preview(*size, parts, is_jpeg=False)
    except (Damaged, struct.error, ValueError):
        return


def _of_olympus(source: BinaryIO, exif: Directory) -> list[Preview]:
    """The preview that the maker's note of an ORF points to: CameraSettings (0x2020), 0x101, 0x102."""
    note = exif.entries.get(_MAKER_NOTE)
    if note is None:
        return []
    start = exif.tiff.start + note.offset
    try:
        head = exif.tiff.read(note.offset, 16)
        first = {b"OLYMPUS\0": 12, b"OM SYSTE": 16}.get(head[:8])
        if first is None:
            return []
        order = "<" if b"II" in head[first - 4 :] else ">"
        tiff = Tiff(source, start, order)
        main = tiff.chain(first)[0]
        settings = main.entries.get(0x2020)
        at = None if settings is None else main.number(0x2020) if settings.kind in (4, 13) else settings.offset
        if not at:
            return []
        inner = tiff.chain(at)[0]
        offset, length = inner.number(0x101), inner.number(0x102)
        return list(jpeg_at(source, start + offset, length)) if offset and length else []
    except (Damaged, struct.error, IndexError):
        return []
