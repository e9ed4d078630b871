"""One folder that is watched, by the system's reports, or by a look every so often.

Every folder below it that a walk lists is given to the system by itself, and none that a walk passes over: watchfiles
would follow links out of the folder, and report what the library itself writes. macOS and Windows are given the whole
folder. See docs/decisions/watching.md.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.growing import Growing
from indexer.places import place_of
from indexer.watch_drives import mounts_at
from store.errors import SightlineError

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

# Seconds without a report after which a change is taken up, and after which it is though more are coming.
QUIET: Final = 1.0
LONGEST: Final = 30.0
# The system is asked for reports so often, milliseconds.
_STEP: Final = 250
# Of a folder that is looked at every so often, files changed since so many seconds are left to the next look.
_SETTLED: Final = 5.0
# The system keeps so many reports that nobody took, at least; a batch that large may lack some.
_MOST: Final = 4_000
IS_RECURSIVE: Final = sys.platform != "linux"
"""Whether the system is given a whole folder, and not each one in it."""


class WatchLimitError(SightlineError):
    """The system watches no more folders for this user."""


@dataclass(eq=False)
class WatchedFolder:
    """A folder that is watched, what is known of it, and when it is to be looked at.

    Attributes:
        folder: absolute; a root of the library, or a folder in one.
        every: seconds between looks, where the system reports nothing; None where it does.
        away: what was said of it when it could not be looked at; empty where it could.
        failed: why the last run for it failed; empty where it did not.
        growing: files that were left because they are still being written.
        found: what differed from the library at the last look.
        tried: what the last run was for: what is still so after it is no news.
        is_whole: whether the next run is made also without news.
        rest: no look before this time, by `time.monotonic`: looks take a fifth of a core at most.
    """

    folder: Path
    every: float | None
    away: str = ""
    failed: str = ""
    growing: list[Path] = field(default_factory=list)
    found: frozenset[Any] = frozenset()
    tried: frozenset[Any] = frozenset()
    is_whole: bool = False
    rest: float = 0.0
    _first: float | None = None  # report that was not taken up, and the last one
    _last: float = 0.0
    _looked: float = 0.0
    _worked: float = 0.0  # processor seconds when the look began
    _there: object = None  # what lies at its place, and what is mounted around it
    _listed: frozenset[Path] | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rule(self) -> Growing:
        """Which files are still being written."""
        if self.every is None:
            return Growing(QUIET, asks_system=True)
        return Growing(min(_SETTLED, self.every), asks_system=False)

    def is_there(self) -> bool:
        """Whether there is a folder at its place."""
        return place_of(self.folder) is not None

    def note(self, *, at_once: bool = False) -> None:
        """Note that something changed; `at_once`: it is not waited for more."""
        now = time.monotonic()
        with self._lock:
            self._first = now - LONGEST if at_once else now if self._first is None else self._first
            self._last = now

    def has_other_place(self) -> bool:
        """Whether the folder came, went, or is another since the last time.

        Reports about it then end without a word.
        """
        there = (place_of(self.folder), mounts_at(self.folder))
        if there == self._there:
            return False
        self._there = there
        self.close()
        self.note(at_once=True)
        return True

    def is_due(self, now: float) -> bool:
        """Whether it is to be looked at now."""
        if now < self.rest:
            return False
        with self._lock:
            first, last = self._first, self._last
        if first is not None and (now - last >= QUIET or now - first >= LONGEST):
            return True
        if first is not None:
            return False  # more is coming: what is still being written goes with it
        if self.every is not None and now - self._looked >= self.every:
            return True
        return any(not self.rule.is_still(path) for path in self.growing)

    def age(self, now: float) -> float:
        """Seconds since the last look."""
        return now - self._looked

    def put_off(self, seconds: float) -> None:
        """Look again after so many seconds, not before."""
        self.note(at_once=True)
        self.rest = time.monotonic() + seconds

    def begin_look(self) -> None:
        """Forget what was noted: a look is about to see it."""
        with self._lock:
            self._first = None
        self._worked = time.thread_time()

    def end_look(self) -> None:
        """Note that a look has ended."""
        self._looked = time.monotonic()
        self.rest = max(self.rest, self._looked + 4 * (time.thread_time() - self._worked))

    def follow(self, folders: Iterable[Path], is_news: Callable[[Iterable[tuple[int, str]]], bool]) -> bool:
        """Have the system report changes in these folders from now on; whether it did not do so before.

        Then something may have changed since they were listed.

        Raises:
            WatchLimitError: they are too many.
        """
        wanted = frozenset(folders)
        if self.every is not None or (wanted == self._listed and self._thread is not None and self._thread.is_alive()):
            return False
        self.close()
        opened: list[int] = []
        try:
            notify = _notify(self.folder, sorted(wanted), opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        self._listed, self._stopped = wanted, threading.Event()
        self._thread = threading.Thread(target=self._take, args=(notify, is_news, self._stopped), daemon=True)
        self._thread.start()
        return True

    def close(self) -> None:
        """End the system's reports."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = self._listed = None

    def _take(
        self, notify: RustNotify, is_news: Callable[[Iterable[tuple[int, str]]], bool], stopped: threading.Event
    ) -> None:  # fmt: skip
        with notify:
            while not stopped.is_set():
                try:
                    changes = notify.watch(_STEP, _STEP, 0, stopped)
                except RuntimeError:
                    # A name that is no text: watchfiles says that and nothing else from now on. The next look begins
                    # anew, see `follow`.
                    self.note()
                    return
                if not isinstance(changes, str) and (len(changes) >= _MOST or is_news(changes)):
                    self.note()


def _notify(whole: Path, folders: Sequence[Path], opened: list[int]) -> RustNotify:
    """Begin to watch; `opened` receives descriptors to close afterwards.

    Raises:
        WatchLimitError: the folders are too many.
    """
    from watchfiles._rust_notify import RustNotify  # milliseconds, and only a watcher needs it

    places = [_text(folder, opened) for folder in folders] if not IS_RECURSIVE else [os.fspath(whole)]
    while True:
        try:
            # Not told to ignore what it may not read: it would ignore the system's limit likewise.
            return RustNotify(places, False, False, 1000, IS_RECURSIVE, IS_RECURSIVE)
        except (FileNotFoundError, PermissionError):
            there = [place for place in places if os.access(place, os.R_OK)]
            if len(there) == len(places):
                raise
            places = there  # some went since they were listed, which is a change around them
        except OSError as error:
            if "limit" in str(error) or "Too many open files" in str(error):
                raise WatchLimitError(str(error)) from error
            raise


def _text(folder: Path, opened: list[int]) -> str:
    """A path of a folder that is text, as watchfiles takes no other."""
    path = os.fspath(folder)
    with suppress(UnicodeEncodeError):
        path.encode()
        return path
    opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    return f"/proc/self/fd/{opened[-1]}"
