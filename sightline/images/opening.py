"""Opening a picture by its content: which plugin, and whether it is too large."""

from __future__ import annotations

from typing import BinaryIO, Final

import pillow_heif
from PIL import Image, ImageFile

from sightline.images.errors import DecodeError, explained

ALLOWED_FORMATS: Final[tuple[str, ...]] = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000",
)  # fmt: skip
"""Pillow plugins that may see a file, tried in this order. JPEG includes MPO. AVIF goes before HEIF, because both
claim the brand "mif1" and the HEIF plugin would open an AVIF it cannot decode."""

DEFAULT_MAX_PIXELS: Final = 200_000_000
"""The largest phone sensors give 16320 x 12240, 199.8 megapixels. As RGB in memory that is 0.8 GB."""

_KNOWN: Final = "JPEG, PNG, WebP, GIF, TIFF, BMP, HEIC, AVIF, JPEG 2000"

# All plugins now, on one thread: Pillow would import them on the first open, in whichever thread gets there.
Image.init()
# One decoder thread a picture: the callers' threads already keep every core busy. Only the picture itself is wanted.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def open_picture(source: BinaryIO, max_pixels: int) -> ImageFile.ImageFile:
    """Open by content with the first plugin that can.

    Image.open would refuse by a process-wide limit, below what phones make, and warn through `warnings`, which is not
    safe among threads. So the registered plugins are called directly and the size is checked here.
    """
    try:
        source.seek(0)
        prefix = source.read(16)
    except OSError as error:
        raise DecodeError("read", f"the file could not be read: {error.strerror or error}") from error
    if not prefix:
        raise DecodeError("open", "the file is empty")
    problem = DecodeError("open", f"not a picture format Sightline reads ({_KNOWN})")
    for name in ALLOWED_FORMATS:
        factory, accept = Image.OPEN[name]
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
