"""Decoding in this process, where the system can't start others.

What a decoder does, it does to the program. Sizes of files and pictures, and scans, are bounded as everywhere; time,
memory and crashes are not.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from sightline.images import wire
from sightline.images.budget import PixelBudget
from sightline.images.limits import Limits
from sightline.images.shared_memory import SharedMemory


class InProcess:
    """Answers in the thread that asks; see `sightline.images.worker_process.WorkerProcess`."""

    def __init__(self, limits: Limits, budget: PixelBudget | None) -> None:
        """Prepare; the decoders are imported now."""
        from sightline.images.worker import Worker

        self.is_alive = True
        self.files = 0
        self.memory = SharedMemory.make()
        self._worker = Worker(self.memory, limits, _Unbounded() if budget is None else budget, lambda: None)

    def ask(self, request: wire.Message) -> wire.Message:
        """Have a request answered."""
        return self._worker.answer(request)

    def end(self) -> None:
        """Give its memory back."""
        if self.is_alive:
            self.is_alive = False
            self.memory.close()

    dismiss = end


class _Unbounded:
    def hold(self, pixels: int) -> AbstractContextManager[None]:
        return nullcontext()
