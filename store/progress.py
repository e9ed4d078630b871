"""How far the indexer at work is: it says so in a small file, so that pages and other programs can show it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from store.files import replace_file
from store.lock import indexer_pid

FILE: Final = "indexer-progress.json"

Phase = Literal["looking", "loading", "indexing", "finishing"]
"""Looking for what is new, loading the model, reading and encoding, writing down what is gone and the vectors."""


BOUND_BY: Final = {
    "decode": "reading and decoding",
    "encode": "the model",
    "write": "writing to the library",
    "walk": "walking the folders",
}
"""What a run can wait for, in words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        pid: the process of the indexer.
        started: when the run began: ISO 8601, UTC.
        folders: the folders of the run, as displayed.
        phase: what it is doing.
        done: files dealt with, of those that had to be read.
        total: how many have to be read; None while it still looks for them.
        rate: files a second, loading the model not counted.
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
    """Put the progress of a run where `read` finds it, in the library's folder; whole, or not at all.

    Raises:
        OSError: the disk is full, or the folder can't be written.
    """
    text = json.dumps(asdict(progress))
    # Not synced: after a power cut no indexer is at work.
    replace_file(library / FILE, lambda path: path.write_text(text), durable=False)


def remove(library: Path) -> None:
    """Take the file away at the end of a run; nothing happens where there is none, or it can't be removed."""
    with suppress(OSError):
        (library / FILE).unlink(missing_ok=True)


def read(library: Path) -> Progress | None:
    """How far the indexer at work on a library is; None where none is, or it has not said so yet."""
    pid = indexer_pid(library)
    if pid is None:
        return None
    try:
        found = _progress(json.loads((library / FILE).read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    # What a killed run left behind is not what the next one does.
    return found if found.pid == pid else None


def _progress(data: dict[str, Any]) -> Progress:
    """Raises TypeError or ValueError where it is anything else."""
    made = Progress(**data)
    if (
        not all(isinstance(value, str) for value in (made.started, made.bound_by, made.updated, *made.folders))
        or not all(isinstance(value, int) for value in (made.pid, made.done, made.failed, made.total or 0))
        or not isinstance(made.rate, int | float)
        or made.phase not in get_args(Phase)
    ):
        raise ValueError(f"no progress: {data}")
    object.__setattr__(made, "folders", tuple(made.folders))
    return made
