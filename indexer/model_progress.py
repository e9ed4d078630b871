"""The progress of a run before it looks at pictures: its model is downloaded, and tried."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import click

from indexer.messages import STOPPED
from indexer.signals import INTERRUPTED
from sightline.models.downloads import Download, reporting
from store import progress
from store.lock import RUN
from store.paths import absolute, display, to_bytes
from store.progress import Phase, Progress
from store.tables.records import now

# The name that `run.json` has for what a run without any waiting waited for.
_NOTHING: Final = "walk"


@contextmanager
def model_shown(
    library: Path, folders: Sequence[Path], report: Callable[[Progress], None], leave: Callable[[], object]
) -> Iterator[None]:
    """Say in `run.json`, and to `report`, how far the models of a run are, within a `with` block.

    Ctrl-C ends the process at once while a model is downloaded.

    Args:
        library: the library's folder, whose lock is held; there need be no library yet.
        folders: of the run.
        report: called with the progress.
        leave: called before the process ends, such as to take a progress bar away.
    """
    started, begun = now(), time.monotonic()
    shown = tuple(display(to_bytes(absolute(folder))) for folder in folders)

    def tell(phase: Phase, done: int = 0, total: int | None = None, since: float = begun) -> None:
        rate = done / max(time.monotonic() - since, 1e-9)
        state = Progress(os.getpid(), started, shown, phase, done, total, rate, _NOTHING, 0, now())
        report(state)
        with suppress(OSError):
            progress.write(library, state)

    begins: dict[str, float] = {}
    unfinished: set[str] = set()

    def take(download: Download) -> None:
        since = begins.setdefault(download.name, time.monotonic())
        if not download.finished:
            unfinished.add(download.name)  # before it is told: who reads of it may interrupt at once
        tell("downloading", download.done, download.total, since)
        if download.finished:
            unfinished.discard(download.name)
            tell("loading")

    def interrupted(number: int, frame: FrameType | None) -> None:
        if not unfinished:
            signal.default_int_handler(number, frame)
        # An exception would wait for the threads of huggingface_hub, each of which brings its file to the end.
        leave()
        click.echo(STOPPED, err=True)
        (library / RUN).unlink(missing_ok=True)
        os._exit(INTERRUPTED)

    tell("loading")
    previous = signal.signal(signal.SIGINT, interrupted)
    try:
        with reporting(take):
            yield
    finally:
        signal.signal(signal.SIGINT, previous)
