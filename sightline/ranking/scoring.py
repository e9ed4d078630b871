"""Scores the pictures that pass a query's filters: their cosines to each of its terms."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.query.types import Query
from sightline.ranking.calibrated_terms import CalibratedTerm
from sightline.ranking.fusion import counting
from store.arrays import Floats
from store.library import Library
from store.search import Scored, score
from store.vectors.engine import Threshold, VectorEngine


def score_terms(
    library: Library, engine: VectorEngine, query: Query, terms: Sequence[CalibratedTerm], vectors: Floats,
    *, by_score: bool,
) -> Scored:  # fmt: skip
    """Cosines of the pictures that pass the filters to each term of a query.

    Args:
        library: the library.
        engine: the vectors of the space.
        query: the query.
        terms: its terms, in order.
        vectors: theirs, float32 (terms, dim).
        by_score: whether scores order the hits: then a large library gives its shortlist first; else every picture.
    """
    towards, groups = _thresholds(query, terms) if by_score else ([], [])
    return score(library, engine, vectors, query.filters, towards=towards, groups=groups)


def _thresholds(query: Query, terms: Sequence[CalibratedTerm]) -> tuple[list[int], list[list[Threshold]]]:
    """The rows of terms that are not excluded, and the thresholds of each group that hits must reach."""
    towards: list[int] = []
    groups: list[list[Threshold]] = []
    row = 0
    for group, counts in zip(query.groups, counting(query.groups) if query.groups else [], strict=True):
        rows = range(row, row + len(group.any_of))
        row += len(rows)
        if group.excluded:
            continue
        if counts:
            own = [terms[each].calibration for each in rows]
            groups.append([
                Threshold(len(towards) + at, each.threshold, each.soft_threshold) for at, each in enumerate(own)
            ])  # fmt: skip
        towards += rows
    return towards, groups
