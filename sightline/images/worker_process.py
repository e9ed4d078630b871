"""Worker processes, from the side of the program: started, asked with a time limit, and ended."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Final
from weakref import WeakSet

from sightline.images import wire
from sightline.images.budget import PixelBudget
from sightline.images.errors import DecodeError
from sightline.images.limits import Limits
from sightline.images.python_process import is_open, python_command
from sightline.images.shared_memory import LARGEST, SharedMemory
from sightline.images.worker_errors import StoppedError, WorkerError

# What `sightline.images.fork_server` is asked, which this process doesn't import: it brings every decoder along.
_FORK, _KILL, _STATUS = b"f", b"k", b"s"
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 4.0
# How often, and how far apart, a fork is tried that the system has no room for.
_TRIES: Final = 8
_PAUSE: Final = 0.25
# A worker that began to send an answer has so long for each part of it.
_PART_SECONDS: Final = 20
# After so many seconds of waiting for an answer it is seen whether anybody still wants it.
_LOOK_UP: Final = 0.25
# Requests that a disk answers, not a decoder.
_READING: Final = frozenset({"open", "hash", "stat", "given"})


class ForkServer:
    """The process that forks workers. Safe for use from many threads."""

    def __init__(self, limits: Limits) -> None:
        """Start it; it is ready a quarter of a second later.

        Raises:
            WorkerError: it can't be started.
        """
        self.limits = limits
        self._lock = threading.Lock()
        self._is_broken = False
        self._has_errors = is_open(2)
        self._control, given = socket.socketpair()
        held = []
        while given.fileno() <= 2:  # those were closed, and mean something else there
            held.append(given)
            given = given.dup()
        command = python_command("sightline.images.fork_server", str(given.fileno()), json.dumps(asdict(limits)))
        try:
            self._process = subprocess.Popen(
                command, pass_fds=[given.fileno()], start_new_session=True,
                # What a decoder prints is no data of the program.
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=None if self._has_errors else subprocess.DEVNULL,
                # Its algebra is none; threads for that would only take memory.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        except OSError as error:
            self._control.close()
            raise WorkerError(f"The process that decodes pictures can't be started ({error.strerror}).") from error
        finally:
            for each in (given, *held):
                each.close()
        self._control.settimeout(_START_SECONDS)
        _of_this_process.add(self)

    @property
    def is_alive(self) -> bool:
        """Whether it can fork workers."""
        return not self._is_broken and self._process.poll() is None

    def fork(self) -> tuple[int, Connection, SharedMemory]:
        """Start a worker: its process, the channel to it and the memory shared with it.

        Raises:
            WorkerError: it can't be started.
        """
        try:
            memory = SharedMemory.make()
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise WorkerError(f"A process that decodes pictures can't be started ({error.strerror}).") from error
        try:
            # Last where its messages go, which may be elsewhere than when the server was started.
            pid = self._forked([theirs.fileno(), memory.descriptor, *([2] if self._has_errors else [])])
        except WorkerError:
            ours.close()
            memory.close()
            raise
        finally:
            theirs.close()
        with suppress(OSError, AttributeError):  # Windows
            for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, limit, struct.pack("@ll", _PART_SECONDS, 0))
        return pid, Connection(ours.detach()), memory

    def _forked(self, descriptors: list[int]) -> int:
        for _ in range(_TRIES):
            pid = self._ask(_FORK, 0, descriptors)
            if pid > 0:
                return pid
            time.sleep(_PAUSE)
        raise WorkerError("A process that decodes pictures can't be started: the system allows no more of them.")

    def kill(self, pid: int) -> None:
        """End a worker at once; one that waits for a disk ends when that answers."""
        with suppress(WorkerError):
            self._ask(_KILL, pid)

    def status(self, pid: int) -> int | None:
        """The status of a worker that has ended, as of `os.waitpid`; None where that is not known."""
        try:
            found = self._ask(_STATUS, pid)
        except WorkerError:
            return None
        return None if found < 0 else found

    def close(self) -> None:
        """End it and its workers."""
        self._is_broken = True
        with suppress(OSError):  # who waits for an answer does so no longer
            self._control.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def abandon(self) -> None:
        """Leave it to the process that this one was forked from."""
        self._is_broken = True
        self._control.close()

    def _ask(self, what: bytes, pid: int, descriptors: list[int] | None = None) -> int:
        message = what + pid.to_bytes(8, "little", signed=True)
        with self._lock:
            try:
                socket.send_fds(self._control, [message], descriptors or [])
                answer = self._control.recv(8)
            except OSError as error:
                self._give_up()
                raise WorkerError(f"The process that decodes pictures does not answer ({error}).") from error
        if len(answer) < 8:
            self._give_up()
            raise WorkerError(
                f"The process that decodes pictures ended (exit code {self._process.poll()}). Its messages are above."
            )
        return int.from_bytes(answer, "little", signed=True)

    def _give_up(self) -> None:
        """End it: what it might still answer would be taken for the answer to another question."""
        self._is_broken = True
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)


class WorkerProcess:
    """One worker: answers one request at a time, within the limits of its server."""

    def __init__(self, server: ForkServer, budget: PixelBudget | None, is_wanted: Callable[[], bool]) -> None:
        """Start it.

        Args:
            server: that forks it.
            budget: of the pixels that workers decode at once.
            is_wanted: whether answers are still wanted.

        Raises:
            WorkerError: it can't be started.
        """
        self.is_alive = True
        self.was_killed = False
        self.files = 0
        self._server = server
        self._budget = budget
        self._is_wanted = is_wanted
        self._pid, self._channel, self.memory = server.fork()
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)
        _of_this_process.add(self)

    def ask(self, request: wire.Message) -> wire.Message:
        """Have a request answered; afterwards, where it raises one of these, the worker has ended.

        Raises:
            DecodeError: the worker crashed, took too much, or said what it can't mean: the file has failed.
            StoppedError: the answer is not wanted any more.
        """
        if not self.is_alive:
            raise DecodeError("decode", "its decoder ended before")
        what = str(request["do"])
        limits, reading = self._server.limits, what in _READING
        begun, has_held = time.monotonic(), False
        try:
            with ExitStack() as held:
                wire.send(self._channel, request)
                while True:
                    self._wait(limits.read_seconds if reading else limits.decode_seconds, what)
                    message = wire.receive(self._channel)
                    if "hold" in message:
                        pixels = message.pop("hold")
                        if type(pixels) is not int or not 0 <= pixels <= LARGEST or has_held:
                            raise wire.NonsenseError("it asks for too many pixels")
                        has_held = True
                        if self._budget is not None:
                            held.enter_context(self._budget.hold(pixels))
                        wire.send(self._channel, {})
                    elif "alive" not in message:
                        return message
                    if time.monotonic() - begun > limits.total_seconds:
                        raise DecodeError(
                            "read",
                            f"reading it took more than {limits.total_seconds:,.0f} seconds: its disk is too slow",
                        )
        except BlockingIOError:
            self.end()
            raise wire.nonsense(wire.NonsenseError("it ends in the middle")) from None
        except (EOFError, OSError):
            error = self._died(reading)
            raise error if self._is_wanted() else StoppedError from None
        except (wire.NonsenseError, ValueError, TypeError) as error:
            self.end()
            raise wire.nonsense(error) from error
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the worker at once."""
        if self.is_alive:
            self.is_alive = False
            self._server.kill(self._pid)
            self._close()

    def dismiss(self) -> None:
        """Let the worker end: it has nothing to do."""
        if self.is_alive:
            self.is_alive = False
            self._close()
            self._server.status(self._pid)

    def abandon(self) -> None:
        """Leave it to the process that this one was forked from."""
        self.is_alive = False
        self._close()

    def _close(self) -> None:
        self._channel.close()
        self.memory.close()

    def _wait(self, seconds: float, what: str) -> None:
        waited, before = 0.0, time.monotonic()
        while not self._poll.poll(_LOOK_UP * 1000):
            if not self._is_wanted():
                raise StoppedError
            now = time.monotonic()
            # Where this process was stopped for a while, so was the worker, most likely.
            waited, before = waited + min(now - before, 4 * _LOOK_UP), now
            if waited > seconds:
                if what in _READING:
                    raise DecodeError("read", f"its disk did not answer for {seconds:,.0f} seconds")
                raise DecodeError(
                    "decode", f"its decoder did not end within {seconds:,.0f} seconds: the file is damaged, or made to "
                    "take long"
                )  # fmt: skip

    def _died(self, reading: bool) -> DecodeError:
        """What is to be said of a file at which the worker ended."""
        self.is_alive = False
        status = self._server.status(self._pid)
        if status is None:  # it may only have closed its channel
            self._server.kill(self._pid)
        self._close()
        # Where nobody knows why, on a busy machine, it need not have been the file either.
        self.was_killed = status in (None, signal.SIGKILL) or not self._server.is_alive
        return DecodeError("read" if reading else "decode", _reason(status, self._server.limits))


# A process that is forked from this one, as by `multiprocessing`, must not talk to this one's workers.
_of_this_process: Final[WeakSet[ForkServer | WorkerProcess]] = WeakSet()


def _abandon() -> None:
    for each in list(_of_this_process):
        each.abandon()
    _of_this_process.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon)


def _reason(status: int | None, limits: Limits) -> str:
    if status is None:
        return "its decoder ended, and why is not known"
    if not os.WIFSIGNALED(status):
        return f"its decoder ended with exit code {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return f"decoding it takes more than {limits.cpu_seconds} seconds of a processor"
    if number == signal.SIGKILL:
        return "the system ended its decoder, most likely because memory ran out"
    name = signal.strsignal(number) or f"signal {number}"
    return f"its decoder crashed ({name.lower()}): the file is damaged, or the decoder has a fault"
