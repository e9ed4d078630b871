"""Compares what a compiled tower gives with what torch does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.models.cpu_backends import MIN_COSINE
from store.arrays import Floats

log = logging.getLogger(__name__)


def varied(pictures: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Make up a number of pictures: those at hand, their quarters, enlarged, then darkened and turned.

    What a precision costs differs between pictures. Of EfficientNet-Lite0 in bfloat16 (cosine 0.993 in the worst case)
    40 of 60 photographs alone showed nothing, and with these of each none did.

    Args:
        pictures: uint8 (n, 3, h, w), n > 0.
        count: of them, at most; those at hand make up twenty times as many.
    """
    if len(pictures) >= count:
        return pictures[:count]
    height, width = pictures.shape[2:]
    rows, columns = np.arange(height) // 2, np.arange(width) // 2
    quarters = [
        pictures[:, :, top:height][:, :, rows][:, :, :, left:width][:, :, :, columns]
        for top in (0, height // 2)
        for left in (0, width // 2)
    ]
    parts = (pictures, *quarters)
    dark = [part >> np.uint8(1) for part in parts]
    turned = [part[:, :, ::-1] for part in (*parts, *dark)]
    return np.concatenate([*parts, *dark, *turned])[:count]


def timed(work: Callable[[], Floats]) -> tuple[Floats, float]:
    """What some work gives, and the seconds that it took."""
    begun = time.perf_counter()
    found = work()
    return found, max(time.perf_counter() - begun, 1e-9)


def is_same(what: str, found: Sequence[Floats], expected: Sequence[Floats]) -> bool:
    """Whether each unit vector has a cosine of at least `MIN_COSINE` to the one expected; NaN has not."""
    cosine = min(float(one @ other) for one, other in zip(found, expected, strict=True))
    log.info("%s: cosine %.5f to float32", what, cosine)
    return all(float(one @ other) >= MIN_COSINE for one, other in zip(found, expected, strict=True))
