"""What a process and its children hold over time, from /proc: memory, handles, threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Sample:
    """A look at a process and its children: seconds since the start, bytes, handles, threads and processes."""

    at: float
    rss: int
    pss: int
    handles: int
    threads: int
    processes: int


def family(process: int) -> list[int]:
    """A process and all that descend from it."""
    found, waiting = [], [process]
    while waiting:
        own = waiting.pop()
        found.append(own)
        for task in _names(Path(f"/proc/{own}/task")):
            try:
                waiting += map(int, Path(f"/proc/{own}/task/{task}/children").read_text().split())
            except OSError:  # it ended meanwhile
                continue
    return found


def sample(process: int, begun: float) -> Sample:
    """What the process and its children hold now. `pss` counts memory that several share once."""
    rss = pss = handles = threads = processes = 0
    for own in family(process):
        try:
            lines = Path(f"/proc/{own}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        sizes = {name: int(value.split()[0]) * 1024 for name, _, value in (line.partition(":") for line in lines)}
        rss += sizes["Rss"]
        pss += sizes["Pss"]
        handles += len(_names(Path(f"/proc/{own}/fd")))
        threads += len(_names(Path(f"/proc/{own}/task")))
        processes += 1
    return Sample(time.monotonic() - begun, rss, pss, handles, threads, processes)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


class Watch(threading.Thread):
    """Looks at a process every `seconds` until it is told to stop."""

    def __init__(self, process: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self._process, self._seconds, self._over = process, seconds, threading.Event()

    def run(self) -> None:
        begun = time.monotonic()
        while not self._over.is_set():
            self.samples.append(sample(self._process, begun))
            self._over.wait(self._seconds)

    def stop(self) -> list[Sample]:
        """The samples, once the last one was taken."""
        self._over.set()
        self.join()
        return self.samples


def growth(times: Sequence[float], values: Sequence[float]) -> float:
    """How much a straight line through the values grows from the first time to the last one.

    The slope is the median of those between all pairs (Theil and Sen), which a few peaks do not move.
    """
    at, of = np.asarray(times, np.float64), np.asarray(values, np.float64)
    first, second = np.triu_indices(len(at), 1)
    apart = at[second] - at[first]
    slopes = (of[second] - of[first])[apart > 0] / apart[apart > 0]
    return float(np.median(slopes) * (at[-1] - at[0])) if len(slopes) else 0.0
