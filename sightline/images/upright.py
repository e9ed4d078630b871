"""A picture as RGB pixels, shrunk while it is decoded, and turned; and a remark if something is amiss."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from sightline.images import jpeg, jpeg_damage, jpeg_markers, png_chunks
from sightline.images.arrays import array_of
from sightline.images.cut_short import zeros_at_end
from sightline.images.errors import UnsupportedError
from sightline.images.jpeg_damage import DAMAGED
from sightline.images.libtiff_messages import caught, fax_is_damaged
from sightline.images.opening import open_picture
from sightline.images.scaling import rounded_size
from sightline.images.tiff import open_tiff
from sightline.images.tiff_layout import may_be_dark
from sightline.images.to_rgb import reducible, to_rgb
from sightline.images.transparency import outside_is_clear

MAX_SCANS: Final = 100
"""Scans of a JPEG. Encoders write up to 17 for a progressive one; a small file with thousands takes minutes."""

_NEARLY_BLACK: Final = 16  # of 256
_ENTROPY_CODED: Final = frozenset({"WEBP", "AVIF", "HEIF", "JXL"})  # without checksums, and never long runs of zeros
_FAX: Final = frozenset({"tiff_ccitt", "group3", "group4"})  # by Pillow's names


class OnGpu(NamedTuple):
    """A JPEG file that a GPU may decode: arguments of `GpuJpegDecoder.decode`."""

    data: bytes
    size: tuple[int, int]
    scale: int


class Stored(NamedTuple):
    """Pixels uint8 (height, width, 3), turned only where the plugin does it, and a remark."""

    pixels: NDArray[np.uint8] | OnGpu
    remark: str | None


def stored(
    image: ImageFile.ImageFile, source: BinaryIO, scale: int, orientation: int, *, may_use_gpu: bool = False
) -> Stored:
    """The picture at 1 / `scale` of its size, a power of two; raises whatever a plugin does.

    `source` is what it was opened from. By its EXIF's `orientation` a remark says which side is meant. With
    `may_use_gpu` a JPEG that a GPU can decode is left to it.
    """
    if image.format in ("JPEG", "MPO"):
        return _jpeg(image, source, scale, orientation, may_use_gpu=may_use_gpu)
    if image.format == "TIFF":
        return _tiff(image, source, scale)
    if image.format == "PNG":
        pixels = _by_pillow(image, scale)
        return Stored(pixels, None if png_chunks.pixels_are_sound(source) else DAMAGED)
    return Stored(_by_pillow(image, scale), zeros_at_end(source) if image.format in _ENTROPY_CODED else None)


def _jpeg(image: ImageFile.ImageFile, source: BinaryIO, scale: int, orientation: int, *, may_use_gpu: bool) -> Stored:
    """The pixels of a JPEG, not turned."""
    data, size = jpeg.data_of(source), image.size
    _check_scans(data)
    drafted = min(scale, max(jpeg.SCALES))
    pixels: NDArray[np.uint8] | None = None
    doubt = ""
    if image.mode == "CMYK":
        doubt = jpeg.doubt_of(data, size)
    else:
        if may_use_gpu and scale == drafted and not _in_rgb(image):
            return Stored(OnGpu(data, size, scale), None)
        pixels, doubt = jpeg.pixels_of(data, size, drafted)
    if doubt == jpeg.NO_END and jpeg_markers.is_whole(closed := data + jpeg_markers.END):
        # Only its last two bytes are missing, if the rest of it gives no doubt.
        if image.mode == "CMYK":
            image = image if jpeg.doubt_of(closed, size) else open_picture(io.BytesIO(closed), size[0] * size[1])
        else:
            pixels, _ = jpeg.pixels_of(closed, size, drafted)
        doubt = ""
    is_broken = False
    if pixels is None:
        try:
            pixels = _by_pillow(image, scale, drafted)
        except OSError as error:
            left = jpeg.left_of(data, size, drafted) if error.errno is None else None
            if left is None or not jpeg_damage.is_worth_showing(data, left):
                raise
            is_broken, pixels = True, _fitted(left, size, scale, drafted)
    else:
        pixels = _fitted(pixels, size, scale, drafted)
    remark = jpeg_damage.remark(doubt, data, pixels, orientation, is_broken=is_broken) if doubt or is_broken else None
    return Stored(pixels, remark)


def _check_scans(data: bytes) -> None:
    scans = jpeg_markers.count_scans(data)
    if scans > MAX_SCANS:
        raise UnsupportedError(
            "decode",
            f"this JPEG has {scans} scans, each of which is decoded over the whole picture; the limit is {MAX_SCANS}. "
            "Save it again with another program to have it indexed",
        )


def _fitted(pixels: NDArray[np.uint8], size: tuple[int, int], scale: int, drafted: int) -> NDArray[np.uint8]:
    """What the decoder shrank by `drafted`, at 1 / `scale` of the picture's size."""
    width, height = rounded_size(size, scale)
    if drafted < scale:
        return array_of(_shrink(Image.fromarray(pixels), (width, height), scale // drafted))
    return np.ascontiguousarray(pixels[:height, :width])


def _tiff(image: ImageFile.ImageFile, source: BinaryIO, scale: int) -> Stored:
    """The pixels of a TIFF, turned, and what libtiff had to say of it."""
    is_fax = image.info.get("compression") in _FAX
    with caught() as lines:
        try:
            pixels = _by_pillow(image, scale)
        except OSError as error:
            if error.errno is None and lines:  # Pillow itself knows no more than a number
                raise OSError(lines[-1]) from error
            raise
    if pixels.max() < _NEARLY_BLACK and may_be_dark(getattr(image, "tag_v2", {})):
        pixels = _by_pillow(open_tiff(source, by_samples=True), scale)
    if is_fax and fax_is_damaged(source):
        return Stored(pixels, DAMAGED)
    return Stored(pixels, f"libtiff reports of this file: {'; '.join(lines[:3])}"[:300] if lines else None)


def _in_rgb(image: ImageFile.ImageFile) -> bool:
    """Whether an 8-bit colour JPEG may hold RGB, by libjpeg's rules (jdapimin.c): nvJPEG assumes YCbCr."""
    components = bytes(layer[0] for layer in getattr(image, "layer", ()))
    return components == b"RGB" or image.info.get("adobe_transform", 1) == 0


def _by_pillow(image: ImageFile.ImageFile, scale: int, drafted: int = 1) -> NDArray[np.uint8]:
    """RGB at 1 / `scale`, turned only where the plugin does it; a JPEG's draft mode shrinks by `drafted`."""
    size = image.size
    frame = image.info.get("frame") if image.format == "WEBP" else None
    if image.format == "GIF" and image.tile:
        frame = image.tile[0].extents
    if drafted > 1:
        # Pillow picks the largest scale that leaves at least this; rounding down makes that exactly `drafted`.
        image.draft(None, (size[0] // drafted, size[1] // drafted))
    key = image.info.get("transparency")
    image.load()
    if image.format == "PNG" and key is None:
        image.info.pop("transparency", None)  # one that follows the pixels is not valid
    if drafted == 1:
        size = image.size  # TIFF turns the picture while loading
    shown = image if frame is None else outside_is_clear(image, frame)
    return array_of(to_rgb(_shrink(reducible(shown), rounded_size(size, scale), scale // drafted)))


def _shrink(image: Image.Image, size: tuple[int, int], factor: int) -> Image.Image:
    """Box-average by `factor`, what the draft left over, to `size`.

    For 12 megapixels it takes 5 ms and saves 20 in the copy and resize that follow.
    """
    box = (0, 0, min(image.width, size[0] * factor), min(image.height, size[1] * factor))
    if factor > 1:
        return image.reduce(factor, box)
    return image.crop(box) if box[2:] != image.size else image


TURNS: Final[Mapping[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    2: lambda plane: plane[:, ::-1],
    3: lambda plane: plane[::-1, ::-1],
    4: lambda plane: plane[::-1],
    5: lambda plane: plane.swapaxes(0, 1),
    6: lambda plane: plane[::-1].swapaxes(0, 1),
    7: lambda plane: plane[::-1, ::-1].swapaxes(0, 1),
    8: lambda plane: plane[:, ::-1].swapaxes(0, 1),
}


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """As ImageOps.exif_transpose, by an EXIF that was read before.

    Channel by channel: a quarter turn of 972x648 takes 0.7 ms so, and 4.2 when numpy copies pixels of three bytes.
    """
    turn = TURNS.get(orientation)
    if turn is None:
        return pixels
    turned = np.empty((*turn(pixels[..., 0]).shape, 3), np.uint8)
    for channel in range(3):
        turned[..., channel] = turn(pixels[..., channel])
    return turned
