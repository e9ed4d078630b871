"""The plan of a run by what files look like alone: `--dry-run`. Nothing is read, hashed or written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer.doubt import Prune
from indexer.finish import is_gone, missing_for_good
from indexer.root_scan import RootScan
from indexer.roots import Target, find_targets
from indexer.scanner import changes
from indexer.walk import WalkCounts, WalkedFile, walk
from store.library import DATABASE, Library
from store.paths import to_bytes, to_path
from store.tables.catalog import Catalog
from store.tables.space_rows import SpaceIdentity
from store.walk_options import WalkChoice


def plan(
    folders: Sequence[Path],
    library_path: Path,
    choice: WalkChoice,
    identity: SpaceIdentity | None = None,
    prune: Prune | None = None,
) -> Iterator[tuple[str, Path, bytes]]:
    """What would be read or is gone, for the space with this `identity`; None is the library's own.

    `prune` receives the photos that it would forget, and those it would doubt.

    Yields:
        (`new`, `changed`, `back`, `unencoded`, `outdated`, `gone` or `missing`, root, path under it). A new path may
        turn out to hold a known content; unencoded ones have no vector in the space; of outdated ones the header is
        read again; missing ones, which only a prune asks for, were gone before.

    Raises:
        FolderError, RootUnavailableError: as the run itself would.
    """
    skip = [library_path]
    if not (library_path / DATABASE).exists():
        for target in find_targets(folders, None, choice, skip):
            for item in walk(target.root, target.options, WalkCounts(), skip, target.start):
                if isinstance(item, WalkedFile):
                    yield "new", target.root, item.path
        return
    with Library.open(library_path) as library:
        space_id = _space_id(library.catalog, identity)
        for target in find_targets(folders, library.catalog, choice, skip):
            yield from _plan_target(library.catalog, target, space_id, skip, prune)


def _space_id(catalog: Catalog, identity: SpaceIdentity | None) -> int:
    """The id of a space; -1, which no space has, where the library does not hold it."""
    if identity is None:
        default = catalog.default_space()
        return default.id if default else -1
    found = catalog.find_space(identity)
    return -1 if found is None else found


def _plan_target(
    catalog: Catalog, target: Target, space_id: int, skip: Sequence[Path], prune: Prune | None
) -> Iterator[tuple[str, Path, bytes]]:
    root_id = target.known.id if target.known else -1
    scan = RootScan(target, root_id, catalog.known_failures(root_id), catalog.last_photo_id())
    for _, others in changes(catalog, scan, space_id, WalkCounts(), skip):
        for change, file, _ in others:
            if change != "failed":
                yield change, target.root, file.path
    gone = [(photo_id, path) for photo_id, path in catalog.present_photos(root_id) if scan.lacks(photo_id, path)]
    for _, path in gone:
        yield "gone", target.root, path
    if prune is not None:
        missing = list(missing_for_good(catalog, scan))
        for _, path in missing:
            yield "missing", target.root, path
        root = to_bytes(target.root)
        prune.take(scan, [(photo_id, path) for photo_id, path in gone if is_gone(to_path(root, path))] + missing)
