"""What a run would do, by names, sizes and times alone: `--dry-run`. Nothing is read, hashed or written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from indexer.scanner import RootScan
from indexer.targets import Target, find_targets
from indexer.walk import Found, WalkCounts, WalkOptions, walk
from store.catalog import CHUNK, Catalog
from store.library import DATABASE, Library


def plan(folders: Sequence[Path], library_path: Path, options: WalkOptions) -> Iterator[tuple[str, Path, bytes]]:
    """What would be read or is gone.

    Yields:
        (`new`, `changed`, `back` or `gone`, root, path under it). A new path may turn out to hold a known content.

    Raises:
        FolderError, RootUnavailableError: as the run itself would.
    """
    skip = [library_path]
    if not (library_path / DATABASE).exists():
        for target in find_targets(folders, None, options, skip):
            for item in walk(target.root, options, WalkCounts(), skip, target.start):
                if isinstance(item, Found):
                    yield "new", target.root, item.path
        return
    with Library.open(library_path) as library:
        for target in find_targets(folders, library.catalog, options, skip):
            yield from _plan_target(library.catalog, target, options, skip)


def _plan_target(
    catalog: Catalog, target: Target, options: WalkOptions, skip: Sequence[Path]
) -> Iterator[tuple[str, Path, bytes]]:
    root_id = target.known.id if target.known else -1
    default = catalog.default_space()
    scan = RootScan(target, root_id, catalog.known_failures(root_id), catalog.last_photo_id())
    walked = walk(target.root, options, WalkCounts(), skip, target.start)
    while batch := list(islice(walked, CHUNK)):
        files = [item for item in batch if isinstance(item, Found)]
        known = catalog.known_photos(root_id, [file.path for file in files], default.id if default else -1)
        for file in files:
            photo, failure = known.get(file.path), scan.failures.get(file.path)
            looks = (file.size, file.mtime_ns)
            if photo is not None:
                scan.see(photo.id)
            if failure is not None and (failure.size, failure.mtime_ns) == looks:
                continue
            if photo is None:
                yield "new", target.root, file.path
            elif photo.missing:
                yield "back", target.root, file.path
            elif (photo.size, photo.mtime_ns) != looks:
                yield "changed", target.root, file.path
    for photo_id, path in catalog.present_photos(root_id):
        if scan.lacks(photo_id, path):
            yield "gone", target.root, path
