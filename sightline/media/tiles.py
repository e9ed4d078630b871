"""Square parts of a picture as it is in its file, for who looks closer than the preview goes.

A picture at 1 / `scale` of its size, a power of two, is cut into tiles from the top left. They come of the same decoder
as everything else, so of every format, upright and in sRGB. What was decoded is held for a moment: who moves over a
picture asks for its tiles one after the other.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.images.scaling import power_of_two, rounded_size
from sightline.images.worker_errors import BusyError
from sightline.models.memory import give_back
from store.library import Library

if TYPE_CHECKING:
    from sightline.images.reader import Reader, Whole

SIDE: Final = 1024
# Each tile goes on so far below its neighbours to the right and below: a browser leaves no seam between them then.
OVERLAP: Final = 1
SCALES: Final = (1, 2, 4, 8, 16, 32, 64)
"""What a picture may be shrunk by."""

HELD_BYTES: Final = 640_000_000
"""As much as the largest picture that is indexed takes, 200 megapixels."""
HELD_SECONDS: Final = 30.0
WAIT_SECONDS: Final = 30.0
_QUALITY: Final = 95
# Bytes for a pixel of the file while it is decoded, at any scale: Pillow's own, and those of the array.
_DECODING: Final = 7

_Key = tuple[bytes, int]


class Held:
    """Decoded pictures, those used last: at most `limit_bytes`, dropped `seconds` after the last use.

    One is decoded at a time, after room was made for that. Safe for use from several threads.
    """

    def __init__(self, limit_bytes: int = HELD_BYTES, seconds: float = HELD_SECONDS) -> None:
        self.limit_bytes = limit_bytes
        self.seconds = seconds
        self._pictures: OrderedDict[_Key, Whole | None] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.Lock()
        self._used = 0.0
        self._timer: threading.Timer | None = None

    def get(self, key: _Key, making_bytes: int, make: Callable[[], Whole | None]) -> Whole | None:
        """The picture of a key, made where it is not held; None if it can't be made, which is held too.

        Args:
            key: content hash and scale.
            making_bytes: what `make` takes; others go until that is free within the limit.
            make: decodes it.

        Raises:
            BusyError: others are being decoded for longer than WAIT_SECONDS.
        """
        found, whole = self._find(key)
        if found:
            return whole
        until = time.monotonic() + WAIT_SECONDS
        with _acquired(self._decoding, until):
            found, whole = self._find(key)
            if not found:
                self._make_room(making_bytes)
                whole = make()
                if making_bytes > self.limit_bytes:
                    give_back()  # glibc keeps what Pillow freed: 0.8 GB after 200 megapixels
                self._hold(key, whole)
        return whole

    def _find(self, key: _Key) -> tuple[bool, Whole | None]:
        with self._lock:
            if key not in self._pictures:
                return False, None
            self._used = time.monotonic()
            self._pictures.move_to_end(key)
            return True, self._pictures[key]

    def _make_room(self, size: int) -> None:
        with self._lock:
            while self._pictures and sum(map(_bytes, self._pictures.values())) + size > self.limit_bytes:
                self._pictures.popitem(last=False)

    def _hold(self, key: _Key, whole: Whole | None) -> None:
        self._make_room(_bytes(whole))
        with self._lock:
            self._pictures[key] = whole
            self._used = time.monotonic()
            if self._timer is None:
                self._start(self.seconds)

    def _start(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _expire(self) -> None:
        with self._lock:
            left = self._used + self.seconds - time.monotonic()
            if left > 0:
                self._start(left)
            else:
                self._timer = None
                self._pictures.clear()
                give_back()


@contextmanager
def _acquired(lock: threading.Lock, until: float) -> Iterator[None]:
    if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
        raise BusyError(
            f"Other pictures have been decoded for more than {WAIT_SECONDS:g} seconds. Try again in a moment."
        )
    try:
        yield
    finally:
        lock.release()


def _bytes(whole: Whole | None) -> int:
    return 0 if whole is None else whole.pixels.nbytes


_held: Final = Held()


def tile(library: Library, content_hash: bytes, scale: int, column: int, row: int) -> bytes | None:
    """One tile: a JPEG of at most SIDE + OVERLAP px a side, without metadata.

    Args:
        library: the library.
        content_hash: of the picture.
        scale: one of SCALES.
        column, row: which one, from 0.

    Returns:
        None where the picture has no such tile, or no file is what was indexed and can be decoded.

    Raises:
        BusyError: as `Held.get`.
    """
    from sightline.images.jpeg import encoded

    known = library.catalog.content_by_hash(content_hash)
    photo = library.catalog.photos([known[0]]).get(known[0]) if known is not None else None
    if photo is None or scale not in SCALES:
        return None
    size = photo.facts["width"], photo.facts["height"]
    width, height = rounded_size(size, scale)
    left, top = column * SIDE, row * SIDE
    if not (0 <= left < width and 0 <= top < height):
        return None
    making = _DECODING * size[0] * size[1]
    whole = _held.get((content_hash, scale), making, lambda: _decode(library, content_hash, scale, width))
    if whole is None:
        return None
    box = left, top, min(left + SIDE + OVERLAP, width), min(top + SIDE + OVERLAP, height)
    part = _part(whole.pixels, (width, height), box)
    if whole.profile is None:
        return encoded(part, _QUALITY, "444")
    from sightline.images.pools import pool

    with pool("photos").reader(WAIT_SECONDS) as reader:
        return encoded(reader.to_srgb(part, whole.profile), _QUALITY, "444")


def _decode(library: Library, content_hash: bytes, scale: int, width: int) -> Whole | None:
    """The picture at 1 / `scale`; `width` is what it should have then, px."""

    def made(reader: Reader) -> Whole:
        whole = reader.whole(scale)
        least = power_of_two(round(scale * whole.pixels.shape[1] / width))
        # A RAW may hold only a preview that is smaller already.
        return whole if least == scale else reader.whole(least)

    from sightline.images.errors import DecodeError
    from sightline.media.reading import read_content

    try:
        return read_content(library, content_hash, made)
    except DecodeError:
        return None


def _part(pixels: NDArray[np.uint8], size: tuple[int, int], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A part of a picture that should have `size`; it has less where a RAW holds only a small preview."""
    (height, width, _), (left, top, right, bottom) = pixels.shape, box
    if (width, height) == size:
        return pixels[top:bottom, left:right]
    across, down = width / size[0], height / size[1]
    place = left * across, top * down, right * across, bottom * down
    first = int(place[0]), int(place[1])
    near = Image.fromarray(pixels[first[1] : int(place[3]) + 1, first[0] : int(place[2]) + 1])
    inside = place[0] - first[0], place[1] - first[1], place[2] - first[0], place[3] - first[1]
    return np.asarray(near.resize((right - left, bottom - top), Image.Resampling.BICUBIC, inside))
