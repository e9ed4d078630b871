"""How much less a tile counts than a whole picture, for each term of a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from sightline.query.types import Like, Picture, Words
from sightline.ranking.calibrated_terms import CalibratedTerm
from store.vectors.tiles import Handicaps

Looks = Literal["whole", "tiles"]
"""What a search looks at: whole pictures alone; or their tiles, too, where the library has some."""

SURE: Final = 0.5
"""In standard deviations of a term: null queries tell what whole things score by chance in so many tiles, and not what
parts of large things do, which look like others. Chosen on demo pictures: the precision of matches stays."""


def handicaps(whole: Sequence[CalibratedTerm], best: Sequence[CalibratedTerm], gains: Sequence[float]) -> Handicaps:
    """What is taken from the cosine of a tile, for each term.

    The best of a dozen tiles is nearer to any term than the whole picture is, by chance alone. How much, null queries
    tell. A term that is calibrated by the best of each picture and its tiles has a higher threshold; a tile is a match
    from `SURE` above that on, and a whole picture from its own threshold on: what is found without tiles is found with
    them. And what a right description scores rises by `gains`: a tile may be a match where it exceeds the soft
    threshold of whole pictures by that.

    Words and pictures look at tiles.

    Args:
        whole: the terms of a query, calibrated by whole pictures.
        best: the same, calibrated by the best of each picture and its tiles.
        gains: for each, by how much the best null query (`NullStats.top`) is higher with tiles.
    """
    looks = [isinstance(term.term.subject, Words | Picture | Like) for term in whole]
    strong_at, maybe_at, reached = (
        np.array(values, np.float32)
        for values in (
            [term.calibration.threshold for term in whole],
            [term.calibration.soft_threshold for term in whole],
            [term.calibration.threshold + SURE * term.calibration.scale for term in best],
        )
    )
    strong = np.where(looks, np.maximum(reached - strong_at, 0), np.inf).astype(np.float32)
    return Handicaps(strong, np.clip(np.array(gains, np.float32), 0, strong), strong_at, maybe_at)
