"""What the terms of queries to one library are calibrated by: samples of it, and null queries."""

from __future__ import annotations

from sightline.models.loaded import Encoders
from sightline.query.types import Query
from sightline.ranking.calibration import Calibration
from sightline.ranking.calibration_cache import CalibrationCache
from sightline.ranking.handicap import Basis
from sightline.ranking.null_queries import NullQueries
from store.library import Library
from store.tables.catalog import SpaceState
from store.vectors.tiles import TileEngine


class Bases:
    """Makes the basis of a query, and keeps what it takes. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders) -> None:
        self._library = library
        self.null_queries = NullQueries(library, encoders)
        self._calibrations = CalibrationCache(library)

    def get(self, query: Query, space: SpaceState, generation: int, tiles: TileEngine | None = None) -> Basis:
        """What the terms of a query are calibrated by, with `tiles` where they look at these."""
        return self.of(query, space, self._calibrations.get(space, generation, tiles))

    def of(self, query: Query, space: SpaceState, calibration: Calibration) -> Basis:
        """The basis of a query upon a sample of the library."""
        nulls = calibration.text_nulls(self.null_queries.vectors(space)) if query.has_words else None
        return Basis(calibration, nulls)

    def warm_up(self, space: SpaceState, *, words: bool, pictures: bool) -> None:
        """Calibrate a space for words or pictures, and for tiles where it has some.

        Raises:
            SpaceError: null queries have to be encoded, and the model can't be loaded.
        """
        generation, tiles = self._library.catalog.generation(), self._library.tiles.get(space.id)
        if tiles is not None:
            tiles.warm()
        for each in (None,) if tiles is None else (None, tiles):
            calibration = self._calibrations.get(space, generation, each)
            if words and space.has_text:
                calibration.text_nulls(self.null_queries.vectors(space))
            if pictures:
                _ = calibration.picture_nulls
