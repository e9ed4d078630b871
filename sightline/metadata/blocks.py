"""Blocks of metadata in files, found without a decoder: EXIF, XMP, IPTC, what containers say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final

from sightline.metadata import png, tiff
from sightline.metadata.exif import Exif
from sightline.metadata.iptc import IPTC_RESOURCE
from sightline.metadata.said import Said
from sightline.metadata.tiff import LONGEST

_MOST_PARTS: Final = 2000

_EXIF: Final = b"Exif\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_END: Final = _XMP[4:]  # websites put "XMP" and a zero over the first four bytes, which hides it from most readers
_MORE_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP: Final = (b"Photoshop 3.0\0", b"Adobe_Photoshop2.5:")

# Uuid boxes of JPEG 2000: Adobe's of EXIF, its older one, ISO 16684-1 of XMP, and IPTC.
_UUIDS: Final = {
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"): "exif",
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
}
_EPOCH_1904: Final = datetime(1904, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Blocks:
    """The metadata of a file, unread.

    `xmp` is the packet and, where it has one, its extension. `iptc` are IIM records, or image resources of Photoshop
    that hold them. `container` is what the container says in ways of its own.
    """

    exif: Exif | None = None
    xmp: tuple[bytes, ...] = ()
    iptc: bytes = b""
    container: Said | None = None


NO_BLOCKS: Final = Blocks()


def blocks_of(kind: str, source: BinaryIO, info: Mapping[str, Any]) -> Blocks:
    """The blocks of a file of a format as Pillow calls it.

    `info` is what its plugin found: of HEIF, AVIF, WebP and others than below the blocks are taken from there.

    Raises:
        OSError: the file can't be read.
    """
    match kind:
        case "JPEG":
            return _in_jpeg(source)
        case "PNG":
            return _in_png(source)
        case "TIFF":
            return in_tiff(tiff.in_file(source))
        case "JPEG2000":
            return _in_jp2(source)
    exif, xmp, photoshop = info.get("exif"), info.get("xmp"), info.get("photoshop")
    iptc = photoshop.get(IPTC_RESOURCE) if isinstance(photoshop, dict) else None
    found = Blocks(
        exif=exif_in(exif) if isinstance(exif, bytes) else None,
        xmp=(xmp,) if isinstance(xmp, bytes) else (),
        iptc=iptc if isinstance(iptc, bytes) else b"",
    )
    return replace(found, container=_dates_of_boxes(source)) if kind in ("HEIF", "AVIF") else found


def exif_in(data: bytes) -> Exif | None:
    """EXIF in a block, with or without its mark."""
    found = tiff.in_bytes(data) if data else None
    return None if found is None else Exif.of(found)


def in_tiff(found: tiff.Tiff | None) -> Blocks:
    """The blocks of a TIFF, or of a RAW file of its layout: tags of its first directory."""
    if found is None:
        return NO_BLOCKS
    exif = Exif.of(found)
    packet, iptc, photoshop = (exif.main.data(tag) for tag in (700, 33723, 34377))
    return Blocks(exif, (packet,) if packet else (), iptc or photoshop or b"")


def _in_jpeg(source: BinaryIO) -> Blocks:
    exif, xmp, iptc, more = b"", b"", b"", dict[bytes, dict[int, bytes]]()
    for marker, data in _segments(source):
        if marker == 0xE1 and data.startswith(_EXIF):
            exif += data if not exif else data[6:]
        elif marker == 0xE1 and data[4 : len(_XMP)] == _XMP_END:
            xmp = xmp or data[len(_XMP) :]
        elif marker == 0xE1 and data.startswith(_MORE_XMP):
            head = len(_MORE_XMP)
            parts = more.setdefault(data[head : head + 32], {})
            parts[int.from_bytes(data[head + 36 : head + 40], "big")] = data[head + 40 :]
        elif marker == 0xED and data.startswith(_PHOTOSHOP):
            iptc += data[next(len(mark) for mark in _PHOTOSHOP if data.startswith(mark)) :]
    packets = [xmp] if xmp else []
    # XMP Specification Part 3, section 1.1.3.1: the packet names the extension that is its own.
    packets += [b"".join(parts[at] for at in sorted(parts)) for name, parts in more.items() if name in xmp]
    return Blocks(exif_in(exif), tuple(packets), iptc)


def _segments(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The APP1 and APP13 segments before the scan of a JPEG."""
    source.seek(2)
    for _ in range(_MOST_PARTS):
        head = source.read(4)
        skipped = 0
        while len(head) == 4 and (head[0] != 0xFF or head[1] in (0x00, 0xFF)) and skipped < 2**16:
            head, skipped = head[1:] + source.read(1), skipped + 1  # fill bytes, and rubbish between segments
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xDA, 0xD9):
            return
        if head[1] == 0x01 or 0xD0 <= head[1] <= 0xD8:  # markers alone
            source.seek(-2, 1)
            continue
        length = int.from_bytes(head[2:], "big") - 2
        if length < 0:
            source.seek(-2, 1)
        elif head[1] in (0xE1, 0xED):
            yield head[1], source.read(length)
        else:
            source.seek(length, 1)


def _in_png(source: BinaryIO) -> Blocks:
    found = png.read(source)
    exif, xmp, iptc = found.exif, found.xmp, found.iptc
    if exif.startswith(_XMP):  # a profile "APP1" of ImageMagick may be either
        exif, xmp = b"", xmp or exif[len(_XMP) :]
    return Blocks(exif_in(exif), (xmp,) if xmp else (), iptc, found.said)


def _in_jp2(source: BinaryIO) -> Blocks:
    found: dict[str, bytes] = {}
    for kind, at, size in _boxes(source, 0, source.seek(0, 2)):
        if kind == b"uuid" and 16 < size <= LONGEST:
            source.seek(at)
            name = _UUIDS.get(source.read(16))
            if name is not None:
                found.setdefault(name, source.read(size - 16))
    xmp = found.get("xmp", b"")
    return Blocks(exif_in(found.get("exif", b"")), (xmp,) if xmp else (), found.get("iptc", b""))


def _boxes(source: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, place and size of the content of boxes (ISO/IEC 14496-12, section 4.2) up to `end`."""
    for _ in range(_MOST_PARTS):
        if start >= end:
            return
        source.seek(start)
        head = source.read(16)
        if len(head) < 8:
            return
        size, kind, length = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, length = int.from_bytes(head[8:16], "big"), 16
        if size == 0:  # to the end of the file
            size = end - start
        if size < length or start + size > end:
            return
        yield kind, start + length, size - length
        start += size


def _dates_of_boxes(source: BinaryIO) -> Said:
    """When the container was made, in UTC.

    `mvhd` has seconds since 1904, `crtt` microseconds (ISO/IEC 14496-12, section 8.2.2; 23008-12, section 6.5).
    """
    said = Said()
    for path in ((b"meta", b"iprp", b"ipco", b"crtt"), (b"moov", b"mvhd")):
        start, end = 0, source.seek(0, 2)
        for depth, wanted in enumerate(path):
            found = next(((at, size) for kind, at, size in _boxes(source, start, end) if kind == wanted), None)
            if found is None:
                break
            start, end = found[0], found[0] + found[1]
            start += 4 if wanted == b"meta" else 0
            if depth == len(path) - 1:
                source.seek(found[0])
                data = source.read(12)
                wide = wanted == b"crtt" or data[:1] == b"\1"
                ticks = int.from_bytes(data[4:12] if wide else data[4:8], "big")
                seconds = ticks // 1_000_000 if wanted == b"crtt" else ticks
                if 0 < seconds < 2**33:
                    made = _EPOCH_1904 + timedelta(seconds=seconds)
                    said.add_date("container", f"{made:%Y-%m-%d %H:%M:%S}Z")
    return said
