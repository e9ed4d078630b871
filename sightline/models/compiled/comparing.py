"""Compares what a compiled tower gives with what torch does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from sightline.models.cpu_backends import MIN_COSINE
from store.arrays import Floats

log = logging.getLogger(__name__)


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
