"""From a file to RGB pixels and facts, or to one sentence saying why not.

Decode small, then turn upright, then RGB, in that order: a JPEG decoded at 1/4 costs a fraction of the whole, and
every later step touches sixteen times fewer pixels.

All that reads bytes of strangers is here and below, and nothing of it needs torch: `sightline.images.worker` runs it in
processes of its own.

Pillow's process-wide settings (`MAX_IMAGE_PIXELS`, `LOAD_TRUNCATED_IMAGES`) are never touched: other code in the
process may count on them, and two threads may want different limits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from sightline.images import raw
from sightline.images.budget import pixels_held
from sightline.images.errors import DecodeError, TooLargeError, UnsupportedError, explained
from sightline.images.opening import DEFAULT_MAX_PIXELS, open_picture, without_rest
from sightline.images.scaling import PREVIEW_LEAST, PREVIEW_SIDE, decode_scale, power_of_two, screen_size
from sightline.images.to_rgb import to_srgb
from sightline.images.upright import OnGpu, stored
from sightline.metadata.facts import NOTHING_BESIDE, TURNED_BY_PLUGIN, Beside, Facts, read_facts

_T = TypeVar("_T")

__all__ = ["DEFAULT_MAX_PIXELS", "Budget", "OnGpu", "Pixels", "at_scale", "facts_of_header", "for_model", "for_screen"]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Decoded pixels, and what is known of their picture.

    Attributes:
        stored: (height, width, 3) uint8, in the file's own RGB space: the models were trained on pictures whose colour
            profile was ignored. Of a file that is left to a GPU, what that has to be told.
        turn: the EXIF orientation that they are still to be turned by.
        facts: of the file.
        original: height and width of the whole picture, upright, of which the pixels are a power of two smaller: those
            of the facts, but for a raw file, whose preview it is.
        remark: what was wrong with the file, though there is a picture, in words for the person who owns it.
        profile: the ICC profile that makes sRGB of the pixels; None where they are in it, or nobody will see them.
    """

    stored: NDArray[np.uint8] | OnGpu
    turn: int
    facts: Facts
    original: tuple[int, int]
    remark: str | None = None
    profile: bytes | None = None


class Budget(Protocol):
    """What bounds the pixels that are decoded at once: see `sightline.images.budget.PixelBudget`."""

    def hold(self, pixels: int) -> AbstractContextManager[None]:
        """Wait until so many are free, and hold them meanwhile."""


@dataclass(frozen=True, slots=True)
class _How:
    """How a picture is to be decoded: what it is shrunk by, by its width and height; and who for."""

    scale: Callable[[tuple[int, int]], int]
    is_shown: bool
    may_use_gpu: bool = False
    budget: Budget | None = None
    beside: Beside = NOTHING_BESIDE


def for_model(
    source: BinaryIO, *, need: int, thumbnail: bool, max_pixels: int = DEFAULT_MAX_PIXELS,
    beside: Beside = NOTHING_BESIDE, budget: Budget | None = None, gpu: bool = False,
) -> Pixels:  # fmt: skip
    """Pixels for a model, and for a thumbnail where one is wanted.

    `source` is open, binary and seekable; it is read, and left open. The shorter side of the pixels keeps at least
    2 * `need` px where the original has them, and with a thumbnail both sides at least those of it. Twice the model's
    input, because shrinking by DCT to that leaves at least 52 dB to the full path (to once it: 25 to 43 dB). With
    `budget` it waits for its turn. With `gpu` a JPEG may be left to a GPU, which needs no turn.

    Raises DecodeError, and nothing else, for a file that can't be shown in full.
    """
    if need < 1:
        raise ValueError(f"need is {need}; it is the shorter side of a model's input in pixels, at least 1")

    def scale(size: tuple[int, int]) -> int:
        return decode_scale(size, need, thumbnail)

    return _tried(source, max_pixels, _How(scale, thumbnail, gpu, budget, beside))


def for_screen(source: BinaryIO, side: int = PREVIEW_SIDE, max_pixels: int = DEFAULT_MAX_PIXELS) -> Pixels:
    """Pixels for a picture to be looked at, of at least the `screen_size` of `side`.

    `source` and errors are as for `for_model`. A JPEG is shrunk while decoding to no less than that: of 27 photographs
    of 8 to 20 megapixels that takes 42 ms where the full path takes 95, and is 40 to 66 dB from it, half of them above
    49 dB; the JPEG that comes of it is farther from either.
    """
    if side < 1:
        raise ValueError(f"side is {side}; it is the longest side of a preview in pixels, at least 1")

    def scale(size: tuple[int, int]) -> int:
        least = round(side * PREVIEW_LEAST / PREVIEW_SIDE)
        (shorter, longer), wanted = sorted(size), max(screen_size(size, side, least))
        return power_of_two(min(longer // wanted, shorter))

    return _tried(source, max_pixels, _How(scale, is_shown=True))


def at_scale(source: BinaryIO, scale: int, max_pixels: int = DEFAULT_MAX_PIXELS) -> Pixels:
    """All of a picture at 1 / `scale` of its size, a power of two.

    `source` and errors are as for `for_model`.
    """
    return _tried(source, max_pixels, _How(lambda size: scale, is_shown=True))


def facts_of_header(source: BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS, beside: Beside = NOTHING_BESIDE) -> Facts:
    """Read the facts of one picture, and none of its pixels.

    `source` and errors are as for `for_model`.
    """
    try:
        facts = raw.header_facts(source, max_pixels, beside)
    except Exception as error:
        raise explained(error, None, None, source) from error
    return facts or _opened(source, max_pixels, lambda image, file: read_facts(image, source, beside), beside)


def _tried(source: BinaryIO, max_pixels: int, how: _How) -> Pixels:
    def make(image: ImageFile.ImageFile, file: BinaryIO) -> Pixels:
        scale = how.scale(image.size)
        # What a GPU decodes takes none of the budget.
        budget = None if how.may_use_gpu and image.format in ("JPEG", "MPO") else how.budget
        with nullcontext() if budget is None else budget.hold(pixels_held(image, scale)):
            return _pixels(image, file, source, scale, how)

    return _opened(source, max_pixels, make, how.beside)


def _pixels(image: ImageFile.ImageFile, file: BinaryIO, source: BinaryIO, scale: int, how: _How) -> Pixels:
    """Decode what was opened from `file`; the facts are those of `source`, which it may be a part of."""
    if isinstance(file, raw.Rendered):
        facts, turn, original = file.facts, file.turn, file.upright(image.size)
    else:
        facts = read_facts(image, source, how.beside)
        turn = 1 if facts.format in TURNED_BY_PLUGIN else facts.orientation
        original = facts.height, facts.width
    pixels, remark = stored(image, file, scale, facts.orientation, may_use_gpu=how.may_use_gpu)
    profile = image.info.get("icc_profile")
    # CMYK is in sRGB already; its profile does not describe these pixels.
    is_foreign = how.is_shown and image.mode != "CMYK" and to_srgb(profile, "RGB") is not None
    return Pixels(pixels, turn, facts, original, remark, profile if is_foreign and isinstance(profile, bytes) else None)


def _opened(
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
