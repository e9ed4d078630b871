"""Memory that two processes share, for pixels: a file without a name that both map."""

from __future__ import annotations

import math
import mmap
import os
import sys
import tempfile
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

LARGEST: Final = 5 * 200_000_000
"""Bytes that may be shared: the pixels of the largest picture, and as much again of parts of it."""

# Kept between pictures: what is larger than this goes back to the system.
_KEPT: Final = 32 * 2**20
_PAGE: Final = 2**16
# <fcntl.h> of Linux; Python has them from 3.12 on.
_ADD_SEALS, _SEAL_SHRINK = 1033, 0x0002


class SharedMemory:
    """A file that is mapped, and grows as needed."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: of `make`; it is closed with this."""
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def make(cls) -> SharedMemory:
        """Make one, empty.

        Raises:
            OSError: there is no room.
        """
        if sys.platform == "linux":
            descriptor = os.memfd_create("sightline", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            import fcntl

            # A worker that is no longer ours must not take memory away under our eyes: that would end this process.
            with suppress(OSError):
                fcntl.fcntl(descriptor, _ADD_SEALS, _SEAL_SHRINK)
            return cls(descriptor)
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def array(self, start: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """A view of the memory as uint8 of a shape, from the byte `start` on.

        Raises:
            ValueError: it would be larger than `LARGEST`.
            OSError, MemoryError: there is no room.
        """
        count = math.prod(shape)
        if start < 0 or min(shape, default=0) < 0 or start + count > LARGEST:
            raise ValueError(f"{start + count:,} bytes are more than the {LARGEST:,} that may be shared")
        return np.frombuffer(self._mapped(max(start + count, 1)), np.uint8, count, start).reshape(shape)

    def after(self, size: int) -> int:
        """The first byte, after `size` of them, where another part may begin."""
        return -(-size // _PAGE) * _PAGE

    def give_back(self) -> None:
        """Return what a large picture took to the system; its bytes read as zeros then."""
        if self._map is not None and len(self._map) > _KEPT and hasattr(mmap, "MADV_REMOVE"):
            with suppress(OSError):
                self._map.madvise(mmap.MADV_REMOVE, _KEPT, len(self._map) - _KEPT)

    def close(self) -> None:
        """Give the memory back; views that are still held keep theirs."""
        self._map = None
        with suppress(OSError):
            os.close(self.descriptor)

    def _mapped(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            there = os.fstat(self.descriptor).st_size
            if there < size:
                # In steps: mapping it again for each picture that is a little larger costs page faults.
                there = max(self.after(size), min(2 * there, LARGEST))
                os.ftruncate(self.descriptor, there)
            # A new one: views of the old one may still be held.
            self._map = mmap.mmap(self.descriptor, there)
        return self._map
