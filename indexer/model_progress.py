"""The progress of a run before it looks at pictures: its model is downloaded, and tried."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sightline.models.downloads import Download, reporting
from store import progress
from store.paths import display, to_bytes
from store.progress import Phase, Progress
from store.tables.records import now

# The name that `run.json` has for what a run without any waiting waited for.
_NOTHING: Final = "walk"


@contextmanager
def model_shown(library: Path, folders: Sequence[Path], report: Callable[[Progress], None]) -> Iterator[None]:
    """Say in `run.json`, and to `report`, how far the models of a run are, within a `with` block.

    Args:
        library: the library's folder, whose lock is held; there need be no library yet.
        folders: of the run.
        report: called with the progress.
    """
    started, begun = now(), time.monotonic()
    shown = tuple(display(to_bytes(folder.absolute())) for folder in folders)

    def tell(phase: Phase, done: int = 0, total: int | None = None, since: float = begun) -> None:
        rate = done / max(time.monotonic() - since, 1e-9)
        state = Progress(os.getpid(), started, shown, phase, done, total, rate, _NOTHING, 0, now())
        report(state)
        with suppress(OSError):
            progress.write(library, state)

    begins: dict[str, float] = {}

    def take(download: Download) -> None:
        since = begins.setdefault(download.name, time.monotonic())
        tell("downloading", download.done, download.total, since)
        if download.finished:
            tell("loading")

    tell("loading")
    with reporting(take):
        yield
