"""From a file to upright RGB pixels, a thumbnail and facts, or to one sentence saying why not.

Decode small, then turn upright, then RGB, in that order: a JPEG decoded at 1/4 costs a fraction of the whole, and
every later step touches sixteen times fewer pixels.

Pillow's process-wide settings (`MAX_IMAGE_PIXELS`, `LOAD_TRUNCATED_IMAGES`) are never touched: other code in the
process may count on them, and two threads may want different limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from sightline.images import jpeg, raw
from sightline.images.budget import PixelBudget, pixels_held
from sightline.images.dominant_colour import dominant
from sightline.images.errors import DecodeError, TooLargeError, UnsupportedError, explained
from sightline.images.look import Look, look_of
from sightline.images.opening import ALLOWED_FORMATS, DEFAULT_MAX_PIXELS, open_picture, without_rest
from sightline.images.scaling import (
    PREVIEW_LEAST,
    PREVIEW_SIDE,
    THUMBNAIL_LEAST,
    THUMBNAIL_SIDE,
    decode_scale,
    power_of_two,
    screen_size,
)  # fmt: skip
from sightline.images.to_rgb import to_srgb
from sightline.images.upright import TURNS, stored, turned
from sightline.metadata.facts import NOTHING_BESIDE, TURNED_BY_PLUGIN, Beside, Facts, read_facts

if TYPE_CHECKING:
    from sightline.images.gpu_jpeg import GpuJpegDecoder

_T = TypeVar("_T")

__all__ = ["ALLOWED_FORMATS", "DEFAULT_MAX_PIXELS", "DecodeError", "Decoded", "decode", "decode_header", "preview"]

_THUMBNAIL_QUALITY: Final = 82  # about 35 kB for a photograph; below 80 skies begin to band
_PREVIEW_QUALITY: Final = 85  # about 300 kB; it is looked at alone, and large


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture.

    `pixels`: (height, width, 3) uint8, upright, contiguous and writable, in the file's own RGB space: the models were
    trained on pictures whose colour profile was ignored. `thumbnail`: a baseline JPEG in sRGB without any metadata.
    `original`: height and width of the whole picture, upright, which `pixels` are a power of two smaller than: those of
    the facts, but for a raw file, whose preview it is.
    `colour`: the dominant colour of the thumbnail, 0xRRGGBB in sRGB; None without a thumbnail. `look`: what that looks
    like, for comparing; None likewise.
    `remark`: what was wrong with the file, though there is a picture, in words for the person who owns it.
    """

    pixels: NDArray[np.uint8]
    facts: Facts
    original: tuple[int, int]
    thumbnail: bytes | None
    colour: int | None = None
    remark: str | None = None
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole picture, to cut parts out of.

    `pixels`: as of `Decoded`, but of any strides: turned without a copy. `to_srgb`: makes sRGB of parts of them; None
    where they are in it.
    """

    pixels: NDArray[np.uint8]
    to_srgb: ImageCms.ImageCmsTransform | None


def decode(
    source: BinaryIO, *, need: int, thumbnail: bool = True, max_pixels: int = DEFAULT_MAX_PIXELS,
    gpu: GpuJpegDecoder | None = None, beside: Beside = NOTHING_BESIDE, budget: PixelBudget | None = None,
) -> Decoded:  # fmt: skip
    """Decode one picture, shrunk as far as its use allows.

    `source` is open, binary and seekable; it is read, and left open. The shorter side of the pixels keeps at least
    2 * `need` px where the original has them, and with a thumbnail both sides at least those of it. Twice the model's
    input, because shrinking by DCT to that leaves at least 52 dB to the full path (to once it: 25 to 43 dB). With
    `gpu`, of whose `cores` the caller holds one, a JPEG may be decoded on a GPU. With `budget` it waits for its turn.

    Safe to call from many threads. Raises DecodeError, and nothing else, for a file that cannot be shown in full.
    """
    if need < 1:
        raise ValueError(f"need is {need}; it is the shorter side of a model's input in pixels, at least 1")

    def make(image: ImageFile.ImageFile, file: BinaryIO) -> Decoded:
        scale = decode_scale(image.size, need, thumbnail)
        # Who decodes on a GPU waits for a core meanwhile, which another who waits for the budget may have.
        if budget is None or (gpu is not None and image.format in ("JPEG", "MPO")):
            return _decode(image, file, source, scale, thumbnail, gpu, beside)
        with budget.hold(pixels_held(image, scale)):
            return _decode(image, file, source, scale, thumbnail, gpu, beside)

    return _tried(source, max_pixels, make, beside)


def decode_header(source: BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS, beside: Beside = NOTHING_BESIDE) -> Facts:
    """Read the facts of one picture, and none of its pixels.

    `source` and errors are as for `decode`; safe to call from many threads.
    """
    try:
        facts = raw.header_facts(source, max_pixels, beside)
    except Exception as error:
        raise explained(error, None, None, source) from error
    return facts or _tried(source, max_pixels, lambda image, file: read_facts(image, source, beside))


def preview(source: BinaryIO, side: int = PREVIEW_SIDE, max_pixels: int = DEFAULT_MAX_PIXELS) -> bytes:
    """A picture to be looked at: upright, a baseline JPEG in sRGB without any metadata.

    Its longest side has at most `side` px, that of a long picture more (see `screen_size`); it is never larger than the
    original. `source` and errors are as for `decode`; safe to call from many threads. A JPEG is shrunk while decoding
    to no less than that: of 27 photographs of 8 to 20 megapixels that takes 42 ms where the full path takes 95, and is
    40 to 66 dB from it, half of them above 49 dB; the JPEG that comes of it is farther from either.
    """
    if side < 1:
        raise ValueError(f"side is {side}; it is the longest side of a preview in pixels, at least 1")

    def make(image: ImageFile.ImageFile, file: BinaryIO) -> bytes:
        least = round(side * PREVIEW_LEAST / PREVIEW_SIDE)
        (shorter, longer), wanted = sorted(image.size), max(screen_size(image.size, side, least))
        scale = power_of_two(min(longer // wanted, shorter))
        facts = _facts(image, file, source, NOTHING_BESIDE)
        pixels = turned(stored(image, file, scale, facts.orientation).pixels, _turn(facts, file))
        return jpeg.encoded(_for_screens(pixels, image, side, least), _PREVIEW_QUALITY)

    return _tried(source, max_pixels, make)


def whole(source: BinaryIO, scale: int, max_pixels: int = DEFAULT_MAX_PIXELS) -> Whole:
    """All of a picture, upright, at 1 / `scale` of its size, a power of two.

    `source` and errors are as for `decode`; safe to call from many threads.
    """

    def make(image: ImageFile.ImageFile, file: BinaryIO) -> Whole:
        facts = _facts(image, file, source, NOTHING_BESIDE)
        turn = TURNS.get(_turn(facts, file))
        pixels = stored(image, file, scale, facts.orientation).pixels
        return Whole(pixels if turn is None else turn(pixels), _to_srgb(image))

    return _tried(source, max_pixels, make)


def _facts(image: ImageFile.ImageFile, file: BinaryIO, source: BinaryIO, beside: Beside) -> Facts:
    """The facts of `source`, from `file` of which the picture was opened."""
    return file.facts if isinstance(file, raw.Rendered) else read_facts(image, source, beside)


def _turn(facts: Facts, file: BinaryIO) -> int:
    """The orientation that the pixels are still to be turned by."""
    if isinstance(file, raw.Rendered):
        return file.turn
    return 1 if facts.format in TURNED_BY_PLUGIN else facts.orientation


def _tried(
    source: BinaryIO, max_pixels: int, work: Callable[[ImageFile.ImageFile, BinaryIO], _T],
    beside: Beside = NOTHING_BESIDE,
) -> _T:  # fmt: skip
    """What `work` makes of the opened picture, of a raw file what its camera shows.

    Where that fails, what it makes of the file without what lies beside its pixels.
    """
    image, file = None, source
    try:
        file = raw.rendered(source, max_pixels, beside) or source
        image = open_picture(file, max_pixels)
        return work(image, file)
    except Exception as error:  # noqa: BLE001 - plugins raise whatever a damaged file leads them into
        problem, cause = _problem(error, image, file), error
    is_final = isinstance(problem, TooLargeError | UnsupportedError) or isinstance(cause, MemoryError)
    if not is_final and problem.stage != "read" and file is source:
        bare = without_rest(source)
        if bare is not None:
            image = None
            try:
                image = open_picture(bare, max_pixels)
                return work(image, bare)
            except Exception as error:  # noqa: BLE001 - as above
                problem, cause = _problem(error, image, source), error
    raise problem from cause


def _problem(error: Exception, image: ImageFile.ImageFile | None, source: BinaryIO) -> DecodeError:
    return explained(error, None, None, source) if image is None else explained(error, image.size, image.format, source)


def _decode(
    image: ImageFile.ImageFile, file: BinaryIO, source: BinaryIO, scale: int, thumbnail: bool,
    gpu: GpuJpegDecoder | None, beside: Beside,
) -> Decoded:  # fmt: skip
    """Decode what was opened from `file`; the facts are those of `source`, which it may be a part of."""
    size, facts = image.size, _facts(image, file, source, beside)
    pixels, remark = stored(image, file, scale, facts.orientation, gpu)
    pixels = turned(pixels, _turn(facts, file))
    original = file.upright(size) if isinstance(file, raw.Rendered) else (facts.height, facts.width)
    if not thumbnail:
        return Decoded(pixels, facts, original, None, remark=remark)
    picture = _for_screens(pixels, image, THUMBNAIL_SIDE, THUMBNAIL_LEAST)
    encoded = jpeg.encoded(picture, _THUMBNAIL_QUALITY)
    return Decoded(pixels, facts, original, encoded, dominant(picture), remark, look_of(picture))


def _for_screens(pixels: NDArray[np.uint8], origin: Image.Image, side: int, least: int) -> NDArray[np.uint8]:
    """The pixels in sRGB, at the `screen_size` of them; `origin` knows their colour profile."""
    size = screen_size((pixels.shape[0], pixels.shape[1]), side, least)
    if size != pixels.shape[:2]:
        # Pillow's filter, vectorised: 0.5 ms where Pillow's bicubic takes 2.4 (640x480), equal to one level. The batch
        # axis goes on first: only so does torch see "channels last", which is twice as fast and needs no copy back.
        batch = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
        batch = torch.nn.functional.interpolate(batch, size, mode="bicubic", antialias=True)
        pixels = batch[0].permute(1, 2, 0).numpy()
    transform = _to_srgb(origin)
    return pixels if transform is None else np.asarray(transform.apply(Image.fromarray(pixels)))


def _to_srgb(origin: Image.Image) -> ImageCms.ImageCmsTransform | None:
    # CMYK is in sRGB already; its profile does not describe these pixels.
    return None if origin.mode == "CMYK" else to_srgb(origin.info.get("icc_profile"), "RGB")
