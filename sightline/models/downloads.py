"""The progress of downloads from the hub, for who shows it: bytes that came, of all that have to."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

# Seconds between two reports.
INTERVAL: Final = 0.2


@dataclass(frozen=True, slots=True)
class Download:
    """How far a download is.

    Attributes:
        name: of the repository.
        done: bytes that are here.
        total: bytes of all files that were missing; None where the hub does not say.
        finished: whether all of them are here.
    """

    name: str
    done: int
    total: int | None
    finished: bool = False


Report = Callable[[Download], None]
_report: ContextVar[Report | None] = ContextVar("report", default=None)


@contextmanager
def reporting(report: Report) -> Iterator[None]:
    """Have the downloads of this thread told to `report`, within a `with` block. It is called from other threads."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


class Reporter:
    """Tells one download to who asked for it, a few times a second."""

    def __init__(self, name: str, total: int | None, report: Report) -> None:
        """Tell that it begins; `total` is the number of bytes that have to come."""
        self._name, self._total, self._report = name, total, report
        self._lock = threading.Lock()
        self._done, self._told = 0, 0.0
        report(Download(name, 0, total))

    def update(self, done: int) -> None:
        """Take in that so many bytes are here."""
        with self._lock:
            self._done = max(self._done, done)
            if time.monotonic() - self._told < INTERVAL:
                return
            self._told = time.monotonic()
            self._report(Download(self._name, self._capped, self._total))

    def finish(self) -> None:
        """Tell that it is done."""
        with self._lock:
            self._report(Download(self._name, self._total or self._done, self._total, finished=True))

    @property
    def _capped(self) -> int:
        return self._done if self._total is None else min(self._done, self._total)


def reporter(name: str, revision: str | None, patterns: Sequence[str], place: Path) -> Reporter | None:
    """Begin to report the download of a repository; None where nobody asked for it.

    Args:
        name: of the repository.
        revision: of it; None for the main branch.
        patterns: of the files that are downloaded.
        place: the folder of the repository in the hub's cache.
    """
    report = _report.get()
    return None if report is None else Reporter(name, _missing_bytes(name, revision, patterns, place), report)


def _missing_bytes(name: str, revision: str | None, patterns: Sequence[str], place: Path) -> int | None:
    """The sizes of the files that the cache lacks, added up; None where the hub does not say."""
    from huggingface_hub import HfApi

    try:
        about = HfApi().model_info(name, revision=revision, files_metadata=True)
    except Exception:  # noqa: BLE001 - the download itself says what is wrong
        return None
    here = place / "snapshots" / (about.sha or "")
    sizes = [
        file.size
        for file in about.siblings or ()
        if any(fnmatch(file.rfilename, pattern) for pattern in patterns) and not (here / file.rfilename).exists()
    ]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def counting_bar(reporter: Reporter) -> type[Any]:
    """Make a class that huggingface_hub takes as its progress bar: it draws nothing, and tells bytes to a reporter.

    huggingface_hub counts bytes that came over the network and bytes that were put into files in bars of their own:
    the one that is further on counts.
    """
    from tqdm.std import tqdm

    class CountingBar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no thread that looks after bars on a screen

        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **options | {"file": io.StringIO(), "disable": False})

        def display(self, msg: str | None = None, pos: int | None = None) -> bool:
            return True

        def update(self, n: float | None = 1) -> bool | None:
            drawn: bool | None = super().update(n)
            if self.unit == "B":
                reporter.update(int(self.n))
            return drawn

    return CountingBar
