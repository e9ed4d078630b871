"""The options of a run."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.doubt import Prune
from indexer.growing import Growing
from store.walk_options import NOTHING_CHOSEN, WalkChoice


@dataclass(frozen=True, slots=True)
class OnRay:
    """Reading and encoding by workers of a Ray cluster.

    Attributes:
        address: `ray://HOST:PORT`; `ray` is the cluster that RAY_ADDRESS names, else one of this machine for the run.
        workers: how many there are; None: as many as there is room for.
        cpus: cores of each; None: chosen by what the machines have.
        stall_seconds: without a file that was read or encoded, after which the run gives up.
        offline: whether workers may not download models.
    """

    address: str
    workers: int | None = None
    cpus: int | None = None
    stall_seconds: float = 900.0
    offline: bool = False


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
    on: OnRay | None = None  # where files are read and encoded; None: in this process
