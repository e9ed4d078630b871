"""A query's terms measured in a library, and the order that they give its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_ui.calibration import Scale
from search_ui.query import Query, Term
from search_ui.ranking import BANDS, BELOW, STRONG, Band, Ranked, band, fuse
from search_ui.terms import Aim
from store.vectors import Floats, Ids


@dataclass(frozen=True, slots=True)
class Measured:
    """A term with its vector and its scale in the library as it is."""

    term: Term
    excluded: bool
    aim: Aim
    scale: Scale

    def put_right(self, ids: Ids, cosines: Floats) -> None:
        """Put cosines right: a picture is as near to itself as can be, which half-precision vectors are not quite."""
        if self.aim.content_id is not None:
            cosines[ids == self.aim.content_id] = 1.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a query makes of the library in one generation.

    Attributes:
        measured, queries: its terms, and their vectors, float32 (terms, dim).
        ranked: the pictures.
        order: content ids above the line, where facts order them and not scores.
        duplicates: the cosine from which two of them are versions of one.
    """

    generation: int
    measured: tuple[Measured, ...]
    queries: Floats
    ranked: Ranked
    order: Ids | None
    duplicates: float

    def first(self, count: int) -> tuple[Ids, Floats, Sequence[Band]]:
        """Content ids, scores and bands of the first `count` pictures."""
        rows = self.ranked.best(count) if self.order is None else self._by_facts(count)
        bands = [BANDS[number] for number in self.ranked.bands[rows]]
        return self.ranked.ids[rows], self.ranked.scores[rows], bands

    def _by_facts(self, count: int) -> Ids:
        """Rows in the order that facts give to what is above the line; the rest follows by its scores."""
        assert self.order is not None
        by_id = np.argsort(self.ranked.ids)
        rows = by_id[np.searchsorted(self.ranked.ids, self.order[:count], sorter=by_id)]
        if len(rows) < count:
            rows = np.concatenate([rows, self.ranked.best(count)[len(rows) :]])
        return np.asarray(rows, np.int64)


def ranked_by(query: Query, measured: Sequence[Measured], ids: Ids, cosines: Floats) -> Ranked:
    """Pictures by all terms of a query together; all alike where it has none.

    Args:
        query: the query.
        measured: its terms, in order.
        ids: content ids int64 (n,).
        cosines: float32 (terms, n); put right in place.
    """
    if not measured:
        return Ranked(ids, np.zeros(len(ids), np.float32), np.full(len(ids), STRONG, np.uint8))
    standard = np.empty_like(cosines)
    for row, m in enumerate(measured):
        m.put_right(ids, cosines[row])
        standard[row] = m.scale.standard(cosines[row])
    scores, met = fuse(query.groups, standard, [m.scale.maybe_standard for m in measured])
    if len(measured) == 1:
        # One term is ordered by its cosine itself: nothing that rounds may come between.
        scores = -cosines[0] if measured[0].excluded else cosines[0]
        own = measured[0].aim.content_id
        if own is not None and not measured[0].excluded:
            scores[ids == own] = 2.0  # before a copy of it, whose cosine may round to 1 as well
    bands = band(query.groups, met)
    for m in measured:
        if m.excluded and m.aim.content_id is not None:
            bands[ids == m.aim.content_id] = BELOW  # whatever the weight: it was named
    return Ranked(ids, scores, bands)
