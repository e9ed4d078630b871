"""From a file to upright RGB pixels, a thumbnail and facts, all in this process.

For files that are trusted: whatever a decoder does with a file, it does to this process. The programs have files of
strangers decoded by `sightline.images.isolated`, in processes of their own; what comes of them is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.images import finish
from sightline.images import pixels as reading
from sightline.images.errors import DecodeError
from sightline.images.finish import Decoded, ToSrgb
from sightline.images.opening import ALLOWED_FORMATS, DEFAULT_MAX_PIXELS
from sightline.images.pixels import Budget, OnGpu, Pixels
from sightline.images.scaling import PREVIEW_SIDE
from sightline.images.to_rgb import to_srgb
from sightline.images.upright import turned
from sightline.metadata.facts import NOTHING_BESIDE, Beside, Facts

if TYPE_CHECKING:
    from sightline.images.gpu_jpeg import GpuJpegDecoder

__all__ = ["ALLOWED_FORMATS", "DEFAULT_MAX_PIXELS", "DecodeError", "Decoded", "decode", "decode_header", "preview"]

_RGB: Final = "RGB"


def decode(
    source: BinaryIO, *, need: int, thumbnail: bool = True, max_pixels: int = DEFAULT_MAX_PIXELS,
    gpu: GpuJpegDecoder | None = None, beside: Beside = NOTHING_BESIDE, budget: Budget | None = None,
) -> Decoded:  # fmt: skip
    """Decode one picture, shrunk as far as its use allows.

    With `gpu`, of whose `cores` the caller holds one, a JPEG may be decoded on a GPU. Else as
    `sightline.images.pixels.for_model`. Safe to call from many threads.
    """

    def read(*, gpu: bool) -> Pixels:
        return reading.for_model(
            source, need=need, thumbnail=thumbnail, max_pixels=max_pixels, beside=beside, budget=budget, gpu=gpu
        )

    picture = read(gpu=gpu is not None)
    stored = picture.stored
    if isinstance(stored, OnGpu):
        made = None if gpu is None else gpu.decode(*stored)
        if made is None:
            picture = read(gpu=False)
        else:
            stored = made
    upright = turned(_array(picture) if isinstance(stored, OnGpu) else stored, picture.turn)
    return finish.decoded(
        upright, picture.facts, picture.original, picture.remark, thumbnail=thumbnail, to_srgb=_to_srgb(picture)
    )


def decode_header(source: BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS, beside: Beside = NOTHING_BESIDE) -> Facts:
    """Read the facts of one picture and no pixels; see `sightline.images.pixels.facts_of_header`."""
    return reading.facts_of_header(source, max_pixels, beside)


def preview(source: BinaryIO, side: int = PREVIEW_SIDE, max_pixels: int = DEFAULT_MAX_PIXELS) -> bytes:
    """A picture to be looked at: see `finish.preview` and `pixels.for_screen`."""
    picture = reading.for_screen(source, side, max_pixels)
    return finish.preview(turned(_array(picture), picture.turn), _to_srgb(picture), side)


def _array(picture: Pixels) -> NDArray[np.uint8]:
    assert not isinstance(picture.stored, OnGpu)  # which was not asked for
    return picture.stored


def _to_srgb(picture: Pixels) -> ToSrgb | None:
    transform = to_srgb(picture.profile, _RGB)
    return None if transform is None else lambda pixels: np.asarray(transform.apply(Image.fromarray(pixels)))
