"""Keeps the file up to date that says how far a run is, whatever the run is busy with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from store import progress
from store.progress import Progress

EACH: Final = 0.5
"""Seconds between two writes: as often as a page asks, and far too seldom to slow a run down."""


class Beacon:
    """Writes the state of a run from a thread of its own, twice a second, until it ends. Use as a context manager.

    A disk that is full takes the news, not the run.
    """

    def __init__(self, library: Path, state: Callable[[], Progress]) -> None:
        """Prepare to write the progress of a run.

        Args:
            library: the library's folder.
            state: tells how far the run is; called in the thread.
        """
        self._library = library
        self._state = state
        self._ended = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beacon", daemon=True)

    def tell(self) -> None:
        """Write now: something other than numbers has changed."""
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._ended:
                return
            with suppress(OSError):
                progress.write(self._library, self._state())
            self._wake.wait(EACH)

    def __enter__(self) -> Beacon:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._wake.set()
        self._thread.join()
        progress.remove(self._library)
