"""The lock of a run: a library on PostgreSQL is held for the run's own folders alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from indexer.roots import resolved
from store.lock import locked
from store.paths import to_bytes


def run_locked(library: Path, folders: Sequence[Path | str]) -> AbstractContextManager[None]:
    """Hold what a run of these folders changes, as `store.lock.locked` does.

    Args:
        library: the folder of the library.
        folders: folders, or addresses of stores of objects.
    """
    return locked(library, [_root(folder) for folder in folders])


def _root(folder: Path | str) -> bytes:
    path = Path(folder)
    with suppress(RuntimeError, OSError):  # the run says what is wrong with it
        path = resolved(path)
    return to_bytes(path)
