"""Pictures to a device and vectors back, beside what it computes."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from store.arrays import Floats


class Pending:
    """Pictures that were given to a device, which may still be at work on them.

    Attributes:
        seconds: how long the device worked on them; 0 until `vectors` was asked.
    """

    def __init__(self, wait: Callable[[], tuple[Floats, float]]) -> None:
        """`wait` returns the vectors and the seconds, once they are there."""
        self.seconds = 0.0
        self._wait = wait
        self._vectors: Floats | None = None

    def vectors(self) -> Floats:
        """Wait for the vectors, float32 (n, dim); what went wrong with them is raised here."""
        if self._vectors is None:
            self._vectors, self.seconds = self._wait()
        return self._vectors


class Lane:
    """The way to one device and back. On CUDA nothing here waits; elsewhere each step is done when it returns.

    All computing is on the stream that is the thread's current one, which torch lets all threads share; only pictures
    travel on a stream of the lane's own, so that the next batch crosses while the last one is computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copies: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def send(self, batch: torch.Tensor) -> torch.Tensor:
        """The batch on the device, for what is computed after this."""
        if self._copies is None:
            return batch.to(self._device)
        computing = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._copies):
            # torch keeps pinned memory and gives it out again, but none that a copy still reads: it records an event
            # with every copy that does not block. So the buffers are two by themselves, or three.
            sent = batch.pin_memory().to(self._device, non_blocking=True)
        computing.wait_stream(self._copies)
        sent.record_stream(computing)  # made on the other stream, whose next batch must not be put in its place early
        return sent

    def begin(self) -> torch.cuda.Event | float:
        """A mark before the work on a batch, for `fetch`."""
        return time.perf_counter() if self._copies is None else self._mark()

    def fetch(self, vectors: torch.Tensor, begun: torch.cuda.Event | float) -> Pending:
        """Vectors (n, dim) of the device on their way back."""
        if isinstance(begun, float):
            here = vectors.cpu().numpy()
            seconds = time.perf_counter() - begun
            return Pending(lambda: (here, seconds))
        home = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
        home.copy_(vectors, non_blocking=True)
        done = self._mark()

        def wait() -> tuple[Floats, float]:
            done.synchronize()
            return home.numpy(), begun.elapsed_time(done) / 1000  # from milliseconds

        return Pending(wait)

    def _mark(self) -> torch.cuda.Event:
        # Blocking: who waits sleeps, as the cores have pictures to decode.
        mark = torch.cuda.Event(enable_timing=True, blocking=True)  # type: ignore[no-untyped-call]
        mark.record(torch.cuda.current_stream(self._device))
        return mark


def join(parts: list[Pending]) -> Pending:
    """The parts of one batch, one after the other; at least one."""

    def wait() -> tuple[Floats, float]:
        # A copy, so that no pinned memory is held by who keeps a vector.
        vectors = np.concatenate([part.vectors() for part in parts])
        return vectors, sum(part.seconds for part in parts)

    return Pending(wait)
