"""How much less a tile counts than a whole picture, for each term of a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from sightline.query.types import Like, Picture, Words
from sightline.ranking.calibrated_terms import CalibratedTerm
from store.arrays import Floats

Looks = Literal["whole", "tiles"]
"""What a search looks at: whole pictures alone; or their tiles, too, where the library has some."""


def handicaps(whole: Sequence[CalibratedTerm], best: Sequence[CalibratedTerm]) -> Floats:
    """What is taken from the cosine of a tile to each term, float32 (terms,); infinite where it looks at none.

    The best of a dozen tiles is nearer to any term than the whole picture is, by chance alone. How much, null queries
    tell: a term that is calibrated by the best of each picture and its tiles has a higher threshold, and the handicap
    is the difference. So a tile has to reach the threshold of the best, and the whole picture only its own: what is
    found without tiles is found with them.

    Words and pictures look at tiles.

    Args:
        whole: the terms of a query, calibrated by whole pictures.
        best: the same, calibrated by the best of each picture and its tiles.
    """
    return np.array(
        [
            max(0.0, over.calibration.threshold - own.calibration.threshold)
            if isinstance(own.term.subject, Words | Picture | Like)
            else np.inf
            for own, over in zip(whole, best, strict=True)
        ],
        np.float32,
    )
