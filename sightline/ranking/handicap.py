"""How much less a tile counts than a whole picture, for each term of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sightline.query.types import Like, Picture, Query, Term, Words
from sightline.ranking.calibrated_terms import CalibratedTerm, calibrate_terms
from sightline.ranking.calibration import Calibration, NullStats
from sightline.ranking.term_vectors import TermVector
from store.vectors.tiles import Handicaps

Looks = Literal["whole", "tiles", "closer"]
"""What a search looks at: whole pictures alone; or their tiles, too, where the library has some; or, where it has none,
the tiles of the first hits, which are made for it.
"""

SURE: Final = 1.0
"""In standard deviations of a term: null queries tell what whole things score by chance in so many tiles, and not what
parts of large things do, which look like others. Chosen on demo pictures: the precision of matches stays."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What terms are calibrated by: a sample of pictures, and the statistics of texts, if there are any."""

    calibration: Calibration
    text_nulls: NullStats | None

    def nulls(self, term: CalibratedTerm) -> NullStats:
        """The null queries of a term's kind."""
        is_text = isinstance(term.term.subject, Words) and self.text_nulls is not None
        return self.text_nulls if is_text and self.text_nulls else self.calibration.picture_nulls


def looks_at_tiles(query: Query) -> bool:
    """Whether any term of a query looks at tiles: words and pictures do, and concepts don't."""
    return any(_looks_at_tiles(term) for term in query.terms)


def _looks_at_tiles(term: Term) -> bool:
    return isinstance(term.subject, Words | Picture | Like)


def handicaps(
    query: Query, vectors: Sequence[TermVector], terms: Sequence[CalibratedTerm], whole: Basis, best: Basis
) -> Handicaps:
    """What is taken from the cosine of a tile, for each term of a query.

    The best of a dozen tiles is nearer to any term than the whole picture is, by chance alone. How much, null queries
    tell. A term that is calibrated by the best of each picture and its tiles has a higher threshold; a tile is a match
    from `SURE` above that on, and a whole picture from its own threshold on: what is found without tiles is found with
    them. It may be one from the soft threshold of the best on. Where no levels of pictures can be told, that is the one
    of whole pictures and what the best null query (`NullStats.top`) gains: so much a right description scores more.

    Args:
        query: the query.
        vectors: those of its terms, in order.
        terms: these, calibrated by whole pictures of the library.
        whole: some whole pictures.
        best: the same pictures with their tiles.
    """
    own_of = calibrate_terms(query, vectors, whole.calibration, whole.text_nulls)
    raised = calibrate_terms(query, vectors, best.calibration, best.text_nulls)
    strong, maybe, strong_at, maybe_at = (np.full(len(terms), np.inf, np.float32) for _ in range(4))
    for row, (term, own, over) in enumerate(zip(terms, own_of, raised, strict=True)):
        if not _looks_at_tiles(term.term):
            continue
        strong_at[row], maybe_at[row] = term.calibration.threshold, term.calibration.soft_threshold
        reached = over.calibration.threshold + SURE * over.calibration.scale
        strong[row] = max(0.0, reached - own.calibration.threshold)
        gain = best.nulls(own).top - whole.nulls(own).top
        if best.nulls(own).levels is not None:
            gain = over.calibration.soft_threshold - own.calibration.soft_threshold
        maybe[row] = np.clip(gain, 0, strong[row])
    return Handicaps(strong, maybe, strong_at, maybe_at)
