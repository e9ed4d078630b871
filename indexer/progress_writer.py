"""The progress of a run: what it is busy with and waits for, written to the library's `run.json`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from indexer.summary import Summary
from store import progress
from store.library import Library
from store.progress import Phase, Progress
from store.tables.records import now

if TYPE_CHECKING:
    from indexer.scanner import Scanner

INTERVAL: Final = 0.5
"""Seconds between two writes: as often as a page asks, and far too seldom to slow a run down."""


class HasFound(Protocol):
    """Knows how many files must be read, so far."""

    @property
    def found(self) -> int: ...


class RunClock(Protocol):
    """What is told of what a run does, and knows how far it is."""

    @property
    def done(self) -> int: ...

    @property
    def scanner(self) -> HasFound | None: ...

    def enter(self, phase: Phase) -> None:
        """Enter another phase of the run."""

    def waiting(self, what: str) -> AbstractContextManager[None]:
        """Count the time of a `with` block as waited for `what`."""


class ProgressWriter:
    """Counts and times a run, reports it to a caller, and writes it twice a second.

    A full disk loses the progress, not the run.

    Attributes:
        done: files dealt with, of those that had to be read.
        waited: seconds that the run waited, by what it waited for.
        scanner: once there is one, it knows how many files there are.
    """

    def __init__(self, library: Library, summary: Summary, report: Callable[[Progress], None]) -> None:
        """Prepare for a run; it starts with `begin`.

        Args:
            library: open for writing.
            summary: of the run; its failures are counted there.
            report: called with the progress at every `update`.
        """
        self.done = 0
        # All of them from the start: the order settles which one is named where none was waited for.
        self.waited = dict.fromkeys(("walk", "load", "decode", "encode", "write"), 0.0)
        self.scanner: Scanner | None = None
        self._library = library
        self._summary = summary
        self._report = report
        self._folders: tuple[str, ...] = ()
        self._phase: Phase = "looking"
        self._since, self._begun, self._written = now(), time.monotonic(), 0.0
        # Of a phase that counts by itself: how many are done, how many there are, and when it began.
        self._counted: tuple[int, int, float] | None = None

    def begin(self, folders: tuple[str, ...]) -> None:
        """Start the clock of a run over `folders`, as displayed, and write that it has begun."""
        self._folders = folders
        self._since, self._begun = now(), time.monotonic()
        self.enter("looking")

    def enter(self, phase: Phase) -> None:
        """Enter another phase of the run; report and write it at once."""
        self._phase, self._counted = phase, None
        state = self._progress()
        self._report(state)
        self.flush(state)

    def count(self, phase: Phase, done: int, total: int) -> None:
        """Say how far a phase is that counts by itself, and report it; the run enters it with the first call."""
        begun = time.monotonic() if self._counted is None else self._counted[2]
        self._phase, self._counted = phase, (done, total, begun)
        self.update()

    def update(self) -> None:
        """Report the progress, and write it if the last time is long enough ago."""
        state = self._progress()
        self._report(state)
        if time.monotonic() - self._written >= INTERVAL:
            self.flush(state)

    def flush(self, state: Progress) -> None:
        """Write the progress now."""
        self._written = time.monotonic()
        if self._library.place.is_kept():
            with suppress(OSError):
                progress.write(self._library.path, state)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Count the time of a `with` block as waited for `what`; for nothing where that is empty."""
        begun = time.monotonic()
        try:
            yield
        finally:
            if what:
                self.waited[what] += time.monotonic() - begun

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._begun

    @property
    def bound_by(self) -> str:
        """What the run waited for most; loading the model does not count."""
        waited = {name: seconds for name, seconds in self.waited.items() if name != "load"}
        return max(waited, key=lambda name: waited[name])

    def _progress(self) -> Progress:
        scanner = self.scanner
        if self._counted is None:
            done, since = self.done, self._begun + self.waited["load"]
            total = scanner.found if scanner is not None and scanner.finished else None
        else:
            done, total, since = self._counted
        return Progress(
            pid=os.getpid(),
            started=self._since,
            folders=self._folders,
            phase=self._phase,
            done=done,
            total=total,
            rate=done / max(time.monotonic() - since, 1e-9),
            bound_by=self.bound_by,
            failed=self._summary.failed,
            updated=now(),
        )
