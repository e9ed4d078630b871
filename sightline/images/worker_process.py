"""Worker processes, from the side of the program: started, asked with a time limit, and ended."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from sightline.images import wire
from sightline.images.budget import PixelBudget
from sightline.images.errors import DecodeError
from sightline.images.limits import Limits
from sightline.images.shared_memory import SharedMemory
from sightline.images.worker_errors import StoppedError, WorkerError

# What `sightline.images.fork_server` is asked, which this process doesn't import: it brings every decoder along.
_FORK, _KILL, _STATUS = b"f", b"k", b"s"
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 4.0
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
        self._control, given = socket.socketpair()
        command = [
            sys.executable,
            "-m",
            "sightline.images.fork_server",
            str(given.fileno()),
            json.dumps(asdict(limits)),
        ]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[given.fileno()], start_new_session=True,
                # From where the packages lie: a folder someone works in may have others of these names.
                cwd=Path(__file__).parents[2],
                # Its algebra is none; threads for that would only take memory.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        except OSError as error:
            self._control.close()
            raise WorkerError(f"The process that decodes pictures can't be started ({error.strerror}).") from error
        finally:
            given.close()
        self._control.settimeout(_START_SECONDS)

    @property
    def is_alive(self) -> bool:
        """Whether it can fork workers."""
        return self._process.poll() is None

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
            pid = self._ask(_FORK, 0, [theirs.fileno(), memory.descriptor])
        except WorkerError:
            ours.close()
            memory.close()
            raise
        finally:
            theirs.close()
        return pid, Connection(ours.detach()), memory

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
        self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, what: bytes, pid: int, descriptors: list[int] | None = None) -> int:
        message = what + pid.to_bytes(8, "little", signed=True)
        with self._lock:
            try:
                socket.send_fds(self._control, [message], descriptors or [])
                answer = self._control.recv(8)
            except OSError as error:
                raise WorkerError(f"The process that decodes pictures does not answer ({error}).") from error
        if len(answer) < 8:
            raise WorkerError(
                f"The process that decodes pictures ended (exit code {self._process.poll()}). Its messages are above."
            )
        return int.from_bytes(answer, "little", signed=True)


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
        self.files = 0
        self._server = server
        self._budget = budget
        self._is_wanted = is_wanted
        self._pid, self._channel, self.memory = server.fork()
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)

    def ask(self, request: wire.Message) -> wire.Message:
        """Have a request answered; afterwards, where it raises one of these, the worker has ended.

        Raises:
            DecodeError: the worker crashed, took too much, or said what it can't mean: the file has failed.
            StoppedError: the answer is not wanted any more.
        """
        what = str(request["do"])
        limits, reading = self._server.limits, what in _READING
        begun = time.monotonic()
        try:
            with ExitStack() as held:
                wire.send(self._channel, request)
                while True:
                    self._wait(limits.read_seconds if reading else limits.decode_seconds, what)
                    message = wire.receive(self._channel)
                    if "hold" in message:
                        if self._budget is not None:
                            held.enter_context(self._budget.hold(int(message["hold"])))
                        wire.send(self._channel, {})
                    elif "alive" not in message:
                        return message
                    if time.monotonic() - begun > limits.total_seconds:
                        raise DecodeError(
                            "read",
                            f"reading it took more than {limits.total_seconds:,.0f} seconds: its disk is too slow",
                        )
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

    def _close(self) -> None:
        self._channel.close()
        self.memory.close()

    def _wait(self, seconds: float, what: str) -> None:
        until = time.monotonic() + seconds
        while not self._poll.poll(_LOOK_UP * 1000):
            if not self._is_wanted():
                raise StoppedError
            if time.monotonic() > until:
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
        self._close()
        return DecodeError("read" if reading else "decode", _reason(status, self._server.limits))


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
