"""The folders that groups of duplicates lie in, and the groups of one folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from sightline.duplicates.groups import Groups
from store.errors import SightlineError
from store.library import Library
from store.tables.filters import Folder
from store.tables.patterns import literal

# So many folders are told, those with the most pictures first.
_MOST: Final = 500


def folders_of(library: Library, groups: Groups) -> list[str]:
    """Return the folders that hold pictures of groups, sorted, from the root's name down: `photos/trips`."""
    return sorted(name for name, _ in library.catalog.facets(groups.ids, _MOST)["folders"] if name.strip("/ "))


def in_folder(library: Library, groups: Groups, folder: str) -> Groups:
    """Return the groups with at least one picture in a folder, at any depth, whole and in their order.

    Raises:
        SightlineError: no folder can have this name.
    """
    if not len(groups) or not folder.strip("/ "):
        return groups
    try:
        wanted = Folder((literal(folder),))
    except ValueError as error:
        raise SightlineError(str(error)) from error
    held = np.isin(groups.ids, library.catalog.matching([wanted]), kind="table")
    numbers = np.flatnonzero(np.add.reduceat(held.astype(np.int64), groups.starts[:-1]))
    kept = [groups[number] for number in numbers.tolist()]
    ids = np.concatenate([np.empty(0, np.int64), *kept])
    starts = np.cumsum([0, *(len(each) for each in kept)])
    return replace(groups, ids=ids, starts=starts, photos=groups.photos[numbers], freeable=groups.freeable[numbers])
