"""Objects that are fetched from their store while others are decoded and encoded.

Downloads wait for the network and decoders for a core, so there are more of the first than of the second. What is
fetched lies in files of this machine, of limited size together: decoders read these as any others.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from indexer import sidecars
from indexer.scanner import Task
from indexer.stat_numbers import time_of
from sightline.humanize import size as in_words
from sightline.images.errors import TooLargeError
from sightline.images.limits import Limits
from sightline.images.reader import Place
from sightline.images.whole_files import LARGEST_OF_ALL
from store.errors import SightlineError
from store.fetched import ending_of, new_folder, remove
from store.objects import ObjectFacts, Objects, objects
from store.paths import display, to_bytes, to_path
from store.tables.writer import File

AT_ONCE: Final = 16
"""Downloads at once, at least: of one, a store waits longer than it sends."""
BYTES: Final = 4 * 2**30
"""What lies fetched at once, but for one larger object."""

# So many objects that can't be fetched, and none that can, are the store's fault.
_MOST_FAILED: Final = 32
# An object that is replaced while it is fetched is fetched again, so often in all.
_TURNS: Final = 3


class StoreAwayError(SightlineError):
    """A store of objects gives none any more."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object as a file of this machine. Used as a context manager: the file goes afterwards.

    Attributes:
        place: of the file, and of its sidecars beside it.
        facts: of the object, as the walk takes it for unchanged.
        room: that it takes, to be given back.
    """

    place: Place
    facts: ObjectFacts
    room: _Turn

    def file(self, task: Task) -> File:
        """The file as its row is to keep it."""
        facts = self.facts
        return File(
            task.root_id, task.path, facts.size, time_of(facts.mtime_ns), ctime_ns=facts.version,
            sidecars=task.sidecars,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self.drop()

    def drop(self) -> None:
        """Remove the file, and give its room back."""
        remove(to_path(self.place.root))
        self.room.give_back()


class Fetcher:
    """Fetches objects in threads of its own, in the order in which they were asked for."""

    def __init__(self, threads: int, limits: Limits, most_bytes: int = BYTES) -> None:
        """Prepare; see `AT_ONCE` and `BYTES`.

        Args:
            threads: how many files are read at once.
            limits: of one file.
            most_bytes: what may lie fetched.
        """
        self._limits = limits
        self._room = Room(most_bytes)
        self._is_closed = threading.Event()
        self._lock = threading.Lock()
        self._given: tuple[Path, bytes] | None = None  # an object that was fetched
        self._failed = 0  # objects since, or before the first
        self._pool = ThreadPoolExecutor(max(AT_ONCE, 2 * threads), thread_name_prefix="fetch")

    def submit(self, task: Task) -> Future[Fetched]:
        """Have an object fetched.

        The future raises FileNotFoundError where it is gone, OSError where it can't be read now, and DecodeError where
        it is too large.
        """
        return self._pool.submit(self._fetch, task, self._room.turn())

    def close(self) -> None:
        """Drop what is not yet begun, give up what is, and let nobody wait for room."""
        self._is_closed.set()
        self._room.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, task: Task, turn: _Turn) -> Fetched:
        try:
            store = objects(task.root)
            seen = store.facts(task.path) if task.seen is None else ObjectFacts(*task.seen)
            for _ in range(_TURNS):
                if seen.size > LARGEST_OF_ALL:
                    raise TooLargeError(
                        "read", f"the object has {in_words(seen.size)}; at most {in_words(LARGEST_OF_ALL)} are read"
                    )
                turn.take(seen.size)  # again: of what was replaced
                folder = new_folder()
                try:
                    place = self._get(store, task, folder, seen.size)
                    now = store.facts(task.path)
                    if _is_same(now, seen):
                        with self._lock:
                            self._given, self._failed = (task.root, task.path), 0
                        return Fetched(place, seen, turn)
                except BaseException:
                    remove(folder)
                    raise
                remove(folder)
                seen = now
            raise OSError(None, "it was replaced again and again while it was read")
        except BaseException as error:
            turn.give_back()
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                self._check_answers(task, error)
            raise

    def _check_answers(self, task: Task, error: OSError) -> None:
        """Whether the store still gives an object that it gave before: else it is to blame.

        Raises:
            StoreAwayError: it does not.
        """
        with self._lock:
            self._failed += 1
            failed, other = self._failed, self._given
        if self._is_closed.is_set() or (other is None and failed < _MOST_FAILED):
            return
        if other is not None:
            try:
                objects(other[0]).facts(other[1])
            except FileNotFoundError:
                return
            except OSError:
                pass
            else:
                return
        raise StoreAwayError(
            f"{display(to_bytes(task.root))} does not give its objects any more ({error.strerror or error}). What was "
            "read before is in the library, and nothing was marked missing or failed for it. Run again when it answers."
        ) from error

    def _get(self, store: Objects, task: Task, folder: Path, size: int) -> Place:
        """Fetch the object, and its sidecars by names that go with it."""
        names = {task.path: f"object{ending_of(task.path)}"}
        for number, path in enumerate(sidecars.paths_of(task.path, task.sidecars)):
            names[path] = f"beside-{number}.xmp"
        limits = self._limits
        for path, name in names.items():
            try:
                store.fetch(
                    path, folder / name, most=max(size, LARGEST_OF_ALL), silent_seconds=limits.read_seconds,
                    total_seconds=limits.total_seconds, is_wanted=lambda: not self._is_closed.is_set(),
                )  # fmt: skip
            except FileNotFoundError:
                if path == task.path:
                    raise  # of a sidecar the reader says that it is not there
        beside = tuple(name.encode() for path, name in names.items() if path != task.path)
        return Place(to_bytes(folder), names[task.path].encode(), beside, name=task.path)


class Room:
    """So many bytes, given out in the order in which they were asked for.

    Who waits is let in before those after him. One who asks for more than there is gets it alone.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._last = 0
        self._waiting: set[int] = set()
        self._is_closed = False
        self._changed = threading.Condition()

    def turn(self) -> _Turn:
        """A place in the queue."""
        with self._changed:
            self._last += 1
            self._waiting.add(self._last)
            return _Turn(self, self._last)

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def take(self, number: int, size: int, *, waits: bool = True) -> None:
        """Take so many bytes for a place in the queue, once they are free where it `waits`.

        Raises:
            OSError: it was closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or not waits or self._may(number, size))
            if self._is_closed:
                raise OSError(None, "the run was ended")
            self._used += size
            self._waiting.discard(number)
            self._changed.notify_all()

    def give_back(self, number: int, size: int) -> None:
        """Give bytes back, and the place in the queue."""
        with self._changed:
            self._used -= size
            self._waiting.discard(number)
            self._changed.notify_all()

    def _may(self, number: int, size: int) -> bool:
        is_first = not self._waiting or number <= min(self._waiting)
        return is_first and (not self._used or self._used + size <= self._most)


class _Turn:
    """A place in the queue for room, and what was taken there."""

    def __init__(self, room: Room, number: int) -> None:
        self._room, self._number, self._size = room, number, 0

    def take(self, size: int) -> None:
        """Wait for so many bytes; who has some already changes to so many at once.

        Those after him wait for him.
        """
        self._room.take(self._number, size - self._size, waits=not self._size)
        self._size = size

    def give_back(self) -> None:
        """Let go of what was taken, and of the place."""
        self._room.give_back(self._number, self._size)
        self._size = 0


def _is_same(now: ObjectFacts, seen: ObjectFacts) -> bool:
    """Whether an object is what was listed: its ETag tells, or its time, which answers tell by the second."""
    if now.size != seen.size:
        return False
    if now.version and seen.version:
        return now.version == seen.version
    return now.mtime_ns // 10**9 == seen.mtime_ns // 10**9
