"""A look at a watched folder: what differs from the library, and what is to be reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from indexer.root_scan import RootScan
from indexer.roots import find_targets
from indexer.scanner import changes
from indexer.walk import WalkCounts
from indexer.watch_events import filter_of
from indexer.watch_folder import IS_RECURSIVE, WatchedFolder
from store.library import Library
from store.paths import to_bytes, to_path
from store.walk_options import NOTHING_CHOSEN

# Looks in one go, where folders come while they are listed.
_TURNS: Final = 5


def look(library: Library, folder: WatchedFolder, space_ids: Sequence[int]) -> None:
    """Compare a folder with the library, and have the system report what changes from then on.

    Raises:
        FolderError, RootUnavailableError: as a run would.
        WatchLimitError: the folder has too many others in it to be watched; what differs is known.
    """
    catalog, skip = library.catalog, library.own_places
    for _ in range(_TURNS):
        target = find_targets([folder.folder], catalog, NOTHING_CHOSEN, skip)[0]
        root_id = target.known.id if target.known else -1
        scan = RootScan(
            target, root_id, catalog.known_failures(root_id), catalog.last_photo_id(), growing=folder.rule
        )  # fmt: skip
        counts = WalkCounts(listed=[])
        differ: set[Any] = set()
        for _, others in changes(catalog, scan, space_ids, counts, skip):
            differ.update(file for change, file, _ in others if change != "failed")
        blind = {failed.file.path for failed in scan.unreadable}
        left = scan.failures.keys() - scan.seen_failures - blind
        differ.update(("not there", path) for path in left if scan.covers(path))
        differ.update(("gone", photo_id) for photo_id in scan.gone(catalog))
        folder.found = frozenset(differ)
        folder.growing = [to_path(to_bytes(target.root), path) for path in scan.left]
        listed = counts.listed or []
        is_news = filter_of(target.root, target.options, library.path, listed, is_recursive=IS_RECURSIVE)
        if not folder.follow(listed, is_news):
            return  # what changed since is reported
