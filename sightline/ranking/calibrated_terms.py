"""The terms of a query, each with its vector and what its cosines mean in the library as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sightline.query.types import Query, Term, Words
from sightline.ranking.calibration import Calibration, NullStats, TermCalibration
from sightline.ranking.results import Part
from sightline.ranking.term_vectors import TermVector
from store.arrays import Floats, Ids
from store.tables.tiles import Box


@dataclass(frozen=True, slots=True)
class CalibratedTerm:
    """A term of a query, ready to score pictures.

    Attributes:
        term: as the query has it.
        excluded: whether a picture should not match it.
        vector: a unit vector float32 (dim,).
        content_id: of the picture of the library that the term is; None where it is none.
        calibration: turns its cosines into z-scores.
        same: content ids that match, whatever their cosines: the picture that the term is and versions of it, or the
            examples of a concept.
        never: content ids that don't match, whatever their cosines: the counter-examples of a concept.
    """

    term: Term
    excluded: bool
    vector: Floats
    content_id: int | None
    calibration: TermCalibration
    same: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    never: Ids = field(default_factory=lambda: np.empty(0, np.int64))

    def clamp_self_similarity(self, ids: Ids, cosines: Floats) -> None:
        """Set the cosine of a picture to itself to 1, in place: in half precision it is a little less or more."""
        if self.content_id is not None:
            cosines[ids == self.content_id] = 1.0

    def z_scores(self, ids: Ids, cosines: Floats) -> Floats:
        """Z-scores by cosines, float32 (n,): what is known to match is at least on the line."""
        found = self.calibration.z_score(cosines)
        if len(self.same):
            rows = np.isin(ids, self.same)
            found[rows] = np.maximum(found[rows], 0)
        if len(self.never):
            rows = np.isin(ids, self.never)
            found[rows] = np.minimum(found[rows], np.float32(self.calibration.soft_z - 1))
        return found

    def part(self, content_id: int, cosine: np.float32, box: Box | None = None) -> Part:
        """How a picture of this cosine, found in its tile `box`, suits the term."""
        score = float(self.z_scores(np.array([content_id], np.int64), np.asarray([cosine], np.float32))[0])
        return Part(self.term.printed(excluded=self.excluded), float(np.clip(cosine, -1, 1)), score, self.excluded, box)


def calibrate_terms(
    query: Query, vectors: Sequence[TermVector], calibration: Calibration, text_nulls: NullStats | None
) -> list[CalibratedTerm]:
    """The terms of a query, calibrated.

    Args:
        query: the query.
        vectors: those of its terms, in order.
        calibration: of the library.
        text_nulls: the statistics of null queries for words; None where no term is words.
    """
    excluded = [group.excluded for group in query.groups for _ in group.any_of]
    terms = []
    for term, is_excluded, found in zip(query.terms, excluded, vectors, strict=True):
        if found.learnt is not None:
            line, known = found.learnt.probe.line, (found.learnt.examples, found.learnt.counter_examples)
            terms.append(CalibratedTerm(term, is_excluded, found.vector, None, line, *known))
            continue
        nulls = text_nulls if isinstance(term.subject, Words) and text_nulls else calibration.picture_nulls
        own = calibration.term(found.vector, nulls)
        terms.append(CalibratedTerm(term, is_excluded, found.vector, found.content_id, own))
    return terms
