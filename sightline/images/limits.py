"""How long, and with how much memory, one file may be worked on."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import Final

PIXELS_AT_ONCE: Final = 25_000_000
"""So many are decoded at once by each of the workers; a larger picture is decoded with fewer beside it."""

_GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker process may take for one file; whoever takes more is ended, and the file has failed.

    Attributes:
        read_seconds: that a disk may take to answer.
        decode_seconds: that a decoder may take by the clock, from one read of the disk to the next.
        cpu_seconds: that it may take of a processor.
        total_seconds: for all of one file, however slowly a disk gives it out.
        memory_bytes: of its own; where that's more than three quarters of the machine's memory, so much.
    """

    read_seconds: float = 60.0
    decode_seconds: float = 180.0
    cpu_seconds: int = 90
    total_seconds: float = 3600.0
    memory_bytes: int = 6 * _GIB

    @property
    def memory(self) -> int:
        """Bytes of memory that a worker may take on this machine."""
        try:
            there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):  # Windows
            return self.memory_bytes
        return min(self.memory_bytes, max(_GIB, there * 3 // 4))


def within(seconds: float) -> Limits:
    """The limits of a run in which a decoder, or a disk, may take so many seconds for a file."""
    return replace(FILES, read_seconds=seconds, decode_seconds=seconds, cpu_seconds=max(1, math.ceil(seconds)))


FILES: Final = Limits()
"""For the user's own files. 200 megapixels, the most that are decoded, take 30 s of a processor as JPEG 2000."""

PAGES: Final = Limits(read_seconds=20.0, decode_seconds=90.0, cpu_seconds=60, total_seconds=180.0)
"""For the user's own files, while somebody waits for them."""

UPLOADS: Final = Limits(read_seconds=20.0, decode_seconds=40.0, cpu_seconds=20, total_seconds=60.0)
"""For pictures that visitors of the page give: somebody waits for them."""
