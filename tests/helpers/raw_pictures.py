"""Raw files as cameras lay them out, small: TIFF directories, RAF and CR3, with any previews and EXIF in them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

Value = int | str | bytes | Sequence[int]

_JPEG_AT, _JPEG_BYTES, _SUB, _EXIF = 0x201, 0x202, 0x14A, 0x8769


@dataclass(frozen=True)
class Ifd:
    """A TIFF directory: `blob` lies where two of its tags say; `below` are directories that a tag points to."""

    tags: Mapping[int, Value]
    blob: bytes = b""
    blob_tags: tuple[int, int] = (_JPEG_AT, _JPEG_BYTES)
    below: Mapping[int, Sequence[Ifd]] = field(default_factory=dict)


def tiff(directories: Sequence[Ifd], order: str = "<", magic: bytes = b"", mark: bytes = b"") -> bytes:
    """A TIFF file of these directories, one after the other; `magic` and `mark` are a maker's own."""
    out = bytearray(magic or (b"II*\0" if order == "<" else b"MM\0*")) + bytes(4) + mark
    _chain(out, directories, order, 4)
    return bytes(out)


def _chain(out: bytearray, directories: Sequence[Ifd], order: str, slot: int) -> None:
    for directory in directories:
        tags = dict(directory.tags)
        if directory.blob:
            tags |= {directory.blob_tags[0]: len(out), directory.blob_tags[1]: len(directory.blob)}
            out += directory.blob + bytes(len(directory.blob) % 2)
        for tag, below in directory.below.items():
            offsets: list[int] = []
            for each in below:
                place = len(out)
                out += bytes(4)
                _chain(out, [each], order, place)
                offsets += struct.unpack(f"{order}I", out[place : place + 4])
            tags[tag] = offsets
        struct.pack_into(f"{order}I", out, slot, len(out))
        start = len(out)
        out += struct.pack(f"{order}H", len(tags)) + bytes(12 * len(tags) + 4)
        for at, (tag, value) in enumerate(sorted(tags.items())):
            kind, count, data = _packed(tag, value, order)
            entry = start + 2 + 12 * at
            struct.pack_into(f"{order}HHI", out, entry, tag, kind, count)
            if len(data) <= 4:
                out[entry + 8 : entry + 8 + len(data)] = data
            else:
                struct.pack_into(f"{order}I", out, entry + 8, len(out))
                out += data + bytes(len(data) % 2)
        slot = start + 2 + 12 * len(tags)


def _packed(tag: int, value: Value, order: str) -> tuple[int, int, bytes]:
    if isinstance(value, str):
        data = value.encode() + b"\0"
        return 2, len(data), data
    if isinstance(value, bytes):
        return (1 if tag in (0xC612, 0x828E) else 7), len(value), value
    numbers = [value] if isinstance(value, int) else list(value)
    short = max(numbers, default=0) < 65536 and tag not in (_JPEG_AT, _JPEG_BYTES, 0x111, 0x117, _SUB, _EXIF)
    return (3 if short else 4), len(numbers), struct.pack(f"{order}{len(numbers)}{'H' if short else 'I'}", *numbers)


def sensor(image: Image.Image) -> bytes:
    """16-bit values of a sensor under RGGB filters that sees this picture."""
    rgb = np.asarray(image.convert("RGB")).astype(np.uint16) * 257
    mosaic = np.empty(rgb.shape[:2], "<u2")
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = rgb[0::2, 0::2, 0], rgb[1::2, 1::2, 2]
    mosaic[0::2, 1::2], mosaic[1::2, 0::2] = rgb[0::2, 1::2, 1], rgb[1::2, 0::2, 1]
    return mosaic.tobytes()


def sensor_ifd(image: Image.Image) -> Ifd:
    """A directory with the values of a sensor, as DNG has them."""
    tags: dict[int, Value] = {
        0xFE: 0, 0x100: image.width, 0x101: image.height, 0x102: 16, 0x103: 1, 0x106: 32803, 0x115: 1,
        0x116: image.height, 0x11C: 1, 0x828D: (2, 2), 0x828E: bytes([0, 1, 1, 2]),
    }  # fmt: skip
    return Ifd(tags, sensor(image), (0x111, 0x117))


def stamp_tags(stamp: Image.Image) -> dict[int, Value]:
    """The tags of a small picture in bare RGB; its pixels are the directory's blob."""
    return {
        0xFE: 1, 0x100: stamp.width, 0x101: stamp.height, 0x102: (8, 8, 8), 0x103: 1, 0x106: 2, 0x115: 3,
        0x116: stamp.height, 0x11C: 1,
    }  # fmt: skip


def dng(
    image: Image.Image, stamp: Image.Image, preview: bytes = b"", orientation: int = 1, order: str = "<",
    tags: Mapping[int, Value] | None = None,
) -> bytes:  # fmt: skip
    """A DNG: a stamp in its first directory, below it the sensor's values and, with `preview`, a JPEG."""
    first: dict[int, Value] = stamp_tags(stamp) | {
        0x10F: "Acme", 0x110: "Acme R1", 0x112: orientation, 0xC612: bytes([1, 4, 0, 0]), 0xC614: "Acme R1",
        **(tags or {}),
    }  # fmt: skip
    exif = Ifd({0x9003: "2021:05:06 07:08:09"})
    below = [sensor_ifd(image)]
    if preview:
        below.append(jpeg_ifd(preview))
    return tiff([Ifd(first, stamp.convert("RGB").tobytes(), (0x111, 0x117), {_SUB: below, _EXIF: [exif]})], order)


def jpeg_ifd(preview: bytes) -> Ifd:
    """A directory whose picture is a JPEG in one strip."""
    return Ifd({0xFE: 1, 0x103: 7, 0x106: 6, 0x115: 3}, preview, (0x111, 0x117))


def raf(preview: bytes, width: int, height: int) -> bytes:
    """A RAF file: the preview, which has the EXIF, and a directory that tells the size."""
    table = struct.pack(">IHHHH", 1, 0x111, 4, height, width)
    start = 160
    head = b"FUJIFILMCCD-RAW 0201FF389501" + b"X-T1".ljust(32, b"\0")
    head = head.ljust(84, b"\0") + struct.pack(">IIII", start, len(preview), start + len(preview), len(table))
    return head.ljust(start, b"\0") + preview + table


def cr3(preview: bytes, main: Ifd, exif: Ifd) -> bytes:
    """A CR3 file: EXIF in Canon's boxes, and a track with a JPEG of full size."""

    def box(kind: bytes, *parts: bytes) -> bytes:
        data = b"".join(parts)
        return struct.pack(">I4s", 8 + len(data), kind) + data

    def made(offset: int) -> bytes:
        canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
        metadata = box(b"uuid", canon, box(b"CMT1", tiff([main])), box(b"CMT2", tiff([exif])))
        sizes = box(b"stsz", bytes(4), struct.pack(">III", 0, 1, len(preview)))
        offsets = box(b"co64", bytes(4), struct.pack(">IQ", 1, offset))
        track = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", sizes, offsets))))
        return box(b"ftyp", b"crx ", bytes(4), b"crx isom") + box(b"moov", metadata, track)

    return made(len(made(0)) + 8) + box(b"mdat", preview)
