"""Opening a picture by its content: which plugin, and whether it is too large."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final

import pi_heif
from PIL import Image, ImageFile

from sightline.images import gif_blocks, heif_items, ico, jp2, jpeg_markers, jxl, png_chunks, pnm, psd, tga, webp_chunks
from sightline.images.avif import open_avif
from sightline.images.bmp import open_bmp
from sightline.images.errors import DecodeError, TooLargeError, explained
from sightline.images.formats import not_read
from sightline.images.tiff import open_tiff
from sightline.images.transparency import correct_key
from sightline.images.whole_files import is_small

ALLOWED_FORMATS: Final[tuple[str, ...]] = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "PSD", "JXL",
    "ICO", "PPM", "PCX", "TGA",
)  # fmt: skip
"""Readers that may see a file, tried in this order. JPEG includes MPO. AVIF goes before HEIF, because both claim the
brand "mif1" and the HEIF plugin would open an AVIF it cannot decode. TGA is last: it has no magic number."""

DEFAULT_MAX_PIXELS: Final = 200_000_000
"""The largest phone sensors give 16320 x 12240, 199.8 megapixels. As RGB in memory that is 0.8 GB."""

# All plugins now, on one thread: Pillow would import them on the first open, in whichever thread gets there.
Image.init()
# One decoder thread a picture: the callers' threads already keep every core busy. Only the picture itself is wanted.
pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)

_OPENERS: Final[Mapping[str, Callable[[BinaryIO, str], ImageFile.ImageFile]]] = {
    "TIFF": open_tiff, "BMP": open_bmp, "AVIF": open_avif, "PSD": psd.PsdImageFile, "JXL": jxl.JxlImageFile,
    "ICO": ico.IcoImageFile, "PPM": pnm.PnmImageFile, "TGA": tga.TgaImageFile, "HEIF": heif_items.open_heif,
    "JPEG2000": jp2.open_jp2, "WEBP": webp_chunks.open_webp,
}  # fmt: skip
"""Ours, where Pillow's own plugin would give wrong pixels or none."""

_ACCEPTS: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "PSD": psd.accept, "JXL": jxl.accept, "ICO": ico.accept, "PPM": pnm.accept, "TGA": tga.accept,
}  # fmt: skip
"""Of readers that are ours alone. Pillow's registry, which is of the whole process, has none of them."""

_BARE: Final[tuple[tuple[Callable[[bytes], bool], Callable[[bytes], bytes | None]], ...]] = (
    (lambda prefix: prefix.startswith(png_chunks.SIGNATURE), png_chunks.without_rest),
    (lambda prefix: prefix.startswith(b"\xff\xd8\xff"), jpeg_markers.without_rest),
    (lambda prefix: prefix.startswith(b"GIF8"), gif_blocks.without_rest),
    (lambda prefix: prefix[8:12] == b"WEBP", webp_chunks.without_rest),
    (lambda prefix: prefix[4:8] == b"ftyp", heif_items.without_rest),
    (lambda prefix: prefix.startswith(jp2.BEGINNINGS), jp2.without_rest),
)  # fmt: skip
"""Formats in which it can be told from the pixels: how they begin, and what makes the bare file."""

_PREFIX: Final = 16  # what Pillow gives its plugins
_SNIFF: Final = 512


def open_picture(source: BinaryIO, max_pixels: int) -> ImageFile.ImageFile:
    """Open by content with the first plugin that can.

    Image.open would refuse by a process-wide limit, below what phones make, and warn through `warnings`, which is not
    safe among threads. So the registered plugins are called directly and the size is checked here.

    Raises:
        DecodeError: none can; says why.
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
        accept = _ACCEPTS[name] if name in _ACCEPTS else Image.OPEN[name][1]
        verdict = accept is None or accept(prefix)
        if isinstance(verdict, str):  # this build of Pillow lacks the codec
            problem = DecodeError("open", f"not supported by this installation: Pillow was built without {name}")
            continue
        if not verdict:
            continue
        try:
            source.seek(0)
            image = (_OPENERS.get(name) or Image.OPEN[name][0])(source, "")
            if name == "PNG":
                correct_key(image, source)
        except Exception as error:  # noqa: BLE001 - plugins raise whatever a damaged file leads them into
            problem = explained(error, None, name, source)
            continue
        _check_size(image.size, max_pixels)
        return image
    raise problem


def without_rest(source: BinaryIO) -> io.BytesIO | None:
    """The file without what lies beside its pixels, for a second try; None where that's no help."""
    try:
        source.seek(0)
        prefix = source.read(_PREFIX)
        make = next((make for accept, make in _BARE if accept(prefix)), None)
        if make is None or not is_small(source):
            return None
        source.seek(0)
        data = source.read()
    except OSError:
        return None
    made = make(data)
    return None if made is None or made == data else io.BytesIO(made)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise DecodeError("open", f"the picture has no pixels ({width}x{height})")
    if width * height > max_pixels:
        megapixels = f"{width * height / 1e6:,.1f} megapixels; the limit is {max_pixels / 1e6:,.1f}"
        raise TooLargeError("open", f"{width}x{height} is {megapixels}. Save it smaller to have it indexed")
