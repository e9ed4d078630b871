"""A query to hits: filter, score, fuse, cut, fold. The page, the JSON interface and the command line all use this."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from sightline.models.loaded import Encoders
from sightline.query.types import MAX_HITS, Picture, Query, QueryError, Words
from sightline.ranking.calibration import Calibration
from sightline.ranking.fusion import BANDS, BELOW, MAYBE, SLOPE, STRONG, Ranked, counting
from sightline.ranking.near_duplicates import Fold
from sightline.ranking.ranked_list import Measured, Ranking, ranked_by
from sightline.ranking.results import Found, Part, Result
from sightline.ranking.term_vectors import Terms
from store.library import Library
from store.search import score
from store.tables.catalog import PhotoRow, SpaceState
from store.tables.filters import Favourite, Tag
from store.vectors import four_bit_codes, one_bit_codes
from store.vectors.exact import prepare
from store.vectors.index import Floats, Ids
from store.vectors.shortlist import Goal

NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})
# Rankings kept, so that the next page, or a reload, need not score the library again.
KEPT: Final = 3
_CHUNK: Final = 2_048

# The query, its pictures' hashes, the space's key, the state of the library.
_Key = tuple[str, tuple[bytes, ...], str, tuple[int, int]]


class Searcher:
    """Searches one library, as it is at each search. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders) -> None:
        self.library = library
        self.encoders = encoders
        self._terms = Terms(library, encoders)
        self._lock = threading.Lock()
        self._known_spaces: tuple[int, SpaceState | None, list[SpaceState]] = (-1, None, [])
        self._calibrations: dict[int, tuple[int, tuple[object, ...], Calibration]] = {}
        self._rankings: OrderedDict[_Key, Ranking] = OrderedDict()

    def space(self, name: str | None = None) -> SpaceState:
        """The space of this name, or the one that searches use.

        Raises:
            QueryError: the library has no such space, or nothing was indexed yet.
        """
        default, spaces = self._spaces()
        if name is None:
            if default is None:
                raise QueryError("The library holds no pictures yet. Index a folder first: python -m indexer ./photos")
            return default
        # The newest where a model changed under its name: that is the one which still can encode words.
        found = [space for space in spaces if space.name.casefold() == name.casefold()]
        if not found:
            known = ", ".join(dict.fromkeys(space.name for space in spaces)) or "none yet"
            raise QueryError(f"The library has no space {name!r}; it has {known}.")
        return found[-1]

    def _spaces(self) -> tuple[SpaceState | None, list[SpaceState]]:
        """The space that searches use, and all of them: asking counts every vector, so once for a generation."""
        catalog = self.library.catalog
        generation = catalog.generation()
        with self._lock:
            known, default, spaces = self._known_spaces
        if known != generation or default is None:
            spaces, chosen = catalog.spaces(), catalog.default_space_id()
            default = next((space for space in spaces if space.id == chosen), None)
            with self._lock:
                self._known_spaces = (generation, default, spaces)
        return default, spaces

    def needs_model(self, query: Query, pictures: Mapping[str, bytes] = NOTHING) -> bool:
        """Whether this query has to wait for a model that is not loaded yet."""
        space = self.space(query.space)
        if self.encoders.ready(space):
            return False
        return any(self._terms.needs_model(term.subject, space, pictures, query.template) for term in query.terms)

    def search(
        self, query: Query, *, pictures: Mapping[str, bytes] = NOTHING, limit: int = 60, offset: int = 0
    ) -> Result:
        """The pictures that suit the query best.

        The same query to the same generation gives the same hits in the same order, whatever the pages.

        Args:
            query: what to look for; see `sightline.query.parser`.
            pictures: the files that its `picture:` terms name.
            limit: how many hits at most, 1 to 500.
            offset: how many of the best to leave out.

        Raises:
            QueryError: the query asks for nothing, for a picture or space that is not there, or for too many hits.
            SpaceError: the space knows no words, or its model can't be loaded.
        """
        if not 1 <= limit <= MAX_HITS:
            raise QueryError(f"A search gives 1 to {MAX_HITS} pictures at once; {limit} were asked for.")
        if offset < 0:
            raise QueryError(f"The offset is {offset}; it must be 0 or more.")
        space = self.space(query.space)
        # Before the clock starts, all of it: a search is not slow because it was the first.
        if query.groups:
            self._get_ready(space, query, pictures)
        started = time.perf_counter()
        ranking = self._ranking(query, space, pictures)
        places, more = ranking.places(offset, offset + limit)
        hits = list(self._found(places, ranking, query))
        ranked = ranking.ranked
        return Result(
            hits=hits,
            total=ranking.total,
            strong=ranked.count(STRONG),
            maybe=ranked.count(MAYBE),
            offset=offset,
            more=more,
            space=space.name,
            generation=ranking.generation,
            seconds=time.perf_counter() - started,
            why_empty=_why_empty(query, space, ranked),
        )

    def everything(self, query: Query, *, pictures: Mapping[str, bytes] = NOTHING) -> Iterator[Found]:
        """Every hit above the relevance line or near it, in order; every picture that passes where only filters are.

        The library as it was at the first: what an indexer adds meanwhile is not in it, and what it takes away is left
        out.

        Raises:
            QueryError, SpaceError: see `search`; at the first hit that is asked for.
        """
        ranking = self._ranking(query, self.space(query.space), pictures)
        above = ranking.ranked.count(STRONG) + ranking.ranked.count(MAYBE)
        first, more = 0, above > 0
        while more:
            places, more = ranking.places(first, first + _CHUNK)
            first += len(places)
            yield from self._found([place for place in places if place.rank < above], ranking, query)
            more = more and places[-1].rank < above

    def _get_ready(self, space: SpaceState, query: Query, pictures: Mapping[str, bytes]) -> None:
        if self.needs_model(query, pictures):
            # The compiler works beside the imports that a model needs: it lets go of Python's lock.
            threading.Thread(target=prepare, daemon=True).start()
            self.encoders.get(space)
        self.calibrate(space, words=any(isinstance(term.subject, Words) for term in query.terms))

    def calibrate(self, space: SpaceState, *, words: bool = True) -> None:
        """Measure the library in a space, for words too or for pictures alone, so that a search need not wait for it.

        Raises:
            SpaceError: the model can't be loaded.
        """
        prepare()
        if self.library.vectors.get(space.id).tier != "exact":
            one_bit_codes.prepare()
            four_bit_codes.prepare()
        calibration = self._calibration(space, self.library.catalog.generation())
        if words and space.has_text:
            calibration.texts(self._terms.nulls(space))

    def recent(self, k: int) -> list[PhotoRow]:
        """The pictures indexed last, newest first."""
        space = self.space()
        # Rows of the index lie in the order they were committed.
        ids = self.library.vectors.get(space.id).ids[::-1]
        ids = ids[~np.isin(ids, self.library.catalog.absent_contents())][:k]
        photos = self.library.catalog.photos(ids.tolist())
        return [photos[id_] for id_ in ids.tolist() if id_ in photos]

    # -- ranking ------------------------------------------------------------------------------------------------

    def _ranking(self, query: Query, space: SpaceState, pictures: Mapping[str, bytes]) -> Ranking:
        if query.is_empty:
            raise QueryError("There is nothing to search for: give some words, a picture, or a filter.")
        state = self.library.catalog.state()
        given = tuple(
            hashlib.sha256(pictures[term.subject.name]).digest()
            for term in query.terms
            if isinstance(term.subject, Picture) and term.subject.name in pictures
        )
        key = (str(query), given, space.key, state)
        with self._lock:
            if key in self._rankings:
                self._rankings.move_to_end(key)
                return self._rankings[key]
        ranking = self._ranked(query, space, pictures, state)
        with self._lock:
            # Of another state none is asked for again, and each may hold vectors that were since replaced.
            for old in [old for old in self._rankings if old[-1] != state]:
                del self._rankings[old]
            self._rankings[key] = ranking
            while len(self._rankings) > KEPT:
                self._rankings.popitem(last=False)
        return ranking

    def _ranked(
        self, query: Query, space: SpaceState, pictures: Mapping[str, bytes], state: tuple[int, int]
    ) -> Ranking:
        generation, marks = state
        calibration = self._calibration(space, generation)
        index = self.library.vectors.get(space.id)
        measured = []
        for group in query.groups:
            for term in group.any_of:
                aim = self._terms.aim(term.subject, space, pictures, query.template)
                words = isinstance(term.subject, Words)
                level = calibration.texts(self._terms.nulls(space)) if words else calibration.pictures
                measured.append(Measured(term, group.excluded, aim, calibration.scale(aim.vector, level)))
        queries = np.stack([m.aim.vector for m in measured]) if measured else np.empty((0, space.dim), np.float32)
        by_score = _sort(query) == "score"
        towards, groups = _aims(query, measured) if by_score else ([], [])
        scored = score(self.library, index, queries, query.filters, towards=towards, groups=groups)
        ranked = ranked_by(query, measured, scored.ids, scored.cosines)
        if any(isinstance(each, Tag | Favourite) for each in query.filters):
            generation += marks  # neither ever falls, so the sum is another one whenever either is
        return Ranking(
            generation, measured, queries, index, ranked,
            order=None if by_score or not len(scored.ids) else self._order(query, ranked),
            duplicates=calibration.duplicates if query.dedup else None,
            total=scored.total,
            rest=None if scored.rest is None else partial(_rest, query, measured, scored.rest),
        )  # fmt: skip

    def _calibration(self, space: SpaceState, generation: int) -> Calibration:
        with self._lock:
            known, basis, calibration = self._calibrations.get(space.id, (-1, (), None))
        if calibration is not None and known == generation:
            return calibration
        absent, index = self.library.catalog.absent_contents(), self.library.vectors.get(space.id)
        # What it is made from: commits of an indexer to another space change none of it.
        now = (index.epoch, index.last_id, len(index), absent.tobytes())
        if calibration is None or basis != now:
            calibration = Calibration.of(index, absent)
        with self._lock:
            self._calibrations[space.id] = (generation, now, calibration)
        return calibration

    def _order(self, query: Query, ranked: Ranked) -> Ids:
        """Content ids above the line as the query's facts order them."""
        by: Literal["date", "name"] = "name" if _sort(query) == "name" else "date"
        return self.library.catalog.ordered(ranked.ids[ranked.bands > BELOW], by, query.filters)

    # -- hits ---------------------------------------------------------------------------------------------------

    def _found(self, places: Sequence[Fold], ranking: Ranking, query: Query) -> Iterator[Found]:
        rows = ranking.rows([place.rank for place in places])
        ranked = ranking.ranked  # which asking for rows may have made longer
        shown = ranked.ids[rows]
        photos = self.library.catalog.photos(shown.tolist(), query.filters)
        # By the same sums as the ranking's, which are the same to the bit whatever rows they are taken over.
        _, cosines = ranking.index.scores(ranking.queries, only=shown)
        for m, own in zip(ranking.measured, cosines, strict=True):
            m.put_right(shown, own)
        for number, (row, place) in enumerate(zip(rows.tolist(), places, strict=True)):
            photo = photos.get(int(shown[number]))
            if photo is None:  # gone since the ranking was made: an indexer is at work
                continue
            parts = tuple(m.part(cosines[at, number]) for at, m in enumerate(ranking.measured))
            folded = tuple(ranked.ids[ranking.rows(place.folded)].tolist()) if place.folded else ()
            yield Found(_score(parts, float(ranked.scores[row])), BANDS[ranked.bands[row]], parts, photo, folded)


def _sort(query: Query) -> str:
    return query.sort or ("score" if query.groups else "date")


def _aims(query: Query, measured: Sequence[Measured]) -> tuple[list[int], list[list[Goal]]]:
    """What hits are near to: rows of the terms, and what they have to reach, as `shortlist.likely` wants both."""
    towards: list[int] = []
    groups: list[list[Goal]] = []
    row = 0
    for group, counts in zip(query.groups, counting(query.groups) if query.groups else [], strict=True):
        rows = range(row, row + len(group.any_of))
        row += len(rows)
        if group.excluded:
            continue
        if counts:
            scales = [measured[each].scale for each in rows]
            groups.append([Goal(len(towards) + at, own.line, own.maybe) for at, own in enumerate(scales)])
        towards += rows
    return towards, groups


def _rest(query: Query, measured: Sequence[Measured], scores: Callable[[], tuple[Ids, Floats]]) -> Ranked:
    """The pictures that are not likely. Below the line, all of them: so they were counted."""
    ranked = ranked_by(query, measured, *scores())
    ranked.bands[:] = BELOW
    return ranked


def _score(parts: Sequence[Part], fused: float) -> float:
    if not parts:
        return 0.0
    if len(parts) > 1:
        return math.exp(min(0.0, fused))
    # Of one term the ranking has the cosine. Not being like something has no cosine worth showing.
    return 1 / (1 + math.exp(min(700.0, SLOPE * parts[0].score))) if parts[0].excluded else parts[0].cosine


def _why_empty(query: Query, space: SpaceState, ranked: Ranked) -> str | None:
    if not space.count:
        command = f"python -m indexer FOLDER --space {space.model}"
        return f"No picture was encoded in space {space.name!r} yet. Index a folder: {command}"
    if not len(ranked.ids):
        if query.filters:
            return "No pictures match these filters."
        return "No picture can be found: all that were indexed are missing from their folders."
    if not ranked.count(STRONG) and not ranked.count(MAYBE):
        return "No clear match."
    return None
