"""What a command costs as the process a user starts: clock, processor time, memory, of the whole tree."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from processes import Watch, family

LOOKS: Final = 0.1  # seconds from one look at the memory of a tree to the next
MB: Final = 1e6
# A small process between: the kernel counts what a process held before it became the command to the command's peak.
_STARTER: Final = """
import os, sys
command = sys.argv[1:]
process = os.posix_spawn(command[0], command, os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)])
print(process, flush=True)
_, status, used = os.wait4(process, 0)  # its own record: RUSAGE_CHILDREN remembers the largest of all
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss, flush=True)
"""
_TICK: Final = os.sysconf("SC_CLK_TCK")


class ColdError(Exception):
    """A program that is to be measured did not do its work."""


class Cost(NamedTuple):
    """What a process and its descendants took.

    Attributes:
        clock: seconds.
        processor: seconds of the processor, user and system, of all processes of the tree.
        memory: MB at most. The greater of two: the largest process's own peak, which the kernel keeps, and the sum
            over the tree, with what several share counted once, looked at every tenth of a second.
    """

    clock: float
    processor: float
    memory: float


def run(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path, log: Path) -> Cost:
    """Run a command in `folder` to its end, with what is set in `environment` beside our own.

    Raises:
        ColdError: it failed; what it wrote to `log` is said.
    """
    begun = time.perf_counter()
    with log.open("wb") as output:
        starter = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _STARTER, *command], cwd=folder, env={**os.environ, **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, text=True,
        )  # fmt: skip
    assert starter.stdout is not None
    watch = Watch(int(starter.stdout.readline()), LOOKS)
    watch.start()
    code, processor, largest = starter.stdout.readline().split()
    clock = time.perf_counter() - begun
    together = max((one.pss for one in watch.stop()), default=0)
    starter.wait()
    if code != "0":
        said = log.read_text(errors="replace").strip()[-800:]
        raise ColdError(f"{' '.join(map(str, command))} ended with {code}: {said}")
    return Cost(clock, float(processor), max(int(largest) * 1024, together) / MB)


def processor_time(process: int) -> float:
    """Seconds of the processor of a process that runs, of its descendants, and of those it waited for."""
    ticks = 0
    for own in family(process):
        try:
            said = Path(f"/proc/{own}/stat").read_text()
        except OSError:  # it ended meanwhile
            continue
        ticks += sum(map(int, said.rpartition(")")[2].split()[11:15]))  # utime, stime, cutime, cstime
    return ticks / _TICK
