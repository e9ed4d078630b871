"""A process that forks workers: it imports once what they need, and they share its memory.

It starts from scratch and has no threads: forking the program itself would take its locks, and torch's threads, along.
`sightline.images.worker_process.ForkServer` starts it; it ends when the program does.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

from sightline.images import worker
from sightline.images.limits import Limits
from sightline.images.shared_memory import SharedMemory

FORK, KILL, STATUS = b"f", b"k", b"s"
MESSAGE: Final = struct.Struct("<cq")
"""What is asked, and of which process."""
ANSWER: Final = struct.Struct("<q")

UNKNOWN: Final = -1
"""The status of a process that has not ended; the number of one that could not be started."""

# <sys/prctl.h> of Linux.
_PR_SET_PDEATHSIG: Final = 1
_STATUS_SECONDS: Final = 2.0


def serve(control: socket.socket, limits: Limits) -> None:
    """Fork, kill and bury workers as asked, until nobody asks any more."""
    # What Pillow has to say of a damaged file's tags helps nobody: a file that it can't read has failed.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    # The program deals with these, which a terminal or a supervisor sends to all of its processes: a worker that ended
    # by one would be taken for one that a file has crashed.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # a worker that collects garbage would write to what it shares
    living: set[int] = set()
    try:
        _answer(control, limits, living)
    finally:
        _end(living)


def _answer(control: socket.socket, limits: Limits, living: set[int]) -> None:
    ended: dict[int, int] = {}
    while True:
        try:
            data, descriptors, _, _ = socket.recv_fds(control, MESSAGE.size, 3)
        except OSError:
            return
        if len(data) < MESSAGE.size:
            return
        what, number = MESSAGE.unpack(data)
        if what == FORK:
            number = _fork(control, descriptors, limits)
            if number != UNKNOWN:
                living.add(number)
            for descriptor in descriptors:
                os.close(descriptor)
        elif what == KILL:
            if number in living:  # and not buried, so that no other process has its number
                os.kill(number, signal.SIGKILL)
        else:
            until = time.monotonic() + _STATUS_SECONDS
            while _bury(living, ended) or (number in living and time.monotonic() < until):
                time.sleep(0.005)
            number = ended.pop(number, UNKNOWN)
        with suppress(OSError):
            control.sendall(ANSWER.pack(number))


def _fork(control: socket.socket, descriptors: Sequence[int], limits: Limits) -> int:
    """Start a worker; UNKNOWN where the system has no room for one just now."""
    if len(descriptors) < 2:  # this process may have no more of them
        return UNKNOWN
    try:
        pid = os.fork()
    except OSError:
        return UNKNOWN
    if not pid:
        control.close()
        for errors in descriptors[2:]:
            os.dup2(errors, 2)
        _work(descriptors[0], descriptors[1], limits)
    return pid


def _end(living: set[int]) -> None:
    """End the workers, and wait for them: what they took is counted as of this process then."""
    for pid in living:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _STATUS_SECONDS
    while living and time.monotonic() < until:  # one that waits for a disk is left behind
        if not _bury(living, {}):
            time.sleep(0.005)


def _bury(living: set[int], ended: dict[int, int]) -> bool:
    """Note the status of one process that has ended; whether there was one."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    if not pid:
        return False
    living.discard(pid)
    ended[pid] = status
    return True


def _work(channel: int, memory: int, limits: Limits) -> None:
    code = 1
    try:
        _end_with_parent()
        worker.serve(Connection(channel), SharedMemory(memory), limits)
        code = 0
    finally:
        os._exit(code)  # never back into the loop of the server


def _end_with_parent() -> None:
    """Have Linux end this process with its server, and first when memory is short."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write("1000")


def main(descriptor: str, limits: str) -> None:
    """Run as the process: the number of its socket, and `Limits` in JSON."""
    serve(socket.socket(fileno=int(descriptor)), Limits(**json.loads(limits)))
