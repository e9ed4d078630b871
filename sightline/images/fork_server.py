"""A process that forks workers: it imports once what they need, and they share its memory.

It starts from scratch and has no threads: forking the program itself would take its locks, and torch's threads, along.
Runs as `python -m sightline.images.fork_server DESCRIPTOR LIMITS`, and ends when the program does.
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
"""The status of a process that has not ended."""

# <sys/prctl.h> of Linux.
_PR_SET_PDEATHSIG: Final = 1
_STATUS_SECONDS: Final = 2.0


def serve(control: socket.socket, limits: Limits) -> None:
    """Fork, kill and bury workers as asked, until nobody asks any more."""
    # What Pillow has to say of a damaged file's tags helps nobody: a file that it can't read has failed.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    # The program deals with Ctrl-C, which a terminal sends to all of its processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
            data, descriptors, _, _ = socket.recv_fds(control, MESSAGE.size, 2)
        except OSError:
            return
        if len(data) < MESSAGE.size:
            return
        what, number = MESSAGE.unpack(data)
        if what == FORK:
            channel, memory = descriptors
            pid = os.fork()
            if not pid:
                control.close()
                _work(channel, memory, limits)
            living.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
            number = pid
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


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Limits(**json.loads(sys.argv[2])))
