"""A pool of worker processes that decode files.

A decoder that crashes, hangs, or takes all memory costs the file that it was given. Where no processes can be started,
as on Windows, which has no `fork`, files are decoded in this one, and a warning says so.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from weakref import WeakSet

from sightline.images import kept_server
from sightline.images.budget import PixelBudget
from sightline.images.in_process import InProcess
from sightline.images.limits import FILES, Limits
from sightline.images.reader import Reader
from sightline.images.worker_errors import BusyError, StoppedError, WorkerError
from sightline.images.worker_process import ForkServer, WorkerProcess

log = logging.getLogger(__name__)

# Files after which a worker is replaced: whatever leaks in a decoder must not add up to its limit of memory.
_FILES: Final = 5_000


class Workers:
    """Worker processes, as many as are asked for at once up to `most`.

    Others take the place of those that ended. Safe for use from many threads.

    Attributes:
        limits: of one file.
    """

    def __init__(
        self, most: int, limits: Limits = FILES, budget: PixelBudget | None = None, idle_seconds: float | None = None
    ) -> None:
        """Start the process that forks them, in a quarter of a second, or take the kept one.

        Args:
            most: how many work at once.
            limits: of one file.
            budget: of the pixels that they decode at once; it bounds larger pictures only.
            idle_seconds: after which they are ended when nobody needs them; None: not before `close`.

        """
        self._most = threading.BoundedSemaphore(most)
        self.limits: Final = limits
        self._budget = budget
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess | InProcess] = []
        self._used = time.monotonic()
        self._timer: threading.Timer | None = None
        self._server = _started(limits)
        self._is_closed = False
        self._has_worked = False
        self._at_work = 0
        self._places = most
        _of_this_process.add(self)

    @contextmanager
    def reader(self, seconds: float | None = None) -> Iterator[Reader]:
        """A worker, for as long as it is needed.

        Args:
            seconds: to wait for one; None: as long as it takes.

        Raises:
            BusyError: none was free in time.
            WorkerError: none can be started.
            StoppedError: the pool was closed, before or meanwhile.
        """
        if not self._most.acquire(timeout=seconds):
            raise BusyError(
                f"Other pictures have been decoded for more than {seconds or 0:g} seconds. Try again in a moment."
            )
        process: WorkerProcess | InProcess | None = None
        with self._lock:
            self._at_work += 1
        try:
            process = self._take()
            yield Reader(process)
        finally:
            if process is not None:
                self._put(process)
            with self._lock:
                self._at_work -= 1
            self._most.release()

    def close(self) -> None:
        """End all workers, also those that are at work: who waits for these gets `StoppedError`.

        The process that forks them is kept for a minute, where none was at work.
        """
        with self._lock:
            self._is_closed = True
            idle, self._idle, server, self._server = self._idle, [], self._server, None
            at_work = self._at_work
            if self._timer is not None:
                self._timer.cancel()
        for process in idle:
            process.dismiss()
        if server is None:
            return
        if at_work or not server.is_alive:
            server.close()
        else:
            kept_server.keep(server)

    def _take(self) -> WorkerProcess | InProcess:
        ended: list[WorkerProcess | InProcess] = []
        try:
            with self._lock:
                if self._is_closed:
                    raise StoppedError
                if self._server is not None and not self._server.is_alive:
                    ended, self._idle = self._idle, []  # with it: the next file must not be given to one of them
                    self._server.close()
                    # What worked before will again: in this process no file may be decoded that ended another.
                    self._server = ForkServer(self.limits) if self._has_worked else _started(self.limits)
                if self._idle:
                    return self._idle.pop()
                server = self._server
        finally:
            for each in ended:
                each.end()
        if server is not None:
            try:
                process = WorkerProcess(server, self._budget, lambda: not self._is_closed)
            except WorkerError as error:
                if self._has_worked:
                    raise
                _warn(error)
                with self._lock:
                    self._server = None
            else:
                self._has_worked = True
                return process
        return InProcess(self.limits, self._budget)

    def _put(self, process: WorkerProcess | InProcess) -> None:
        if not process.is_alive:
            return
        process.files += 1
        process.memory.give_back()
        with self._lock:
            keep = not self._is_closed and process.files < _FILES
            if keep:
                self._idle.append(process)
                self._used = time.monotonic()
                if self._idle_seconds is not None and self._timer is None:
                    self._start_timer(self._idle_seconds)
        if not keep:
            process.dismiss()

    def _start_timer(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _expire(self) -> None:
        """End workers that nobody needed for a while; the process that forks them stays, for the next."""
        assert self._idle_seconds is not None
        with self._lock:
            left = self._used + self._idle_seconds - time.monotonic()
            self._timer = None
            if self._is_closed:
                return
            if left > 0:
                self._start_timer(left)
                return
            idle, self._idle = self._idle, []
        for process in idle:
            process.dismiss()

    def forget(self) -> None:
        """Begin anew, in a process that was forked from the one that made this: see `_abandon` of its workers."""
        self._lock, self._most = threading.Lock(), threading.BoundedSemaphore(self._places)
        self._idle, self._timer, self._at_work = [], None, 0
        if self._budget is not None:
            self._budget.forget()


_of_this_process: Final[WeakSet[Workers]] = WeakSet()


def _forget() -> None:
    for each in list(_of_this_process):
        each.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _started(limits: Limits) -> ForkServer | None:
    """The process that forks workers; None where the system can't start it."""
    if not hasattr(os, "fork"):
        return None
    try:
        return kept_server.fork_server(limits)
    except WorkerError as error:
        _warn(error)
        return None


def _warn(error: WorkerError) -> None:
    log.warning("%s Pictures are decoded in this process: a file that crashes its decoder ends it.", error)
