"""Memory that is freed is kept for the next picture, and what a model left goes back."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Final

# <malloc.h> of glibc.
_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
# Up to this size glibc takes blocks from its heaps, bytes; it accepts no more.
_FROM_HEAPS: Final = 32 * 2**20
# What may lie free at the top of a heap before it goes back to the system, bytes.
_KEPT: Final = 64 * 2**20
# What is asked for beyond what is needed when a heap grows, and stays when the rest goes back, bytes. With OpenVINO
# 2026.4 and a small model one run in three of a test ended with SIGSEGV in its kernels, right behind a heap,
# as if they read past a buffer; with room behind none did in eleven. That this is all is likely, not shown.
_ROOM: Final = 16 * 2**20
_LEFT: Final = 4 * 2**20


def keep_freed() -> None:
    """Have glibc reuse the blocks of a picture for the next one; nothing happens with another C library.

    It would map each block above 128 KB anew and unmap it, and the system clears every page again when it is first
    touched: turning the 0.4 megapixels of a decoded picture into an array took 1.3 ms so, and takes 0.2.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, _FROM_HEAPS)
    # One for all threads: each would keep its own, of which nothing goes back, and take hundreds of megabytes more.
    # Pictures are few and large blocks; for small ones each thread has a cache.
    mallopt(_ARENA_MAX, 1)
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_TOP_PAD, _ROOM)


def give_back() -> None:
    """Have glibc return what is free to the system: after much was freed that nothing will take again."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(_LEFT))
