"""Batches of prepared pictures: as large as suits the model, encoded, and back in their order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from indexer.file_reader import ReadResult
    from sightline.models.interface import PendingBatch
    from sightline.models.resolve import Model

# Automatic batches grow while one takes less than the first, and shrink when it takes more than the second, seconds.
BATCH_SECONDS: Final = (0.5, 2.0)
BATCH_START, BATCH_CPU, BATCH_GPU = 8, 32, 256


class PictureEncoder(Protocol):
    """What encodes pictures: torch on one device or several, or a compiled tower. See `Encoder`."""

    @property
    def model(self) -> Model:
        """What it was loaded from."""

    @property
    def device(self) -> Any:
        """Where it runs; its `type` is `cpu`, `cuda` or `mps`."""

    @property
    def ahead(self) -> int:
        """How many batches are worth submitting before the vectors of the oldest are waited for."""

    @property
    def batch_limit(self) -> int | None:
        """Most pictures at once; None where nothing limits it."""

    def submit(self, batch: NDArray[np.uint8], /) -> PendingBatch:
        """Give it a batch of prepared pictures."""

    def close(self) -> None:
        """Release its memory."""


@dataclass(slots=True)
class Encoded:
    """A picture that was read, and what the models of the run made of it.

    Attributes:
        result: of reading it; its pixels wait with the encodings.
        waiting: how much of it is yet to be encoded: itself in each space that lacks it, and its tiles.
        vectors: by the id of the space.
        tiles: of each tile, by the id of the space and its place.
        begun: whether some of it was encoded.
        unfit: names of the models that gave no finite vector.
    """

    result: ReadResult
    waiting: int
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    tiles: dict[int, dict[int, NDArray[np.float32]]] = field(default_factory=dict)
    begun: bool = False
    unfit: list[str] = field(default_factory=list)


WHOLE: Final = -1
"""In the place of a tile: the whole picture."""


class Batches:
    """Queues pictures and tiles, has them encoded in batches, and gives them back with vectors in order.

    Attributes:
        size: pictures and tiles in the next batch, at most.
        queued: how many wait to be sent.
        in_flight_images: how many were sent and not yet collected.
        in_flight_batches: in how many batches these are.
        encoded: how many were collected.
        seconds: how long the model worked on these.
    """

    def __init__(self, size: int | None) -> None:
        """`size` None: found by how long the model takes."""
        self.size = size or BATCH_START
        self.encoded = 0
        self.seconds = 0.0
        self._fixed = size is not None
        self._queue: deque[tuple[Encoded, int, NDArray[np.uint8]]] = deque()
        self._in_flight: deque[tuple[list[tuple[Encoded, int]], PendingBatch]] = deque()

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def in_flight_images(self) -> int:
        return sum(len(batch) for batch, _ in self._in_flight)

    @property
    def in_flight_batches(self) -> int:
        return len(self._in_flight)

    def add(self, picture: Encoded, place: int, pixels: NDArray[np.uint8]) -> None:
        """Queue a picture, or the tile of it at this place, and its pixels, as `Preprocess.apply` gives them."""
        self._queue.append((picture, place, pixels))

    def first(self, count: int) -> NDArray[np.uint8]:
        """The pixels of the first `count` pictures that wait, at least one: they go on waiting."""
        return np.stack([pixels for _, _, pixels in islice(self._queue, count)])

    def send(self, encoder: PictureEncoder) -> None:
        """Submit the next batch; errors as for `Encoder.submit`."""
        batch = [self._queue.popleft() for _ in range(min(self.size, len(self._queue)))]
        pixels = np.stack([pixels for _, _, pixels in batch])
        self._in_flight.append(([(picture, place) for picture, place, _ in batch], encoder.submit(pixels)))

    def collect(self, encoder: PictureEncoder) -> list[tuple[Encoded, int, NDArray[np.float32]]]:
        """Wait for the oldest batch that was sent; returns its pictures, or places of tiles, with vectors."""
        batch, pending = self._in_flight.popleft()
        vectors = pending.vectors()
        self.encoded += len(batch)
        self.seconds += pending.seconds
        if not self._fixed:
            most = BATCH_CPU if encoder.device.type == "cpu" else BATCH_GPU
            self._adapt(pending.seconds, len(batch), encoder.batch_limit or most)
        return [(picture, place, vector) for (picture, place), vector in zip(batch, vectors, strict=True)]

    def _adapt(self, seconds: float, count: int, limit: int) -> None:
        low, high = BATCH_SECONDS
        if seconds > high:
            self.size = max(1, count // 2)
        elif seconds < low and count == self.size:
            self.size = min(limit, 2 * count)
