"""A bound on the pixels that threads decode at once: two scans of a poster together take gigabytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PIL import Image

from sightline.images import jpeg
from sightline.models.memory import give_back

_LARGE: Final = 16_000_000  # decoded pixels; what so many leave free is given back, since few others need as much
# What decoders keep beside the picture, in pixels of 4 to 8 bytes: WebP and JPEG 2000 take 13 to 20, AVIF 9.
_WEIGHTS: Final = {"WEBP": 3, "JPEG2000": 3, "AVIF": 2}


class PixelBudget:
    """Lets pictures be decoded together while their pixels are within a budget, and larger ones alone.

    Safe for use from many threads. Who holds some must not wait for another thread that may ask for some.
    """

    def __init__(self, pixels: int) -> None:
        """`pixels`: the most that are decoded at once; 4 to 8 bytes each."""
        self._pixels = pixels
        self._held = 0
        self._changed = threading.Condition()

    def forget(self) -> None:
        """Have nobody hold any: in a process that was forked, whose other threads are not there."""
        self._held, self._changed = 0, threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until so many pixels are within the budget, or nobody holds any, and hold them meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + pixels <= self._pixels)
            self._held += pixels
        try:
            yield
        finally:
            if pixels >= _LARGE:
                give_back()
            with self._changed:
                self._held -= pixels
                self._changed.notify_all()


def pixels_held(image: Image.Image, scale: int) -> int:
    """How many pixels decoding a picture at 1 / `scale` holds at its peak, about."""
    pixels = image.width * image.height
    if image.format not in ("JPEG", "MPO"):
        return pixels * _WEIGHTS.get(str(image.format), 1)
    # Shrunk while decoding; but a progressive file has its coefficients kept, two bytes for each.
    return pixels // min(scale, max(jpeg.SCALES)) ** 2 + (pixels // 2 if image.info.get("progressive") else 0)
