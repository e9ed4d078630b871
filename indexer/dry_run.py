"""The plan of a run by what files look like alone: `--dry-run`. Nothing is read, hashed or written."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer.chosen_spaces import held_or_default, why_away
from indexer.doubt import Prune, held
from indexer.finish import missing_for_good
from indexer.places import is_gone
from indexer.root_scan import RootScan
from indexer.roots import Target, find_targets
from indexer.scanner import changes
from indexer.walk import WalkCounts, WalkedFile
from indexer.walking import walk
from sightline.models.space_models import model_for, model_of
from store.errors import SpaceError
from store.library import Library
from store.remote import has_library
from store.tables.catalog import Catalog
from store.walk_options import WalkChoice

log = logging.getLogger(__name__)


def plan(
    folders: Sequence[Path],
    library_path: Path,
    choice: WalkChoice,
    space_ids: Sequence[int],
    prune: Prune | None = None,
    *,
    yes: bool = False,
) -> Iterator[tuple[str, Path, bytes]]:
    """What would be read or is gone, for these spaces, see `planned_spaces`.

    `prune` receives the photos that it would forget, and those it would doubt. `yes` as for `find_targets`.

    Yields:
        (`new`, `changed`, `back`, `unencoded`, `outdated`, `gone` or `missing`, root, path under it). A new path may
        turn out to hold a known content; unencoded ones lack a vector in a space; of outdated ones the header is read
        again; missing ones, which only a prune asks for, were gone before.

    Raises:
        FolderError, RootUnavailableError: as the run itself would.
    """
    skip = [library_path]
    if not has_library(library_path):
        for target in find_targets(folders, None, choice, skip):
            for item in walk(target.root, target.options, WalkCounts(), skip, target.start):
                if isinstance(item, WalkedFile):
                    yield "new", target.root, item.path
        return
    with Library.open(library_path) as library:
        skip = library.own_places
        for target in find_targets(folders, library.catalog, choice, skip, yes=yes):
            yield from _plan_target(library.catalog, target, space_ids, skip, prune)


def planned_spaces(path: Path, space: str | None, *, offline: bool) -> list[int]:
    """The ids of the spaces that a run would bring up to date; -1, which no space has, for a new one.

    Nothing is downloaded for those of the library.

    Raises:
        SpaceError: the model `space` can't be had.
    """
    if not has_library(path):
        if space is not None:
            model_for(space, (), offline=offline)
        return [-1]
    with Library.open(path) as library:
        catalog = library.catalog
        if space is not None:
            found = catalog.find_space(model_for(space, catalog.spaces(), offline=offline).identity())
            return [-1 if found is None else found]
        known = held_or_default(catalog.spaces(), catalog.default_space_id())
    here = []
    for each in known if len(known) > 1 else ():
        try:
            model_of(each, offline=True)
            here.append(each.id)
        except SpaceError as error:
            log.warning("without the model %s: %s", each.name, why_away(error))
    return here or [each.id for each in known] or [-1]


def _plan_target(
    catalog: Catalog, target: Target, space_ids: Sequence[int], skip: Sequence[Path], prune: Prune | None
) -> Iterator[tuple[str, Path, bytes]]:
    root_id = target.known.id if target.known else -1
    scan = RootScan(target, root_id, catalog.known_failures(root_id), catalog.last_photo_id())
    arrived: set[tuple[int, int]] = set()
    for _, others in changes(catalog, scan, space_ids, WalkCounts(), skip):
        for change, file, _ in others:
            if change == "new" and prune is not None and file.inode is not None:
                arrived.add((file.inode, file.size))
            if change != "failed":
                yield change, target.root, file.path
    gone = [(photo_id, path) for photo_id, path in catalog.present_photos(root_id) if scan.lacks(photo_id, path)]
    for _, path in gone:
        yield "gone", target.root, path
    if prune is not None:
        missing = list(missing_for_good(catalog, scan))
        for _, path in missing:
            yield "missing", target.root, path
        lost = [(photo_id, path) for photo_id, path in gone if is_gone(target.root, path)] + missing
        # Nothing is read: a file that has the inode and size of one that is gone was renamed.
        places = catalog.places_of([photo_id for photo_id, _ in lost])
        renamed = {photo_id for photo_id, place in places.items() if place in arrived}
        paths = [path for photo_id, path in lost if photo_id in renamed]
        lost = [each for each in lost if each[0] not in renamed]
        prune.take(catalog, scan, lost, held(catalog, scan), paths)
