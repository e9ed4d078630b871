"""What a text costs: processor time of the thread that reads it, since the machine is shared."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress

LIMIT = 0.05
"""Seconds that a parser may take for one text, however it is made."""


def within_limit(read: Callable[[], object], *documented: type[Exception]) -> None:
    """Read a text, of which nothing but a documented error comes, in time."""
    taken = _time(read, documented)
    # Once more where it was slow: something may have been loaded, or the processor been shared with another thread.
    taken = min(taken, _time(read, documented)) if taken > LIMIT else taken
    assert taken <= LIMIT, f"{taken:.3f} s"


def _time(read: Callable[[], object], documented: tuple[type[Exception], ...]) -> float:
    gc.disable()
    try:
        started = time.thread_time()
        with suppress(*documented):
            read()
        return time.thread_time() - started
    finally:
        gc.enable()
