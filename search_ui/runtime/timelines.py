"""Results in order of time, fetched in parts: all of them as numbers, what is shown in windows.

A page of a hundred thousand pictures goes past Streamlit's socket. All numbers are little-endian: "SLTL", the number of
the format, the number of pictures n, of days m, each uint32; content ids, uint32 (n,); days, uint32 (m,), such as
20230715, with 0 for what is not known of them; how many pictures each has, uint32 (m,); widths by heights in
thousandths, uint16 (n,).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Final, Literal

import numpy as np

from sightline.lru import Lru
from sightline.query.types import MAX_HITS, Picture, Query
from sightline.ranking.results import Hit
from sightline.searcher import Searcher
from store.arrays import Ids
from store.tables.catalog import PhotoRow

NAMES: Final = ("timeline",)
"""The first parts of the addresses of these routes."""

MAGIC: Final = b"SLTL"
FORMAT: Final = 1
BLOCK: Final = 120
"""So many pictures are fetched at once."""

# As many as the height of a page takes: browsers end between 17 and 33 million pixels.
MAX_PICTURES: Final = 300_000
_KEPT: Final = 16


@dataclass(frozen=True)
class Timeline:
    """What a query gives in order of time, near-duplicates one by one; looked up when first asked for.

    Attributes:
        searcher: of the library.
        query: sorted by time.
        pictures: the files that its `picture:` terms name.
        token: names it in addresses; another one where the library has changed.
    """

    searcher: Searcher
    query: Query
    pictures: Mapping[str, bytes]
    token: str

    @cached_property
    def ids(self) -> Ids:
        """Content ids in order, int64 (n,)."""
        return self.searcher.ordered(self.query, pictures=self.pictures)[:MAX_PICTURES]

    @cached_property
    def data(self) -> bytes:
        """All of it as numbers, see the head of this module.

        Raises:
            ValueError: an id does not go into 32 bits.
        """
        ids = self.ids
        if len(ids) and int(ids.max()) >= 2**32:
            raise ValueError(f"content id {int(ids.max())} is too large for a timeline; it takes ids below {2**32}")
        by: Literal["taken", "added"] = "added" if self.query.order == "added" else "taken"
        ratios, days = self.searcher.library.catalog.timeline(ids, by)
        starts = np.flatnonzero(np.diff(days, prepend=-1))
        counts = np.diff(starts, append=len(days))
        thousandths = np.clip(np.rint(ratios * 1000), 1, 65_535)
        head = MAGIC + np.array([FORMAT, len(ids), len(starts)], "<u4").tobytes()
        numbers = (ids.astype("<u4"), days[starts].astype("<u4"), counts.astype("<u4"), thousandths.astype("<u2"))
        return b"".join([head, *(each.tobytes() for each in numbers)])

    def photos(self, block: int) -> list[PhotoRow]:
        """The pictures from place `block * BLOCK` on, without those that are gone since."""
        ids = self.ids[block * BLOCK : (block + 1) * BLOCK].tolist()
        found = self.searcher.library.catalog.photos(ids, self.query.filters)
        return [found[id_] for id_ in ids if id_ in found]

    def hits_of(self, content_ids: Sequence[int]) -> dict[int, tuple[Hit, int]]:
        """How pictures were found, and their places from 1 on; without those that are none of these."""
        places = {int(self.ids[at]): int(at) for at in np.flatnonzero(np.isin(self.ids, content_ids))}
        if self.query.groups:
            found = {id_: hit for id_, hit in self._hits_at(sorted(places.values())).items() if id_ in places}
        else:
            photos = self.searcher.library.catalog.photos(list(places), self.query.filters)
            found = {id_: Hit(0.0, "strong", (), photo) for id_, photo in photos.items()}
        return {id_: (hit, places[id_] + 1) for id_, hit in found.items()}

    def _hits_at(self, places: Sequence[int]) -> dict[int, Hit]:
        """The hits at these places, in rising order from 0, and some between them: as few searches as can be."""
        found: dict[int, Hit] = {}
        at = 0
        while at < len(places):
            first, end = places[at], bisect_left(places, places[at] + MAX_HITS, at)
            limit = places[end - 1] - first + 1
            hits = self.searcher.search(self.query, pictures=self.pictures, limit=limit, offset=first).hits
            found |= {hit.photo.content_id: hit for hit in hits}
            at = end
        return found


class Timelines:
    """Timelines that pages were told the token of: the newest ones. Safe for use from several threads."""

    def __init__(self) -> None:
        self._kept: Lru[str, Timeline] = Lru(_KEPT)

    def register(self, searcher: Searcher, query: Query, pictures: Mapping[str, bytes], generation: int) -> Timeline:
        """The timeline of a query to a generation of a library: the same one each time."""
        flat = replace(query, dedup=False)
        named = {term.subject.name for term in query.terms if isinstance(term.subject, Picture)}
        space = searcher.space_for(query).key
        state = repr((id(searcher), str(flat), sorted(named), space, generation))
        token = hashlib.sha256(state.encode()).hexdigest()[:32]
        return self._kept.get_or_make(token, lambda: Timeline(searcher, flat, pictures, token))

    def get(self, token: str) -> Timeline | None:
        """The timeline of a token; None where it is not known, or not any more."""
        return self._kept.get(token)


@cache
def timelines() -> Timelines:
    """Those of this process."""
    return Timelines()
