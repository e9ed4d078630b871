"""Reads hits from a ranked list: a page of them with their photos, parts and near-duplicates."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from sightline.query.types import Query
from sightline.ranking.fusion import BANDS, MAYBE, SLOPE, STRONG, Ranked
from sightline.ranking.near_duplicates import Fold
from sightline.ranking.ranked_list import RankedList
from sightline.ranking.results import Hit, Part
from store.arrays import Ids
from store.tables.catalog import Catalog, SpaceState

_CHUNK: Final = 2_048


def page(catalog: Catalog, query: Query, found: RankedList, offset: int, limit: int) -> tuple[list[Hit], bool]:
    """Up to `limit` hits after the first `offset`, and whether there are more after them."""
    places, more = found.places(offset, offset + limit)
    return list(_hits(catalog, query, found, places)), more


def matches(catalog: Catalog, query: Query, found: RankedList) -> Iterator[Hit]:
    """All hits above or near the relevance threshold, in order; all pictures where the query has no terms."""
    above = found.ranked.count(STRONG) + found.ranked.count(MAYBE)
    first, more = 0, above > 0
    while more:
        places, more = found.places(first, first + _CHUNK)
        first += len(places)
        yield from _hits(catalog, query, found, [place for place in places if place.rank < above])
        more = more and places[-1].rank < above


def match_ids(found: RankedList, *, rest: bool = False) -> Ids:
    """Content ids of hits above or near the threshold, in order, int64 (n,); with `rest`, of all."""
    above = found.ranked.count(STRONG) + found.ranked.count(MAYBE)
    last = found.total if rest else above
    places, _ = found.places(0, last)
    rows = found.rows([place.shown for place in places if rest or place.rank < above])
    return found.ranked.ids[rows]


def note(of_space: str | None, found: RankedList) -> str | None:
    """What to say of a result: of its space, and of counts that are too low, in sentences."""
    counted = "More pictures match than were counted: of each term, only the nearest were." if found.is_cut else None
    return " ".join(filter(None, (of_space, counted))) or None


def why_empty(query: Query, space: SpaceState, ranked: Ranked) -> str | None:
    """Why nothing passes the filters or matches, in a sentence; None where something does."""
    if not space.count:
        command = f"python -m indexer FOLDER --space {shlex.quote(space.model)}"
        return f"No picture was encoded with the model {space.name!r} yet. Index a folder: {command}"
    if not len(ranked.ids):
        if query.filters:
            return "No pictures match these filters."
        return "No picture can be found: all that were indexed are missing from their folders."
    if not ranked.count(STRONG) and not ranked.count(MAYBE):
        return "No clear match."
    return None


def _hits(catalog: Catalog, query: Query, found: RankedList, places: Sequence[Fold]) -> Iterator[Hit]:
    rows, firsts = found.rows([place.shown for place in places]), found.rows([place.rank for place in places])
    ranked = found.ranked  # which asking for rows may have made longer
    ids = ranked.ids[rows]
    photos = catalog.photos(ids.tolist(), query.filters)
    # By the same sums as the ranking's, which are the same to the bit whatever rows they are taken over.
    _, cosines = found.engine.scores(found.vectors, only=ids)
    boxes = found.boxes(ids)
    for term, own in zip(found.terms, cosines, strict=True):
        term.clamp_self_similarity(ids, own)
    for column, (row, first, place) in enumerate(zip(rows.tolist(), firsts.tolist(), places, strict=True)):
        photo = photos.get(int(ids[column]))
        if photo is None:  # gone since the ranking was made: an indexer is at work
            continue
        parts = tuple(
            term.part(int(ids[column]), cosines[at, column], boxes[at][column] if boxes else None)
            for at, term in enumerate(found.terms)
        )
        folded = tuple(ranked.ids[found.rows(place.others)].tolist()) if place.folded else ()
        yield Hit(_score(parts, float(ranked.scores[row])), BANDS[ranked.bands[first]], parts, photo, folded)


def _score(parts: Sequence[Part], fused: float) -> float:
    if not parts:
        return 0.0
    if len(parts) > 1:
        return math.exp(min(0.0, fused))
    # Of one term the ranking has the cosine. Not being like something has no cosine worth showing.
    return 1 / (1 + math.exp(min(700.0, SLOPE * parts[0].score))) if parts[0].excluded else parts[0].cosine
