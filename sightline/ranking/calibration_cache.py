"""The calibrations of a library's spaces, made anew only when what they are made from has changed."""

from __future__ import annotations

from sightline.ranking.calibration import Calibration
from store.library import Library
from store.tables.catalog import SpaceState
from store.vectors.tiles import TileEngine


class CalibrationCache:
    """One calibration for each space of a library. Safe for use from several threads."""

    def __init__(self, library: Library) -> None:
        self._library = library
        # By space, and whether with tiles: the generation it was last checked at, what it was made from, and itself.
        self._cached: dict[tuple[int, bool], tuple[int, tuple[object, ...], Calibration]] = {}

    def get(self, space: SpaceState, generation: int, tiles: TileEngine | None = None) -> Calibration:
        """The calibration of a space in this generation; for terms that look at `tiles`, if given."""
        key = space.id, tiles is not None
        known, basis, calibration = self._cached.get(key, (-1, (), None))
        if calibration is not None and known == generation:
            return calibration
        absent, engine = self._library.catalog.absent_contents(), self._library.vectors.get(space.id)
        # Commits of an indexer to another space change none of these.
        now = (engine.epoch, engine.last_id, len(engine), absent.tobytes(), tiles and tiles.state)
        if calibration is None or basis != now:
            calibration = Calibration.of(engine, absent, tiles)
        self._cached[key] = (generation, now, calibration)
        return calibration
