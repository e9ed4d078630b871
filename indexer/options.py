"""The options of a run."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.doubt import Prune
from indexer.growing import Growing
from store.walk_options import NOTHING_CHOSEN, WalkChoice


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run. `batch_size` and `workers` None: chosen by what is measured and by the cores."""

    walk: WalkChoice = NOTHING_CHOSEN
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    prune: Prune | None = None
    rescan: bool = False  # read every file, whatever it looks like
    file_seconds: float | None = None  # that a decoder may take for one file
    yes: bool = False  # a root may be another than it was
    tiles: int | None = None  # the grid of the run's spaces from now on, 0 for none; None: as they are
    growing: Growing | None = None  # which files are left to a later run
