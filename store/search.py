"""Filters and vectors to scores.

The filters come before the neighbours, so a narrow one still fills the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from store.arrays import Floats, Ids
from store.library import Library
from store.tables.filters import Filter
from store.vectors.engine import Candidates, Threshold, VectorEngine, filtering


@dataclass(frozen=True, slots=True)
class Scored:
    """Pictures that pass the filters, and that a present photo holds, with their cosines.

    Attributes:
        ids: content ids int64 (n,), in no order that means anything.
        cosines: float32 (m, n), to each query.
        total: how many there are, those of `rest` included.
        rest: computes ids and cosines of those that are not on the shortlist; None where there was no shortlist.
        is_cut: whether more pictures reach a threshold than the engine gives, so that counts of them are too low.
    """

    ids: Ids
    cosines: Floats
    total: int
    rest: Callable[[], tuple[Ids, Floats]] | None = None
    is_cut: bool = False


def score(
    library: Library, engine: VectorEngine, queries: Floats, filters: Sequence[Filter] = (), *,
    towards: Sequence[int] = (), groups: Sequence[Sequence[Threshold]] = (), wanted: int = 0,
) -> Scored:  # fmt: skip
    """Cosines of the pictures that pass the filters, or in a large space of a shortlist of them.

    Args:
        library: the library.
        engine: the vectors of a space of it.
        queries: float32 (m, dim), unit rows; m may be 0.
        filters: all must hold.
        towards: rows of `queries` that hits are near to; none where every picture is wanted at once.
        groups: what a hit has to reach, see `VectorEngine.shortlist`; their queries are those of `towards`, by place.
        wanted: how many hits are asked for.

    Raises:
        ValueError: the queries do not have the space's dimension.
    """
    if towards and (knowing := filtering(engine)) is not None:
        found = knowing.candidates(queries[list(towards)], groups, filters, wanted=wanted)
        if found is not None:
            return _of_candidates(library, engine, queries, filters, found)
    only = library.catalog.matching(filters) if filters else None
    absent = library.catalog.absent_contents() if only is None else np.empty(0, np.int64)  # filters leave them out
    shortlist = None
    if towards:
        shortlist = engine.shortlist(queries[list(towards)], groups, wanted=wanted, only=only, absent=absent)

    ids, cosines = engine.scores(queries, only=only if shortlist is None else shortlist)
    present = ~np.isin(ids, absent)
    if not present.all():
        ids, cosines = ids[present], cosines[:, present]
    if shortlist is None:
        return Scored(ids, cosines, len(ids))

    everything = engine.ids if only is None else engine.held(only)

    def rest() -> tuple[Ids, Floats]:
        return engine.scores(queries, only=everything[~np.isin(everything, np.concatenate([ids, absent]))])

    return Scored(ids, cosines, len(everything) - len(engine.held(absent)), rest)


def _of_candidates(
    library: Library, engine: VectorEngine, queries: Floats, filters: Sequence[Filter], found: Candidates
) -> Scored:  # fmt: skip
    """Exact cosines of what an engine that knows facts chose."""
    ids, cosines = engine.scores(queries, only=found.ids)
    if found.everything:
        return Scored(ids, cosines, len(ids))

    def rest() -> tuple[Ids, Floats]:
        others = np.setdiff1d(library.catalog.matching(filters), ids)
        return engine.scores(queries, only=others)

    return Scored(ids, cosines, found.total, rest, is_cut=not found.complete)
