"""The walk of a root, wherever it lies: a folder of this machine, or an address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer.sidecars import Walked
from indexer.walk import Unreadable, WalkCounts, WalkedFile
from indexer.walk import walk_folders as walk_local
from store.addresses import is_address
from store.walk_options import WalkOptions


def walk_folders(
    root: Path, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path] = (), start: Path | None = None
) -> Iterator[tuple[list[Walked], list[Unreadable]]]:
    """Every file under `root` that may be a picture, and what could not be read.

    See `indexer.walk.walk_folders`.
    """
    if not is_address(root):
        return walk_local(root, options, counts, skip, start)
    from indexer.walk_objects import walk_objects  # who has folders alone needs none of it

    return walk_objects(root, options, counts, skip, start)


def walk(
    root: Path, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path] = (), start: Path | None = None
) -> Iterator[WalkedFile | Unreadable]:
    """Every file under `root` that may be a picture, in byte order of their paths: see `walk_folders`."""
    for files, unreadable in walk_folders(root, options, counts, skip, start):
        yield from map(WalkedFile._make, files)
        yield from unreadable
