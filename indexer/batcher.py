"""Prepared pictures on their way through the model: in batches of a size that suits it, and back in their order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from indexer.file_reader import Read
    from sightline.models.device_queue import Pending
    from sightline.models.encoder import Encoder
    from sightline.models.multi_gpu import Fleet

# Automatic batches grow while one takes less than the first, and shrink when it takes more than the second, seconds.
BATCH_SECONDS: Final = (0.5, 2.0)
BATCH_START, BATCH_CPU, BATCH_GPU = 8, 32, 256


class Batches:
    """Gathers pictures, has them encoded, and gives them back with their vectors, oldest first.

    Attributes:
        size: pictures in the next batch, at most.
        gathered: how many wait to be sent.
        flying: how many were sent and have not been collected.
    """

    def __init__(self, size: int | None) -> None:
        """`size` None: found by how long the model takes."""
        self.size = size or BATCH_START
        self._fixed = size is not None
        self._gathered: deque[Read] = deque()
        self._flights: deque[tuple[list[Read], Pending]] = deque()

    @property
    def gathered(self) -> int:
        return len(self._gathered)

    @property
    def flying(self) -> int:
        return sum(len(batch) for batch, _ in self._flights)

    @property
    def flights(self) -> int:
        """How many batches were sent and have not been collected."""
        return len(self._flights)

    def add(self, item: Read) -> None:
        """Gather a picture; its `pixels` are there."""
        self._gathered.append(item)

    def send(self, encoder: Encoder | Fleet) -> None:
        """Have the next batch encoded. Errors as `Encoder.submit`."""
        import torch

        batch = [self._gathered.popleft() for _ in range(min(self.size, len(self._gathered)))]
        pixels = torch.stack([item.pixels for item in batch if item.pixels is not None])
        self._flights.append((batch, encoder.submit(pixels)))

    def collect(self, encoder: Encoder | Fleet) -> list[tuple[Read, NDArray[np.float32]]]:
        """The pictures of the oldest batch that was sent, with their vectors, once those are there."""
        batch, pending = self._flights.popleft()
        vectors = pending.vectors()
        if not self._fixed:
            most = BATCH_CPU if encoder.device.type == "cpu" else BATCH_GPU
            self._adapt(pending.seconds, len(batch), encoder.batch_limit or most)
        return list(zip(batch, vectors, strict=True))

    def _adapt(self, seconds: float, count: int, limit: int) -> None:
        low, high = BATCH_SECONDS
        if seconds > high:
            self.size = max(1, count // 2)
        elif seconds < low and count == self.size:
            self.size = min(limit, 2 * count)
