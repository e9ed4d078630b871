"""How the samples of a TIFF lie in the file: TIFF 6.0, Adobe's Technical Notes 1 to 3, BigTIFF."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sightline.images.errors import NotSupportedError

# Tags.
REDUCED, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_FILL_ORDER, _STRIPS, ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES = 266, 273, 274, 277, 278, 279
_PLANAR, _PREDICTOR, _PALETTE, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 284, 317, 320, 322, 323, 324, 325
_INK_SET, _EXTRA, _FORMAT, _SUBSAMPLING, _BLACK_WHITE, ICC_PROFILE = 332, 338, 339, 530, 532, 34675

# PhotometricInterpretation.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
CHANNELS: Final = {
    WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, LAB: 3, ICC_LAB: 3,
}  # fmt: skip
_OTHER_COLOURS: Final = {4: "a transparency mask", 32803: "raw sensor data", 32844: "LogL", 32845: "LogLuv",
                         34892: "linear raw sensor data"}  # fmt: skip

# Compression.
NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTD = 1, 5, 8, 32773, 32946, 34925, 50000
_READ: Final = frozenset({NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTD})
_OTHER_CODECS: Final = {
    6: "old-style JPEG", 7: "JPEG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 50001: "WebP",
    50002: "JPEG XL", 52546: "JPEG XL", 34887: "LERC", 34661: "JBIG", 22610: "JPEG XR", 34934: "JPEG XR",
    2: "fax", 3: "fax", 4: "fax", 34676: "SGI LogLuv", 34677: "SGI LogLuv", 32809: "ThunderScan", 32766: "NeXT",
}  # fmt: skip

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
_FORMAT_NAMES: Final = {UNSIGNED: "integers", SIGNED: "signed integers", FLOAT: "floating-point numbers"}
ASSOCIATED, UNASSOCIATED = 1, 2
_MOST_SAMPLES: Final = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """What is needed to find and to understand the samples of one page; names are those of the tags.

    Attributes:
        sizes: width and height of a strip or tile, px.
        kept: how many of the samples of a pixel are looked at: its colour, and its alpha if it has one.
        alpha: ASSOCIATED, UNASSOCIATED or 0 for none.
        palette: uint16 (entries, 3), or None.
        subsampling: across and down, of YCbCr.
        black_white: ReferenceBlackWhite, six numbers.
    """

    width: int
    height: int
    bits: int
    samples: int
    kind: int
    photometric: int
    compression: int
    planar: bool
    predictor: int
    reversed_bits: bool
    big_endian: bool
    tiled: bool
    sizes: tuple[int, int]
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    kept: int
    alpha: int
    orientation: int
    palette: NDArray[np.uint16] | None
    subsampling: tuple[int, int]
    black_white: tuple[float, ...]


def numbers(tags: Any, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The whole numbers of a tag, of whatever type they were stored as."""
    value = tags.get(tag)
    if value is None:
        return default
    if isinstance(value, bytes):
        return tuple(value)
    return tuple(int(each) for each in (value if isinstance(value, tuple | list) else (value,)))


def number(tags: Any, tag: int, default: int) -> int:
    """The first whole number of a tag."""
    return (numbers(tags, tag) or (default,))[0]


def is_misread(tags: Any) -> bool:
    """Whether Pillow opens a page with these tags, and gives wrong pixels or none.

    Colour maps of 8 bits (libtiff's `checkcmap`), planes that are not compressed or are two, samples that are not
    unsigned integers of up to 16 bits, YCbCr without JPEG, an orientation that isn't stored as SHORT.
    """
    compression, photometric = number(tags, _COMPRESSION, NONE), number(tags, _PHOTOMETRIC, 0)
    samples, bits = number(tags, _SAMPLES, 1), max(numbers(tags, _BITS, (1,)))
    if compression not in _READ:
        return samples == 2 and number(tags, _PLANAR, 1) == 2
    if photometric == PALETTE and max(numbers(tags, _PALETTE, (256,))) < 256:
        return True
    if samples > 1 and number(tags, _PLANAR, 1) == 2 and (compression == NONE or samples == 2):
        return True
    if set(numbers(tags, _FORMAT)) & {SIGNED, FLOAT} or bits > 16:
        return True
    return (photometric == YCBCR and compression == NONE) or isinstance(tags.get(ORIENTATION), bytes)


def may_be_dark(tags: Any) -> bool:
    """Whether the colours may be of a sensor of fewer bits, stored in 16, nearly black to Pillow."""
    return (
        number(tags, _COMPRESSION, NONE) in _READ
        and number(tags, _PHOTOMETRIC, 0) == RGB
        and set(numbers(tags, _BITS, (1,))) == {16}
        and not numbers(tags, _EXTRA)
    )


def layout_of(tags: Any) -> Layout:
    """The layout of a page from its tags.

    Raises:
        NotSupportedError: its samples are of a kind that isn't read; says which.
        ValueError: its tags contradict each other.
    """
    width, height = number(tags, _WIDTH, 0), number(tags, _HEIGHT, 0)
    bits, samples = numbers(tags, _BITS, (1,)), number(tags, _SAMPLES, 1)
    kinds = {kind if kind in _FORMAT_NAMES else UNSIGNED if kind == 4 else kind for kind in numbers(tags, _FORMAT)}
    photometric, compression = number(tags, _PHOTOMETRIC, 0), number(tags, _COMPRESSION, NONE)
    if photometric not in CHANNELS:
        if photometric in _OTHER_COLOURS:
            raise NotSupportedError(f"a TIFF of {_OTHER_COLOURS[photometric]}")
        raise ValueError(f"unknown colour type {photometric}")
    if photometric == CMYK and number(tags, _INK_SET, 1) != 1:
        raise NotSupportedError("a TIFF of other inks than CMYK")
    if compression not in _READ:
        if compression not in _OTHER_CODECS:
            raise ValueError(f"unknown compression {compression}")
        codec = _OTHER_CODECS[compression]
        raise NotSupportedError(f"a TIFF compressed by {codec} with {_about(bits, kinds, samples)}")
    if len(set(bits[:samples])) > 1 or len(kinds) > 1:
        raise NotSupportedError("a TIFF whose samples have different sizes or types")
    kind = kinds.pop() if kinds else UNSIGNED
    channels = CHANNELS[photometric] if photometric not in (LAB, ICC_LAB) or samples >= 3 else 1
    sound = bits[0] in (16, 32, 64) if kind == FLOAT else bits[0] in (8, 16, 32, 64) or (bits[0] < 32 and kind == 1)
    if kind not in _FORMAT_NAMES or not sound or not channels <= samples <= _MOST_SAMPLES:
        raise NotSupportedError(f"a TIFF with {_about(bits, {kind}, samples)}")
    if photometric == YCBCR and (bits[0] != 8 or number(tags, _PLANAR, 1) == 2 or samples != 3):
        raise NotSupportedError(f"a YCbCr TIFF with {_about(bits, {kind}, samples)}")
    extra = numbers(tags, _EXTRA)
    alpha = extra[0] if extra and extra[0] in (ASSOCIATED, UNASSOCIATED) and samples > channels else 0
    if photometric in (CMYK, LAB, ICC_LAB, YCBCR, PALETTE):
        alpha = 0
    tiled = tags.get(_TILES) is not None and tags.get(_STRIPS) is None
    rows = min(number(tags, _ROWS, height), height)
    across = numbers(tags, _SUBSAMPLING, (2, 2)) if photometric == YCBCR else (1, 1)
    entries = numbers(tags, _PALETTE)
    if photometric == PALETTE and (bits[0] > 16 or len(entries) < 3 or len(entries) % 3):
        raise ValueError("the colour map is missing or has a wrong size")
    return Layout(
        width=width, height=height, bits=bits[0], samples=samples, kind=kind, photometric=photometric,
        compression=compression, planar=samples > 1 and number(tags, _PLANAR, 1) == 2,
        predictor=number(tags, _PREDICTOR, 1) if compression not in (NONE, PACKBITS) else 1,
        reversed_bits=number(tags, _FILL_ORDER, 1) == 2, big_endian=tags.prefix == b"MM", tiled=tiled,
        sizes=(number(tags, _TILE_WIDTH, 0), number(tags, _TILE_HEIGHT, 0)) if tiled else (width, rows),
        offsets=numbers(tags, _TILES if tiled else _STRIPS),
        counts=numbers(tags, _TILE_BYTES if tiled else _STRIP_BYTES),
        kept=channels + bool(alpha), alpha=alpha, orientation=number(tags, ORIENTATION, 1),
        palette=np.array(entries, np.uint16).reshape(3, -1).T if photometric == PALETTE else None,
        subsampling=(max(1, across[0]), max(1, across[-1])),
        black_white=tuple(float(each) for each in tags.get(_BLACK_WHITE, ())),
    )  # fmt: skip


def _about(bits: tuple[int, ...], kinds: set[int], samples: int) -> str:
    kind = _FORMAT_NAMES.get(min(kinds, default=UNSIGNED), "complex numbers")
    return f"{samples} sample{'s' if samples > 1 else ''} a pixel of {bits[0]}-bit {kind}"


# -- big-endian BigTIFF ---------------------------------------------------------------------------------------------

_NARROWED: Final = {16: (4, "Q", "I"), 17: (9, "q", "i"), 18: (13, "Q", "I")}  # LONG8, SLONG8, IFD8
_TYPE_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8,
                      18: 8}  # fmt: skip
_POINTERS: Final = frozenset({34665, 34853})  # to the Exif and GPS directories
_LEFT_OUT: Final = frozenset({330})  # SubIFDs
_MOST_ENTRIES: Final = 4096


def as_classic(data: bytes) -> bytes:
    """A big-endian BigTIFF as a classic TIFF with the same first page, which Pillow can open.

    Raises:
        NotSupportedError: it has more than 4 GB, and the classic format no place for its offsets.
        ValueError, struct.error: its directory is damaged.
    """
    made = bytearray(data)
    place = _directory(made, data, struct.unpack_from(">Q", data, 8)[0], 0)
    if len(made) >= 2**32:
        raise NotSupportedError("a big-endian BigTIFF of more than 4 GB")
    made[:8] = struct.pack(">2sHI", b"MM", 42, place)
    return bytes(made)


def _directory(made: bytearray, data: bytes, place: int, depth: int) -> int:
    """Append a directory of a BigTIFF to `made` in the classic form; where it begins."""
    (count,) = struct.unpack_from(">Q", data, place)
    if count > _MOST_ENTRIES or depth > 1:
        raise ValueError(f"a directory of {count} entries")
    entries = []
    for number_ in range(count):
        at = place + 8 + 20 * number_
        tag, kind, length = struct.unpack_from(">HHQ", data, at)
        size = _TYPE_BYTES.get(kind, 0) * length
        start = at + 12 if size <= 8 else struct.unpack_from(">Q", data, at + 12)[0]
        value = data[start : start + size]
        if tag in _LEFT_OUT or not size or len(value) != size:
            continue
        if tag in _POINTERS:
            wide = struct.unpack(">Q", value)[0] if size == 8 else struct.unpack(">I", value)[0]
            kind, length, value = 4, 1, struct.pack(">I", _directory(made, data, wide, depth + 1))
        elif kind in _NARROWED:
            kind, wide_code, code = _NARROWED[kind]
            value = struct.pack(f">{length}{code}", *struct.unpack(f">{length}{wide_code}", value))
        if len(value) > 4:
            made += b"\0" * (len(made) % 2)
            made += value
            value = struct.pack(">I", len(made) - len(value))
        entries.append(struct.pack(">HHI", tag, kind, length) + value.ljust(4, b"\0"))
    made += b"\0" * (len(made) % 2)
    start = len(made)
    made += struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4)
    return start
