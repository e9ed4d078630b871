"""A file that stays open while a model is in use, and whether it was written since."""

from __future__ import annotations

import os
from pathlib import Path


class OpenedFile:
    """A file that is read for as long as a program runs.

    What was compared with a checksum when it was opened may be written later: by a backup that is restored in place,
    or a copy of a cache on top of this one.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it can't be.
        """
        self._file = path.open("rb", buffering=0)
        self._state = self._now()

    def is_as_opened(self) -> bool:
        """Whether nobody wrote or shortened it since. One that was removed or renamed is still as it was."""
        return self._now() == self._state

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns

    def fileno(self) -> int:
        """Its descriptor."""
        return self._file.fileno()

    def read(self, at: int, count: int) -> bytes:
        """Up to `count` bytes from a place on.

        Raises:
            OSError, ValueError: it can't be read, or was closed.
        """
        self._file.seek(at)
        return self._file.read(count)

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def __del__(self) -> None:
        """Close the file of an encoder that was dropped while another thread was using it."""
        if hasattr(self, "_file"):
            self._file.close()
