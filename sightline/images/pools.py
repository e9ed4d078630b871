"""The pools of worker processes of a program that shows pictures, started when they are first needed."""

from __future__ import annotations

import os
import threading
from typing import Final, Literal

from sightline.images.budget import PixelBudget
from sightline.images.limits import PAGES, PIXELS_AT_ONCE, UPLOADS
from sightline.images.workers import Workers

WAIT_SECONDS: Final = 30.0
"""So long a picture waits for others that are being decoded."""

_IDLE_SECONDS: Final = 60.0
_WORKERS: Final = 2

_lock: Final = threading.Lock()
_pools: Final[dict[str, Workers]] = {}

if hasattr(os, "register_at_fork"):  # else a process forked meanwhile would wait for ever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def pool(of: Literal["photos", "uploads"]) -> Workers:
    """The pool for photos of the library, or that for what visitors give: neither waits for the other.

    Raises:
        WorkerError: it can't be started.
    """
    with _lock:
        if of not in _pools:
            limits = PAGES if of == "photos" else UPLOADS
            # A page of missing thumbnails asks for sixty at once; the largest pictures take 0.8 GB each.
            budget = PixelBudget(_WORKERS * PIXELS_AT_ONCE)
            _pools[of] = Workers(_WORKERS, limits, budget, idle_seconds=_IDLE_SECONDS)
        return _pools[of]
