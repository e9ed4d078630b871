"""SIGINT and SIGTERM: a run ends after its batch."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED, TERMINATED = 130, 143


@contextmanager
def stop_on_signals(stop: Callable[[], None], note: Callable[[str], None]) -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM asks for a stop after the batch; the second SIGINT stops now.

    Yields:
        A list that receives the exit code when a signal came.
    """
    received: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(INTERRUPTED if number == signal.SIGINT else TERMINATED)
        stop()
        note("Stopping after this batch; once more to stop now.")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
