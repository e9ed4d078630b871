"""The progress of the indexer at work, in `run.json`, so that pages and other programs can show it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from store.lock import is_indexing, read_run, write_run

Phase = Literal["downloading", "looking", "loading", "preparing", "indexing", "finishing", "thumbnails"]
"""Downloading the model, looking for what is new, loading the model, preparing it for quick starts, reading and
encoding, writing down what is gone and the vectors; and reading thumbnails of an older version for what it did not
keep. Downloads count bytes, thumbnails themselves, and all others files.
"""


BOUND_BY: Final = {
    "decode": "reading and decoding",
    "encode": "model",
    "write": "writing to the library",
    "walk": "walking the folders",
}
"""What a run can wait for, in words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        pid: the process of the indexer.
        started: when the run began: ISO 8601, UTC.
        folders: the folders of the run, as displayed.
        phase: what it is doing.
        done: files dealt with, of those that had to be read; bytes while a model is downloaded, or thumbnails.
        total: of all of them; None while it still looks for them, or the hub does not say.
        rate: of them a second, loading the model not counted.
        bound_by: what it waited for most: walk, decode, encode or write.
        failed: files that can't be indexed, newly or still.
        updated: when this was so: ISO 8601, UTC.
    """

    pid: int
    started: str
    folders: tuple[str, ...]
    phase: Phase
    done: int
    total: int | None
    rate: float
    bound_by: str
    failed: int
    updated: str


def write(library: Path, progress: Progress) -> None:
    """Put the progress of a run where `read` finds it. Only for who holds the library's lock.

    Raises:
        OSError: the disk is full, or the folder can't be written.
    """
    facts = {name: value for name, value in asdict(progress).items() if name not in ("pid", "started")}
    write_run(library, progress.pid, progress.started, facts)


def read(library: Path) -> Progress | None:
    """Read how far the indexer at work on a library is; None where none is, or it has not said so yet."""
    run = read_run(library) if is_indexing(library) else None
    if run is None or run.progress is None:
        return None
    try:
        return _progress(run.pid, run.since, run.progress)
    except (ValueError, TypeError):
        return None


def _progress(pid: int, started: str, data: dict[str, Any]) -> Progress:
    """Raises TypeError or ValueError where it is anything else."""
    made = Progress(pid=pid, started=started, **data)
    if (
        not all(isinstance(value, str) for value in (made.bound_by, made.updated, *made.folders))
        or not all(isinstance(value, int) for value in (made.done, made.failed, made.total or 0))
        or not isinstance(made.rate, int | float)
        or made.phase not in get_args(Phase)
    ):
        raise ValueError(f"no progress: {data}")
    return replace(made, folders=tuple(made.folders))
