"""Several devices with the same model, behind the door of one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from sightline.models.device_queue import Pending
from sightline.models.devices import choose_devices
from sightline.models.encoder import Encoder
from store.arrays import Floats

if TYPE_CHECKING:
    import torch

    from sightline.models.resolve import Model


def open_encoder(model: Model, *, device: str = "auto", precision: str = "auto") -> Encoder | Fleet:
    """What encodes pictures on a device, or on all cards; arguments and errors as for `Encoder`."""
    devices = choose_devices(device)
    if len(devices) == 1:
        return Encoder(model, device=devices[0], precision=precision, texts=False)
    return Fleet(model, devices, precision=precision)


class Fleet:
    """One `Encoder` for each device, and a batch of pictures to whichever is free. Safe for use from several threads.

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
        """How many batches are worth having in flight while the vectors of an older one are waited for."""
        return len(self._encoders) * (1 + self._encoders[0].ahead)

    @property
    def batch_limit(self) -> int | None:
        """Most pictures at once on the device with the least memory; None where none ran out of it."""
        return min((encoder.batch_limit for encoder in self._encoders if encoder.batch_limit), default=None)

    def encode_images(self, batch: torch.Tensor) -> Floats:
        """As `Encoder.encode_images`, on one of the devices."""
        return self.submit(batch).vectors()

    def submit(self, batch: torch.Tensor) -> Pending:
        """As `Encoder.submit`, but the batch is to stay as it is, and what goes wrong is raised by `vectors`."""
        return Pending(self._pool.submit(self._encode, batch).result)

    def _encode(self, batch: torch.Tensor) -> tuple[Floats, float]:
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
