"""Opening a picture by its content: which plugin, and whether it is too large."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, TypeVar

import pillow_heif
from PIL import Image, ImageFile

from sightline.images import ico, jxl, pnm, psd, raw, tga
from sightline.images.errors import DecodeError, explained
from sightline.images.exif import NOTHING_BESIDE, Beside, Facts
from sightline.images.formats import not_read

ALLOWED_FORMATS: Final[tuple[str, ...]] = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "PSD", "JXL",
    "ICO", "PPM", "PCX", "TGA",
)  # fmt: skip
"""Readers that may see a file, tried in this order. JPEG includes MPO. AVIF goes before HEIF, because both claim the
brand "mif1" and the HEIF plugin would open an AVIF it cannot decode. TGA is last: it has no magic number."""

DEFAULT_MAX_PIXELS: Final = 200_000_000
"""The largest phone sensors give 16320 x 12240, 199.8 megapixels. As RGB in memory that is 0.8 GB."""

# Readers of our own, in the form of Pillow's plugins; not in its registry, which is of the whole process.
_OWN: Final[Mapping[str, tuple[Callable[[BinaryIO, str], ImageFile.ImageFile], Callable[[bytes], bool]]]] = {
    "PSD": (psd.PsdImageFile, psd.accept),
    "JXL": (jxl.JxlImageFile, jxl.accept),
    "ICO": (ico.IcoImageFile, ico.accept),
    "PPM": (pnm.PnmImageFile, pnm.accept),
    "TGA": (tga.TgaImageFile, tga.accept),
}
_T = TypeVar("_T")
_PREFIX: Final = 16  # what Pillow gives its plugins
_SNIFF: Final = 512

# All plugins now, on one thread: Pillow would import them on the first open, in whichever thread gets there.
Image.init()
# One decoder thread a picture: the callers' threads already keep every core busy. Only the picture itself is wanted.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def open_shown(
    source: BinaryIO, max_pixels: int, beside: Beside = NOTHING_BESIDE
) -> tuple[ImageFile.ImageFile, BinaryIO, raw.Rendered | None]:
    """Open a picture, or what a camera shows of its raw file; with the source of that, and the raw file's own facts.

    Raises:
        DecodeError: it can't be opened.
    """
    shown = _raw(lambda: raw.rendered(source, max_pixels, beside))
    source = source if shown is None else shown.source
    return open_picture(source, max_pixels), source, shown


def raw_facts(source: BinaryIO, max_pixels: int, beside: Beside = NOTHING_BESIDE) -> Facts | None:
    """Read the facts of a raw file, and its picture only where nothing else tells its size; None for any other file.

    Raises:
        DecodeError: it can't be opened.
    """
    return _raw(lambda: raw.header_facts(source, max_pixels, beside))


def _raw(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except raw.RawError as error:
        raise DecodeError("open", str(error)) from error
    except Exception as error:
        raise explained(error, None, "RAW") from error


def open_picture(source: BinaryIO, max_pixels: int) -> ImageFile.ImageFile:
    """Open by content with the first plugin that can.

    Image.open would refuse by a process-wide limit, below what phones make, and warn through `warnings`, which is not
    safe among threads. So the registered plugins are called directly and the size is checked here.
    """
    try:
        source.seek(0)
        head = source.read(_SNIFF)
    except OSError as error:
        raise DecodeError("read", f"the file could not be read: {error.strerror or error}") from error
    if not head:
        raise DecodeError("open", "the file is empty")
    prefix, problem = head[:_PREFIX], DecodeError("open", not_read(head))
    for name in ALLOWED_FORMATS:
        factory, accept = _OWN.get(name) or Image.OPEN[name]
        verdict = accept is None or accept(prefix)
        if isinstance(verdict, str) or not verdict:
            continue  # a string says that this build of Pillow lacks the codec
        try:
            source.seek(0)
            image = factory(source, "")
        except Exception as error:  # noqa: BLE001 - as in decode: plugins raise anything
            problem = explained(error, None, name)
            continue
        _check_size(image.size, max_pixels)
        return image
    raise problem


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise DecodeError("open", f"the picture has no pixels ({width}x{height})")
    if width * height > max_pixels:
        megapixels = f"{width * height / 1e6:,.1f} megapixels; the limit is {max_pixels / 1e6:,.1f}"
        raise DecodeError("open", f"{width}x{height} is {megapixels}. Save it smaller to have it indexed")
