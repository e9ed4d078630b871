"""Copies pictures to a device and vectors back while it computes."""

from __future__ import annotations

import time

import torch

from sightline.models.interface import PendingBatch
from store.arrays import Floats


class CopyStream:
    """Copies to one device and back. On CUDA nothing waits; elsewhere a step is done when it returns.

    Computing is on the thread's current stream, which torch lets all threads share. Pictures are copied on a stream of
    their own, so that the next batch crosses while the last one is computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def send(self, batch: torch.Tensor) -> torch.Tensor:
        """Copy a batch to the device, for what is computed after this."""
        if self._stream is None:
            return batch.to(self._device)
        computing = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            # torch keeps pinned memory and gives it out again, but none that a copy still reads: it records an event
            # with every copy that does not block. So the buffers are two by themselves, or three.
            sent = batch.pin_memory().to(self._device, non_blocking=True)
        computing.wait_stream(self._stream)
        sent.record_stream(computing)  # made on the other stream, whose next batch must not be put in its place early
        return sent

    def begin(self) -> torch.cuda.Event | float:
        """Note the time before the work on a batch, for `fetch`."""
        return time.perf_counter() if self._stream is None else self._event()

    def fetch(self, vectors: torch.Tensor, begun: torch.cuda.Event | float) -> PendingBatch:
        """Begin to copy vectors (n, dim) back."""
        if isinstance(begun, float):
            here = vectors.cpu().numpy()
            seconds = time.perf_counter() - begun
            return PendingBatch(lambda: (here, seconds))
        home = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
        home.copy_(vectors, non_blocking=True)
        done = self._event()

        def wait() -> tuple[Floats, float]:
            done.synchronize()
            return home.numpy(), begun.elapsed_time(done) / 1000  # from milliseconds

        return PendingBatch(wait)

    def _event(self) -> torch.cuda.Event:
        # Blocking: who waits sleeps, as the cores have pictures to decode.
        event = torch.cuda.Event(enable_timing=True, blocking=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event
