"""The pictures that were indexed last."""

from __future__ import annotations

import numpy as np

from store.arrays import Ids
from store.library import Library
from store.tables.catalog import PhotoRow, SpaceState


class RecentPictures:
    """The part of a searcher that needs no query.

    Attributes:
        library: the library.
    """

    library: Library

    def space(self, name: str | None = None, *, words: bool = False) -> SpaceState:
        """See `Searcher.space`."""
        raise NotImplementedError

    def recent_ids(self) -> Ids:
        """Content ids of all pictures, those indexed last first, int64 (n,)."""
        # Rows of the index lie in the order they were committed.
        ids = self.library.vectors.get(self.space().id).ids[::-1]
        ids = ids[~np.isin(ids, self.library.catalog.absent_contents())]
        # Where this space has none of them, or none any more: what others have is there all the same.
        return ids if len(ids) else self.library.catalog.matching(())[::-1]

    def recent(self, k: int) -> list[PhotoRow]:
        """The pictures indexed last, newest first."""
        ids = self.recent_ids()[:k]
        photos = self.library.catalog.photos(ids.tolist())
        return [photos[id_] for id_ in ids.tolist() if id_ in photos]
