"""A raw file as a picture: what its camera shows of it, with the facts and the size of the raw file.

That is the largest JPEG the camera put beside the sensor's data, found without a raw decoder. Where it is small, or
there is none, LibRaw makes a picture of the sensor's data: by rawpy, the extra `raw`. A stamp of 160 pixels is never
taken for the picture.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib import import_module
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from sightline.images.errors import DecodeError, TooLargeError
from sightline.images.raw_files import find
from sightline.images.raw_previews import Preview, RawFile
from sightline.metadata.blocks import blocks_of
from sightline.metadata.facts import NOTHING_BESIDE, Beside, Facts, facts_of

_ENOUGH: Final = 1_000
"""Pixels of a preview's longer side with which it stands for the picture, whatever the size of the raw file."""

# LibRaw's `flip`: how the picture is to be turned, as EXIF orientations.
_TURNS: Final[Mapping[int, int]] = {0: 1, 3: 3, 5: 8, 6: 6}
_QUARTER: Final = 5  # from this orientation on, width and height change places


class Rendered(io.BytesIO):
    """A raw file as a picture: a JPEG or PPM file, to be turned by the EXIF orientation `turn`.

    `facts` are those of the raw file, upright.
    """

    def __init__(self, data: bytes, facts: Facts, turn: int) -> None:
        super().__init__(data)
        self.facts = facts
        self.turn = turn

    def upright(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width, upright, of a picture of this width and height."""
        width, height = size
        return (width, height) if self.turn >= _QUARTER else (height, width)


def rendered(source: BinaryIO, max_pixels: int, beside: Beside = NOTHING_BESIDE) -> Rendered | None:
    """What a camera shows of its raw file; None for a file that is none.

    Raises:
        DecodeError: there is no picture in it that is large enough, or it can't be made.
        OSError: the disk fails.
    """
    raw = find(source)
    if raw is None:
        return None
    best = max(raw.previews, key=lambda preview: preview.width * preview.height, default=None)
    if best is not None and _is_enough(best, raw):
        data = _bytes_of(source, best)
        turn = raw.orientation or _own_orientation(data)
        return Rendered(data, _facts(raw, turn, beside), _turn_of(best, raw, turn))
    pixels, size, flip = _develop(source, raw, best, max_pixels)
    if not raw.width:
        raw.width, raw.height = size
    turn = raw.orientation or _TURNS.get(flip, 1)
    height, width, _ = pixels.shape
    return Rendered(b"P6 %d %d 255\n" % (width, height) + pixels.tobytes(), _facts(raw, turn, beside), turn)


def header_facts(source: BinaryIO, max_pixels: int, beside: Beside = NOTHING_BESIDE) -> Facts | None:
    """The facts of a raw file; None for a file that is none. Its picture is made only to know its size.

    Raises: as `rendered`.
    """
    raw = find(source)
    if raw is None:
        return None
    if not raw.width:
        shown = rendered(source, max_pixels, beside)
        return None if shown is None else shown.facts
    turn = raw.orientation
    if turn is None:
        best = max(raw.previews, key=lambda preview: preview.width * preview.height, default=None)
        turn = _own_orientation(_bytes_of(source, best)) if best is not None else 1
    return _facts(raw, turn, beside)


def _is_enough(preview: Preview, raw: RawFile) -> bool:
    longest = max(preview.width, preview.height)
    return longest >= _ENOUGH or 0 < max(raw.width, raw.height) <= 2 * longest


def _turn_of(preview: Preview, raw: RawFile, orientation: int) -> int:
    """The orientation to turn a preview by; 1 where its shape tells that it was turned before it was kept."""
    is_turned = (preview.width > preview.height) != (raw.width > raw.height)
    return 1 if orientation >= _QUARTER and raw.width != raw.height and is_turned else orientation


def _facts(raw: RawFile, orientation: int, beside: Beside) -> Facts:
    """The facts of a raw file; its size is told upright."""
    width, height = (raw.height, raw.width) if orientation >= _QUARTER else (raw.width, raw.height)
    return facts_of(width, height, raw.format, raw.blocks, beside, orientation)


def _bytes_of(source: BinaryIO, preview: Preview) -> bytes:
    parts = []
    for offset, length in preview.parts:
        source.seek(offset)
        parts.append(source.read(length))
    head = b"" if preview.is_jpeg else b"P6 %d %d 255\n" % (preview.width, preview.height)
    return head + b"".join(parts)


def _own_orientation(data: bytes) -> int:
    """The orientation in the EXIF of a JPEG; 1 where there is none."""
    exif = blocks_of("JPEG", io.BytesIO(data), {}).exif
    return (exif and exif.orientation) or 1


def _develop(
    source: BinaryIO, raw: RawFile, best: Preview | None, max_pixels: int
) -> tuple[NDArray[np.uint8], tuple[int, int], int]:
    """Pixels (height, width, 3) as LibRaw makes them, the size of the whole, and how it is to be turned.

    At half size: four sensor pixels make one of the picture, which takes no guessing and a tenth of the time. With the
    camera's own white balance.
    """
    try:
        rawpy: Any = import_module("rawpy")
    except ImportError as error:
        inside = f"the picture inside has only {best.width}x{best.height} pixels" if best else "it has no preview"
        raise DecodeError(
            "open",
            f"it is a RAW file ({raw.format}), and {inside}. "
            "To have it read: pip install 'sightline[raw]', then index with --rescan",
        ) from error
    source.seek(0)
    try:
        with rawpy.imread(source) as opened:
            size = (int(opened.sizes.width), int(opened.sizes.height))
            if size[0] * size[1] > max_pixels:
                raise TooLargeError(
                    "open",
                    f"{size[0]}x{size[1]} is {size[0] * size[1] / 1e6:,.1f} megapixels; the limit is "
                    f"{max_pixels / 1e6:,.1f}",
                )
            half = max(size) >= 2 * _ENOUGH
            pixels = opened.postprocess(half_size=half, use_camera_wb=True, output_bps=8, user_flip=0)
            return np.ascontiguousarray(pixels), size, int(opened.sizes.flip)
    except rawpy.LibRawError as error:
        said = error.args[0] if error.args else ""
        detail = said.decode("ascii", "replace") if isinstance(said, bytes) else said
        raise DecodeError("open", f"it is a RAW file ({raw.format}) that LibRaw can't read: {detail}") from error
