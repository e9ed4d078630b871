"""Numbers by which a browser tells what is newer, also once the server was started again."""

from __future__ import annotations

import time


def next_number(before: int) -> int:
    """Return a number above `before`, and above all that any session gave until now.

    It is a time, in ms of the clock. A page outlives the session that it began with, and remembers its numbers: a count
    would begin again below them.
    """
    return max(before + 1, time.time_ns() // 1_000_000)
