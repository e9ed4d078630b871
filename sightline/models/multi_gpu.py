"""Several devices with the same model, used as one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from sightline.models.compiled.encoder import CompiledEncoder
from sightline.models.encoder import Encoder
from sightline.models.interface import PendingBatch
from store.arrays import Floats

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from sightline.models.resolve import Model


class MultiDeviceEncoder:
    """One `Encoder` per device; each batch goes to a free one. Safe for use from several threads.

    Attributes:
        model: what they were loaded from.
        device: where the first one runs; all are of one kind.
    """

    def __init__(self, model: Model, devices: Sequence[str], *, precision: str = "auto") -> None:
        """Load the model once for each of `devices`, at least one; the rest as for `Encoder`."""
        self._encoders = [Encoder(model, device=device, precision=precision, texts=False) for device in devices]
        self.model = model
        self.device = self._encoders[0].device
        # An encoder is here as often as it can take a batch: a second one crosses while the first is computed.
        self._free: SimpleQueue[Encoder] = SimpleQueue()
        for _turn in range(1 + self._encoders[0].ahead):
            for encoder in self._encoders:
                self._free.put(encoder)
        self._pool = ThreadPoolExecutor(self._free.qsize(), thread_name_prefix="encode")

    @property
    def ahead(self) -> int:
        """How many batches are worth submitting before the vectors of the oldest are waited for."""
        return len(self._encoders) * (1 + self._encoders[0].ahead)

    @property
    def batch_limit(self) -> int | None:
        """Most pictures at once on the device with the least memory; None where none ran out of it."""
        return min((encoder.batch_limit for encoder in self._encoders if encoder.batch_limit), default=None)

    def submit(self, batch: NDArray[np.uint8] | torch.Tensor) -> PendingBatch:
        """Submit a batch as to `Encoder.submit`, not to be changed afterwards; `vectors` raises its errors."""
        return PendingBatch(self._pool.submit(self._encode, batch).result)

    def _encode(self, batch: NDArray[np.uint8] | torch.Tensor) -> tuple[Floats, float]:
        encoder = self._free.get()
        try:
            pending = encoder.submit(batch)
            return pending.vectors(), pending.seconds
        finally:
            self._free.put(encoder)

    def close(self) -> None:
        """Finish what is being computed, and release the memory of every device."""
        self._pool.shutdown(cancel_futures=True)
        for encoder in self._encoders:
            encoder.close()


ImageEncoder = Encoder | MultiDeviceEncoder | CompiledEncoder
"""What encodes pictures on one device or on several, by torch or by OpenVINO."""
