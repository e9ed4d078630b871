"""From a file to upright RGB pixels, a thumbnail and facts, or to one sentence saying why not.

Decode small, then turn upright, then RGB, in that order: a JPEG decoded at 1/4 costs a fraction of the whole, and
every later step touches sixteen times fewer pixels.

Pillow's process-wide settings (`MAX_IMAGE_PIXELS`, `LOAD_TRUNCATED_IMAGES`) are never touched: other code in the
process may count on them, and two threads may want different limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile

from sightline.images import jpeg
from sightline.images.dominant_colour import dominant
from sightline.images.errors import DecodeError, explained
from sightline.images.exif import NOTHING_BESIDE, TURNED_BY_PLUGIN, Beside, Facts, png_without_pixels, read_facts
from sightline.images.opening import ALLOWED_FORMATS, DEFAULT_MAX_PIXELS, open_picture, open_shown, raw_facts
from sightline.images.raw import Rendered
from sightline.images.scaling import (
    PREVIEW_LEAST,
    PREVIEW_SIDE,
    THUMBNAIL_LEAST,
    THUMBNAIL_SIDE,
    decode_scale,
    power_of_two,
    rounded_size,
    screen_size,
)  # fmt: skip
from sightline.images.to_rgb import reducible, to_rgb, to_srgb

if TYPE_CHECKING:
    from sightline.images.gpu_jpeg import GpuJpegDecoder

__all__ = ["ALLOWED_FORMATS", "DEFAULT_MAX_PIXELS", "DecodeError", "Decoded", "decode", "decode_header", "preview"]

_THUMBNAIL_QUALITY: Final = 82  # about 35 kB for a photograph; below 80 skies begin to band
_PREVIEW_QUALITY: Final = 85  # about 300 kB; it is looked at alone, and large


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture.

    `pixels`: (height, width, 3) uint8, upright, contiguous and writable, in the file's own RGB space: the models were
    trained on pictures whose colour profile was ignored. `original`: height and width of the whole picture, upright,
    which `pixels` are a power of two smaller than: that of the facts, but for a raw file, whose preview it is.
    `thumbnail`: a baseline JPEG in sRGB without any metadata. `colour`: the dominant colour of the thumbnail, 0xRRGGBB
    in sRGB; None without a thumbnail.
    """

    pixels: NDArray[np.uint8]
    facts: Facts
    original: tuple[int, int]
    thumbnail: bytes | None
    colour: int | None = None


def decode(
    source: BinaryIO, *, need: int, thumbnail: bool = True, max_pixels: int = DEFAULT_MAX_PIXELS,
    gpu: GpuJpegDecoder | None = None, beside: Beside = NOTHING_BESIDE,
) -> Decoded:  # fmt: skip
    """Decode one picture, shrunk as far as its use allows.

    `source` is open, binary and seekable; it is read, and left open. The shorter side of the pixels keeps at least
    2 * `need` px where the original has them, and with a thumbnail both sides at least those of it. Twice the model's
    input, because shrinking by DCT to that leaves at least 52 dB to the full path (to once it: 25 to 43 dB). With
    `gpu`, of whose `cores` the caller holds one, a JPEG may be decoded on a GPU.

    Safe to call from many threads. Raises DecodeError, and nothing else, for a file that cannot be shown in full.
    """
    if need < 1:
        raise ValueError(f"need is {need}; it is the shorter side of a model's input in pixels, at least 1")
    image, source, raw = open_shown(source, max_pixels, beside)
    try:
        return _decode(image, source, raw, need, thumbnail, gpu, beside)
    # Plugins raise whatever a damaged file leads them into (zlib.error, KeyError, MemoryError ...).
    except Exception as error:  # BLE001 does not mind, as it is raised again
        raise explained(error, image.size) from error


def decode_header(source: BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS, beside: Beside = NOTHING_BESIDE) -> Facts:
    """Read the facts of one picture, and none of its pixels.

    `source` and errors are as for `decode`; safe to call from many threads.
    """
    if (facts := raw_facts(source, max_pixels, beside)) is not None:
        return facts
    image = open_picture(source, max_pixels)
    try:
        return read_facts(
            open_picture(png_without_pixels(source), max_pixels) if image.format == "PNG" else image, beside
        )
    except Exception as error:  # as in decode
        raise explained(error, image.size) from error


def preview(source: BinaryIO, side: int = PREVIEW_SIDE, max_pixels: int = DEFAULT_MAX_PIXELS) -> bytes:
    """A picture to be looked at: upright, a baseline JPEG in sRGB without any metadata.

    Its longest side has at most `side` px, that of a long picture more (see `screen_size`); it is never larger than the
    original. `source` and errors are as for `decode`; safe to call from many threads. A JPEG is shrunk while decoding
    to no less than that: of 27 photographs of 8 to 20 megapixels that takes 42 ms where the full path takes 95, and is
    40 to 66 dB from it, half of them above 49 dB; the JPEG that comes of it is farther from either.
    """
    if side < 1:
        raise ValueError(f"side is {side}; it is the longest side of a preview in pixels, at least 1")
    image, source, raw = open_shown(source, max_pixels)
    try:
        least = round(side * PREVIEW_LEAST / PREVIEW_SIDE)
        (shorter, longer), wanted = sorted(image.size), max(screen_size(image.size, side, least))
        pixels, _ = _upright_at(image, source, power_of_two(min(longer // wanted, shorter)), raw)
        return jpeg.encoded(_for_screens(pixels, image, side, least), _PREVIEW_QUALITY)
    except Exception as error:  # as in decode
        raise explained(error, image.size) from error


def _decode(
    image: ImageFile.ImageFile, source: BinaryIO, raw: Rendered | None, need: int, thumbnail: bool,
    gpu: GpuJpegDecoder | None, beside: Beside,
) -> Decoded:  # fmt: skip
    size = image.size
    pixels, facts = _upright_at(image, source, decode_scale(size, need, thumbnail), raw, gpu, beside)
    original = (facts.height, facts.width) if raw is None else raw.upright(size)
    if not thumbnail:
        return Decoded(pixels, facts, original, None)
    picture = _for_screens(pixels, image, THUMBNAIL_SIDE, THUMBNAIL_LEAST)
    return Decoded(pixels, facts, original, jpeg.encoded(picture, _THUMBNAIL_QUALITY), dominant(picture))


def _upright_at(
    image: ImageFile.ImageFile,
    source: BinaryIO,
    scale: int,
    raw: Rendered | None = None,
    gpu: GpuJpegDecoder | None = None,
    beside: Beside = NOTHING_BESIDE,
) -> tuple[NDArray[np.uint8], Facts]:
    """The picture, upright, at 1 / `scale` of its size, a power of two; and its facts."""
    if image.format == "PNG":
        image.load()  # EXIF may follow the pixels: reading facts would load them, and hide it when that fails
    facts = read_facts(image, beside) if raw is None else raw.facts
    is_jpeg = image.format in ("JPEG", "MPO")
    pixels = None
    if is_jpeg and image.mode in ("L", "RGB") and scale in jpeg.SCALES:
        data = jpeg.data_of(source)
        if gpu is not None and not _in_rgb(image):
            pixels = gpu.decode(data, image.size, scale)
        if pixels is None:
            pixels = jpeg.pixels_of(data, image.size, scale)
    if pixels is None:
        pixels = _by_pillow(image, scale, max(jpeg.SCALES) if is_jpeg else 1)
    else:
        width, height = rounded_size(image.size, scale)
        pixels = np.ascontiguousarray(pixels[:height, :width])
    turn = facts.orientation if raw is None else raw.turn
    return (pixels if facts.format in TURNED_BY_PLUGIN else _upright(pixels, turn)), facts


def _in_rgb(image: ImageFile.ImageFile) -> bool:
    """Whether an 8-bit colour JPEG may hold RGB, by libjpeg's rules (jdapimin.c): nvJPEG assumes YCbCr."""
    components = bytes(layer[0] for layer in getattr(image, "layer", ()))
    return components == b"RGB" or image.info.get("adobe_transform", 1) == 0


def _by_pillow(image: ImageFile.ImageFile, scale: int, most: int) -> NDArray[np.uint8]:
    """RGB at 1 / `scale`, turned only where the plugin does it; its draft mode shrinks by up to `most`."""
    size, drafted = image.size, min(scale, most)
    if drafted > 1:
        # Pillow picks the largest scale that leaves at least this; rounding down makes that exactly `drafted`.
        image.draft(None, (size[0] // drafted, size[1] // drafted))
    image.load()
    if drafted == 1:
        size = image.size  # TIFF turns the picture while loading
    return np.array(to_rgb(_shrink(reducible(image), rounded_size(size, scale), scale // drafted)))


def _shrink(image: Image.Image, size: tuple[int, int], factor: int) -> Image.Image:
    """Box-average by `factor`, what the draft left over, to `size`.

    For 12 megapixels it takes 5 ms and saves 20 in the copy and resize that follow.
    """
    box = (0, 0, min(image.width, size[0] * factor), min(image.height, size[1] * factor))
    if factor > 1:
        return image.reduce(factor, box)
    return image.crop(box) if box[2:] != image.size else image


_TURNS: Final[Mapping[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    2: lambda plane: plane[:, ::-1],
    3: lambda plane: plane[::-1, ::-1],
    4: lambda plane: plane[::-1],
    5: lambda plane: plane.T,
    6: lambda plane: plane[::-1].T,
    7: lambda plane: plane[::-1, ::-1].T,
    8: lambda plane: plane[:, ::-1].T,
}


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """As ImageOps.exif_transpose, by an EXIF that was read before.

    Channel by channel: a quarter turn of 972x648 takes 0.7 ms so, and 4.2 when numpy copies pixels of three bytes.
    """
    turn = _TURNS.get(orientation)
    if turn is None:
        return pixels
    turned = np.empty((*turn(pixels[..., 0]).shape, 3), np.uint8)
    for channel in range(3):
        turned[..., channel] = turn(pixels[..., channel])
    return turned


def _for_screens(pixels: NDArray[np.uint8], origin: Image.Image, side: int, least: int) -> NDArray[np.uint8]:
    """The pixels in sRGB, at the `screen_size` of them; `origin` knows their colour profile."""
    size = screen_size((pixels.shape[0], pixels.shape[1]), side, least)
    if size != pixels.shape[:2]:
        # Pillow's filter, vectorised: 0.5 ms where Pillow's bicubic takes 2.4 (640x480), equal to one level. The batch
        # axis goes on first: only so does torch see "channels last", which is twice as fast and needs no copy back.
        batch = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
        batch = torch.nn.functional.interpolate(batch, size, mode="bicubic", antialias=True)
        pixels = batch[0].permute(1, 2, 0).numpy()
    # CMYK is in sRGB already; its profile does not describe these pixels.
    transform = None if origin.mode == "CMYK" else to_srgb(origin.info.get("icc_profile"), "RGB")
    return pixels if transform is None else np.asarray(transform.apply(Image.fromarray(pixels)))
