"""What the terms of a search are calibrated by, and the vectors that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.query.types import Query
from sightline.ranking.calibrated_terms import CalibratedTerm, calibrate_terms
from sightline.ranking.calibration import Calibration
from sightline.ranking.calibration_cache import CalibrationCache
from sightline.ranking.closer import CloseTiles
from sightline.ranking.handicap import Basis, Looks, handicaps
from sightline.ranking.null_queries import NullQueries
from sightline.ranking.term_vectors import TermVector
from store.library import Library
from store.tables.catalog import SpaceState
from store.vectors.engine import VectorEngine
from store.vectors.tiles import TiledEngine, TileEngine


class Bases:
    """Calibrates searches in one library, and has them look at tiles. Safe for use from several threads."""

    def __init__(self, library: Library, null_queries: NullQueries) -> None:
        self._library = library
        self._null_queries = null_queries
        self._calibrations = CalibrationCache(library)

    def calibrated(
        self, query: Query, space: SpaceState, embedded: Sequence[TermVector], generation: int
    ) -> list[CalibratedTerm]:
        """The terms of a query, calibrated by whole pictures."""
        basis = self._of(query, space, self._calibrations.get(space, generation))
        return calibrate_terms(query, embedded, basis.calibration, basis.text_nulls)

    def engine(
        self, query: Query, space: SpaceState, embedded: Sequence[TermVector], terms: Sequence[CalibratedTerm],
        generation: int, looks: Looks = "tiles", close: CloseTiles | None = None,
    ) -> VectorEngine:  # fmt: skip
        """The vectors of a space for one search.

        Args:
            query: the query.
            space: whose vectors.
            embedded: those of the query's terms.
            terms: these, see `calibrated`.
            generation: of the library.
            looks: at what.
            close: tiles that a closer look made.
        """
        whole = self._library.vectors.get(space.id)
        tiles = None if looks == "whole" else self._library.tiles.get(space.id)
        if tiles is not None:
            calibrations = (self._calibrations.get(space, generation), self._calibrations.get(space, generation, tiles))
        elif close is not None:
            tiles, calibrations = close.engine, close.calibrations(whole)
        else:
            return whole
        without, best = (self._of(query, space, each) for each in calibrations)
        return TiledEngine(whole, tiles, handicaps(query, embedded, terms, without, best))

    def _of(self, query: Query, space: SpaceState, calibration: Calibration) -> Basis:
        return Basis(
            calibration, calibration.text_nulls(self._null_queries.vectors(space)) if query.has_words else None
        )

    def warm_up(self, space: SpaceState, *, words: bool, pictures: bool) -> None:
        """Compile the kernels and calibrate a space for words or pictures: no search then waits.

        Raises:
            SpaceError: the model can't be loaded.
        """
        self._library.vectors.get(space.id).warm()
        generation, tiles = self._library.catalog.generation(), self._library.tiles.get(space.id)
        looked_at: list[TileEngine | None] = [None]
        if tiles is not None:
            tiles.warm()
            looked_at.append(tiles)
        for each in looked_at:
            calibration = self._calibrations.get(space, generation, each)
            if words and space.has_text:
                calibration.text_nulls(self._null_queries.vectors(space))
            if pictures:
                _ = calibration.picture_nulls
