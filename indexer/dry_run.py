"""The plan of a run by what files look like alone: `--dry-run`. Nothing is read, hashed or written."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from indexer.chosen_spaces import known_spaces, model_of
from indexer.doubt import Prune
from indexer.finish import is_gone, missing_for_good
from indexer.root_scan import RootScan
from indexer.roots import Target, find_targets
from indexer.scanner import changes
from indexer.walk import WalkCounts, WalkedFile, walk
from sightline.models.resolve import resolve
from store.errors import SpaceError
from store.library import DATABASE, Library
from store.paths import to_bytes, to_path
from store.tables.catalog import Catalog
from store.walk_options import WalkChoice

log = logging.getLogger(__name__)


def plan(
    folders: Sequence[Path],
    library_path: Path,
    choice: WalkChoice,
    keys: Collection[str],
    prune: Prune | None = None,
) -> Iterator[tuple[str, Path, bytes]]:
    """What would be read or is gone, for the spaces with these identities, see `planned_spaces`.

    `prune` receives the photos that it would forget, and those it would doubt.

    Yields:
        (`new`, `changed`, `back`, `unencoded`, `outdated`, `gone` or `missing`, root, path under it). A new path may
        turn out to hold a known content; unencoded ones lack a vector in a space; of outdated ones the header is read
        again; missing ones, which only a prune asks for, were gone before.

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
        # No space has -1: what a new space lacks is everything.
        known = {space.key: space.id for space in library.catalog.spaces()}
        space_ids = [known.get(key, -1) for key in keys] or [-1]
        for target in find_targets(folders, library.catalog, choice, skip):
            yield from _plan_target(library.catalog, target, space_ids, skip, prune)


def planned_spaces(path: Path, space: str | None, *, offline: bool) -> list[str]:
    """The identities of the spaces that a run would bring up to date.

    Nothing is downloaded for those of the library.

    Raises:
        SpaceError: the model `space` can't be had.
    """
    if space is not None:
        return [resolve(space, offline=offline).identity().key]
    known = known_spaces(path)
    if len(known) < 2:
        return [each.key for each in known]
    here = []
    for each in known:
        try:
            model_of(each, offline=True)
            here.append(each.key)
        except SpaceError as error:
            log.warning("without the model %s: %s", each.name, error)
    return here or [each.key for each in known]


def _plan_target(
    catalog: Catalog, target: Target, space_ids: Sequence[int], skip: Sequence[Path], prune: Prune | None
) -> Iterator[tuple[str, Path, bytes]]:
    root_id = target.known.id if target.known else -1
    scan = RootScan(target, root_id, catalog.known_failures(root_id), catalog.last_photo_id())
    for _, others in changes(catalog, scan, space_ids, WalkCounts(), skip):
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
