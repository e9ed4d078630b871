"""Screen-sized pictures by the hash of their content: a cache of limited size.

Making a preview takes as long as decoding its photo, so those used lately are kept.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from store.images.disk_usage import Entry, entries
from store.images.thumbnails import State, Thumbnails, no_older_version

LIMIT_BYTES: Final = 1_000_000_000
# When the limit is passed, so much of it is left: to look at all files once for each write would cost more than writes.
_LEFT: Final = 0.9
# So much may clocks of a network drive and of this machine differ.
_CLOCKS_DIFFER_NS: Final = 60 * 10**9
# Others write here too, unseen: after this part of the limit was written, everything is measured again.
_MEASURED_EACH: Final = 0.05


class Previews:
    """JPEG files under `folder`, laid out as in `Thumbnails`, within `limit_bytes`.

    Several processes may share the folder: each may pass the limit by a twentieth before it looks. The time of a file
    is when it was last read here. Safe for use from several threads.
    """

    def __init__(
        self,
        folder: Path,
        limit_bytes: int = LIMIT_BYTES,
        is_older: Callable[[], bool] = no_older_version,
        check: Callable[[], object] = lambda: None,
        kind: str = "preview",
    ) -> None:
        """`is_older`, `check`, `kind`: see `Thumbnails`."""
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._files = Thumbnails(folder, kind, is_older, check)
        self._lock = threading.Lock()
        # Bytes: what there was when last measured, and what was written here since.
        self._measured: int | None = None
        self._written = 0

    def path(self, content_hash: bytes) -> Path:
        """Where the preview of this content lies, whether it is there or not."""
        return self._files.path(content_hash)

    def read(self, content_hash: bytes) -> bytes | None:
        """The preview, a JPEG, which is then the one used last; None where there is none, or it is damaged."""
        data = self._files.read(content_hash)
        if data is not None:
            with suppress(OSError):  # a library that can't be written, or another process has just removed it
                os.utime(self.path(content_hash))
        return data

    def write(self, content_hash: bytes, data: bytes) -> None:
        """Store a preview; whole or not at all. Those used longest ago go when the limit is passed.

        Raises:
            OSError: the disk is full, or the library can't be written.
        """
        size = self._files.write(content_hash, data)
        with self._lock:
            self._written += size
            known = self._measured
            if known is None or known + self._written > self.limit_bytes or self._is_stale():
                self._measure()

    def look_at(self, content_hash: bytes) -> State | None:
        """What the file of a preview is; None where there is none. It counts as no use of it."""
        found = self._files.look_at(content_hash)
        return None if found is None else found[0]

    def remove(self, content_hash: bytes) -> None:
        """Forget a preview; nothing happens where there is none."""
        self._files.remove(content_hash)

    def _is_stale(self) -> bool:
        return self._written > _MEASURED_EACH * self.limit_bytes

    def _measure(self) -> None:
        """Add up what is there, whoever wrote it, and remove what is too much."""
        found = entries(self.folder)
        total = sum(entry.size for entry in found)
        if total > self.limit_bytes:
            total = _remove_oldest(found, total, self.limit_bytes * _LEFT)
        self._measured, self._written = total, 0


def _remove_oldest(found: list[Entry], total: int, limit: float) -> int:
    # Times that are still to come are of a clock that was set back since: what is read now is newer than those.
    now = time.time_ns() + _CLOCKS_DIFFER_NS
    for entry in sorted(found, key=lambda entry: (entry.mtime_ns <= now, entry.mtime_ns)):
        if total <= limit:
            break
        with suppress(OSError):  # in use on Windows: it goes the next time
            Path(entry.path).unlink(missing_ok=True)
            total -= entry.size
    return total
