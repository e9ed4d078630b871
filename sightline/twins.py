"""A RAW file and the pictures that its camera, or a raw converter, made of it: twins, of one shot.

They lie in one folder and have one name but for the extension, in any case: `IMG_1.CR2`, `img_1.jpg`. A photographer
keeps them together on purpose.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sightline.images.formats import RAW
from store.arrays import Ids
from store.tables.catalog import Catalog
from store.tables.filters import Ext

EXTENSIONS: Final = frozenset(extension.removeprefix(".") for extension in RAW.extensions)

Place = tuple[bytes, bytes, str]
"""Root, folder and name without its extension, casefolded."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Where a picture lies, and whether it is a RAW file."""

    places: frozenset[Place]
    is_raw: bool

    def is_twin_of(self, other: Shot) -> bool:
        """Whether one of the two is a RAW file and the other was made of it."""
        return self.is_raw != other.is_raw and not self.places.isdisjoint(other.places)


NO_SHOT: Final = Shot(frozenset(), False)


def shot(paths: Iterable[tuple[bytes, bytes]]) -> Shot:
    """The shot of a picture by the roots and paths of its files."""
    places, is_raw = set(), False
    for root, path in paths:
        folder, _, name = path.rpartition(b"/")
        stem, _, extension = os.fsdecode(name).casefold().rpartition(".")
        places.add((root, folder, stem))
        is_raw = is_raw or extension in EXTENSIONS
    return Shot(frozenset(places), is_raw)


class Twins:
    """Tells which pictures of a library are of one shot. Where it has no RAW file, that costs nothing."""

    def __init__(self, catalog: Catalog) -> None:
        """Ask whether there is any RAW file."""
        self._catalog = catalog
        self._has_raw = catalog.has_extension(EXTENSIONS)

    def raw_ids(self) -> Ids:
        """Content ids of all RAW files, sorted, int64 (n,)."""
        if not self._has_raw:
            return np.empty(0, np.int64)
        return self._catalog.matching([Ext(tuple(sorted(EXTENSIONS)))])

    def shots(self, ids: Ids) -> list[Shot] | None:
        """The shot of each content, in their order; None where no picture of the library has a twin."""
        if not self._has_raw:
            return None
        paths: dict[int, list[tuple[bytes, bytes]]] = {}
        for photo in self._catalog.photos_of(ids):
            paths.setdefault(photo.content_id, []).append((photo.root, photo.path))
        return [shot(paths[id_]) if id_ in paths else NO_SHOT for id_ in ids.tolist()]
