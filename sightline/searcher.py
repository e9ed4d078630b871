"""A search, from a query to a page of hits: for the pages, the JSON interface and the command line.

The steps, each in its module:

- resolve the space (`spaces`),
- embed the terms (`ranking.term_vectors`),
- calibrate them against the library (`ranking.calibration`),
- score the pictures that pass the filters (`ranking.scoring`),
- fuse the scores of all terms into bands and an order (`ranking.fusion`),
- read a page of hits (`ranking.page`).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from sightline.lru import Lru
from sightline.models.loaded import Encoders
from sightline.nearness import Comparisons
from sightline.query.limits import hints
from sightline.query.types import LARGEST_ID, MAX_HITS, Like, Order, Picture, Query, QueryError, Taught
from sightline.ranking.bases import Bases
from sightline.ranking.closer import LOOKED_AT, CloserLooks, CloseTiles, Report
from sightline.ranking.fusion import BELOW, MAYBE, STRONG, Ranked, fuse, fuse_rest
from sightline.ranking.handicap import Looks, looks_at_tiles
from sightline.ranking.null_queries import NullQueries
from sightline.ranking.page import match_ids, matches, note, page, why_empty
from sightline.ranking.probes import Probes
from sightline.ranking.ranked_list import RankedList
from sightline.ranking.results import Hit, Result
from sightline.ranking.same_pictures import with_same_pictures
from sightline.ranking.scoring import score_terms
from sightline.ranking.term_vectors import TermEncoder
from sightline.spaces import SpaceDirectory
from sightline.twins import Twins
from sightline.where.explain import Explainer, Explanation, only_words
from store.arrays import Ids
from store.library import Library
from store.tables.catalog import PhotoRow, SpaceState
from store.tables.filter_sql import FactOrder
from store.tables.filters import Favourite, Tag
from store.tables.tiles import Box
from store.time_limit import check, restart
from store.vectors.tiles import TiledEngine

NO_PICTURES: Final[Mapping[str, bytes]] = MappingProxyType({})
# Ranked lists that are cached, so that the next page, or a reload, need not score the library again.
MAX_CACHED: Final = 3

_FACT_ORDERS: Final[Mapping[Order, FactOrder]] = {
    "newest": "date", "oldest": "oldest", "added": "added", "name": "name",
}  # fmt: skip

# The query, its pictures' hashes, the space's key, what is looked at, and of how many closer, the state of the library.
_Key = tuple[str, tuple[bytes, ...], str, tuple[Looks, int], tuple[int, int]]


class Searcher:
    """Searches one library, as it is at each search. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders) -> None:
        self.library = library
        self.encoders = encoders
        self._spaces = SpaceDirectory(library.catalog)
        self.probes = Probes(library)
        self._term_encoder = TermEncoder(library, encoders, self.probes)
        self._null_queries = NullQueries(library, encoders)
        self._bases = Bases(library, self._null_queries)
        self._explainer = Explainer(library, encoders, self._term_encoder, self._null_queries, self._bases)
        self._closer = CloserLooks(library, encoders)
        self._comparisons = Comparisons(library)
        self._ranked_lists: Lru[_Key, RankedList] = Lru(MAX_CACHED)

    def search(
        self, query: Query, *, pictures: Mapping[str, bytes] = NO_PICTURES, limit: int = 60, offset: int = 0,
        looks: Looks = "tiles",
    ) -> Result:  # fmt: skip
        """The pictures that suit the query best.

        The same query to the same generation gives the same hits in the same order, whatever the pages.

        Args:
            query: what to look for; see `sightline.query.parser`.
            pictures: the files that its `picture:` terms name.
            limit: how many hits at most, 1 to 500.
            offset: how many of the best to leave out.
            looks: at what of each picture, see `Looks`; `closer` at what `look_closer` made.

        Raises:
            QueryError: the query asks for nothing, for a picture or space that is not there, or for too many hits.
            SpaceError: the space knows no words, or its model can't be loaded.
        """
        if not 1 <= limit <= MAX_HITS:
            raise QueryError(f"A search gives 1 to {MAX_HITS} pictures at once; {limit} were asked for.")
        if offset < 0:
            raise QueryError(f"The offset is {offset}; it must be 0 or more.")
        space = self.space_for(query)
        # Before the clock starts, all of it: a search is not slow because it was the first.
        if query.groups:
            self._warm_up_for(query, space, pictures)
        started = time.perf_counter()
        found = self._ranked_list(query, space, pictures, looks)
        hits, more = page(self.library.catalog, query, found, offset, limit)
        return Result(
            hits=hits,
            total=found.total,
            strong=found.ranked.count(STRONG),
            maybe=found.ranked.count(MAYBE),
            offset=offset,
            more=more,
            space=space.name,
            generation=found.generation,
            seconds=time.perf_counter() - started,
            why_empty=why_empty(query, space, found.ranked),
            note=note(self.note(query), found),
            hints=hints(query),
            at_least=found.is_cut,
        )

    def look_closer(
        self, query: Query, *, pictures: Mapping[str, bytes] = NO_PICTURES,
        report: Report = lambda done, total: None, is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Make the tiles of the first hits, for a search that looks `closer`, where the library has none.

        It may be stopped: the search then looks at what was made, and the next call goes on from there.

        Raises:
            QueryError, SpaceError: see `search`.
            TimeLimitError, BusyError, WorkerError: see `CloserLooks.look`.
        """
        space = self.space_for(query)
        if looks_at_tiles(query) and self.library.tiles.get(space.id) is None:
            self._closer.look(space, self._first(query, space, pictures), report, is_stopped)

    def _first(self, query: Query, space: SpaceState, pictures: Mapping[str, bytes]) -> list[int]:
        """Content ids of the hits that are looked at closer."""
        found = self._ranked_list(query, space, pictures, "whole")
        places, _ = found.places(0, LOOKED_AT)
        return [int(id_) for id_ in found.ranked.ids[found.rows([place.shown for place in places])]]

    def matches(
        self, query: Query, *, pictures: Mapping[str, bytes] = NO_PICTURES, looks: Looks = "tiles"
    ) -> Iterator[Hit]:
        """Every hit above or near the threshold, in order; with filters alone, every picture that passes.

        The library is read as of the first hit, without what an indexer adds meanwhile, or removes. A `closer` look is
        one at what `look_closer` made.

        Raises:
            QueryError, SpaceError: see `search`; at the first hit that is asked for.
        """
        found = self._ranked_list(query, self.space_for(query), pictures, looks)
        yield from matches(self.library.catalog, query, found)

    def match_ids(
        self, query: Query, *, pictures: Mapping[str, bytes] = NO_PICTURES, rest: bool = False
    ) -> Ids:  # fmt: skip
        """Content ids of all hits above or near the threshold, in order, int64 (n,); with `rest`, of all.

        Raises:
            QueryError, SpaceError: see `search`.
        """
        return match_ids(self._ranked_list(query, self.space_for(query), pictures), rest=rest)

    def ordered(self, query: Query, *, pictures: Mapping[str, bytes] = NO_PICTURES) -> Ids:
        """Content ids of all matches, sure and possible, in the order of facts asked for, int64 (n,).

        Near-duplicates are there one by one. With filters alone, every picture that passes.

        Raises:
            QueryError, SpaceError: see `search`.
        """
        return self._ranked_list(query, self.space_for(query), pictures).above

    def explain(self, content_id: int, query: Query, tile: Box | None = None) -> Explanation:
        """Where in a picture the words of a query are; see `Explainer.explain`.

        Args:
            content_id: of the picture.
            query: of words; all else of it counts for nothing.
            tile: the part of the picture to look at; None: the tile of the library that they are found in,
                or the whole.

        Raises:
            QueryError: the query has no words, there is no such picture, or it can't be read.
            SpaceError: the space knows no words, its model can't be loaded, or can't tell where.
        """
        space, asked = self._spaces.find(query.space, words=True), only_words(query)
        if not 0 < content_id <= LARGEST_ID or self.library.catalog.hash_of(content_id) is None:
            raise QueryError(f"There is no picture {content_id} in this library.")
        self._warm_up_for(asked, space, NO_PICTURES)
        return self._explainer.explain(content_id, asked, space, tile)

    def space(self, name: str | None = None, *, words: bool = False) -> SpaceState:
        """The space of this name, or the one that searches use, or with `words` those that encode words.

        Raises:
            QueryError: the library has no such space, or nothing was indexed yet.
        """
        return self._spaces.find(name, words=words)

    def space_for(self, query: Query) -> SpaceState:
        """The space that a query is searched in; errors as for `space`."""
        return self._spaces.find_for(query)

    def note(self, query: Query) -> str | None:
        """What to say of the space that a query is searched in, in a sentence; None where it is the usual one."""
        return self._spaces.note(query)

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

    # -- the steps ----------------------------------------------------------------------------------------------

    def _ranked_list(
        self, query: Query, space: SpaceState, pictures: Mapping[str, bytes], looks: Looks = "tiles"
    ) -> RankedList:
        if query.is_empty:
            raise QueryError("There is nothing to search for: give some words, a picture, a filter or an order.")
        state = self.library.catalog.state()
        hashes = tuple(
            hashlib.sha256(pictures[term.subject.name]).digest()
            for term in query.terms
            if isinstance(term.subject, Picture) and term.subject.name in pictures
        )
        # Of another state none is asked for again, and each may hold vectors that were since replaced.
        self._ranked_lists.drop(lambda key: key[-1] != state)
        seen = self._closer.known(space, self._first(query, space, pictures)) if looks == "closer" else {}
        key = (str(query), hashes, space.key, (looks, len(seen)), state)

        def rank() -> RankedList:
            return self._rank(query, space, pictures, looks, CloseTiles(space, seen) if seen else None, state)

        return self._ranked_lists.get_or_make(key, rank)

    def _rank(
        self, query: Query, space: SpaceState, pictures: Mapping[str, bytes], looks: Looks, close: CloseTiles | None,
        state: tuple[int, int],
    ) -> RankedList:  # fmt: skip
        generation, marks = state
        by_score = query.order == "best"

        embedded = self._term_encoder.encode(query, space, pictures)
        vectors = np.stack([each.vector for each in embedded]) if embedded else np.empty((0, space.dim), np.float32)

        check()
        terms = self._bases.calibrated(query, space, embedded, generation)
        engine = self._bases.engine(query, space, embedded, terms, generation, looks, close)

        check()
        scored = score_terms(self.library, engine, query, terms, vectors, by_score=by_score)

        check()
        near, facts = self._comparisons.nearness(space.id, generation), self._comparisons.facts(generation)
        # Versions of a picture are told by whole pictures.
        cosines = scored.cosines
        if isinstance(engine, TiledEngine):
            _, cosines = engine.whole.scores(vectors, only=scored.ids)
        terms = with_same_pictures(terms, embedded, scored.ids, cosines, near, facts)

        check()
        ranked = fuse(query, terms, scored.ids, scored.cosines)

        if any(isinstance(each, Tag | Favourite) for each in query.filters):
            generation += marks  # neither ever falls, so the sum is another one whenever either is
        return RankedList(
            generation, terms, vectors, engine, ranked,
            order=None if by_score or not len(scored.ids) else self._order_by_facts(query, ranked),
            near=near if query.dedup else None,
            facts=facts,
            shots=Twins(self.library.catalog).shots,
            total=scored.total,
            rest=None if scored.rest is None else partial(fuse_rest, query, terms, scored.rest),
            is_cut=scored.is_cut,
        )  # fmt: skip

    def _order_by_facts(self, query: Query, ranked: Ranked) -> Ids:
        """Content ids above the threshold or near it, as the query's facts order them."""
        return self.library.catalog.ordered(ranked.ids[ranked.bands > BELOW], _FACT_ORDERS[query.order], query.filters)

    # -- warming up ---------------------------------------------------------------------------------------------

    def needs_model(self, query: Query, pictures: Mapping[str, bytes] = NO_PICTURES) -> bool:
        """Whether this query has to wait for a model that is not loaded yet."""
        space = self.space_for(query)
        if self.encoders.ready(space):
            return False
        if space.has_text and query.has_words and self._null_queries.need_model(space):
            return True
        return self._term_encoder.needs_model(query, space, pictures)

    def warm_up(self, space: SpaceState, *, words: bool = True, pictures: bool = True) -> None:
        """Compile the kernels and calibrate a space for words or pictures: no search then waits.

        Raises:
            SpaceError: the model can't be loaded.
        """
        self._bases.warm_up(space, words=words, pictures=pictures)

    def _warm_up_for(self, query: Query, space: SpaceState, pictures: Mapping[str, bytes]) -> None:
        if self.needs_model(query, pictures):
            # The compiler works beside the imports that a model needs: it lets go of Python's lock.
            threading.Thread(target=self.library.vectors.get(space.id).warm, daemon=True).start()
            self.encoders.get(space)
            restart()  # loading a model is no fault of the query, and can't be interrupted
        for term in query.terms:
            if isinstance(term.subject, Taught):
                self.probes.get(term.subject.name, space)
                restart()  # nor is learning a concept
        by_pictures = any(isinstance(term.subject, Like | Picture) for term in query.terms)
        self.warm_up(space, words=query.has_words, pictures=by_pictures)
