"""Filters and vectors to scores: the filters come before the neighbours, so a narrow one still fills the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from store.arrays import Floats, Ids
from store.library import Library
from store.tables.filters import Filter
from store.vectors.index import VectorIndex
from store.vectors.shortlist import Goal, likely


@dataclass(frozen=True, slots=True)
class Scored:
    """Pictures that pass the filters, and that a present photo holds, with their cosines.

    Attributes:
        ids: content ids int64 (n,), in no order that means anything.
        cosines: float32 (m, n), to each query.
        total: how many there are, those of `rest` included.
        rest: ids and cosines of the others, as of the same state; None where these are all.
    """

    ids: Ids
    cosines: Floats
    total: int
    rest: Callable[[], tuple[Ids, Floats]] | None = None


def score(
    library: Library, index: VectorIndex, queries: Floats, filters: Sequence[Filter] = (), *,
    towards: Sequence[int] = (), groups: Sequence[Sequence[Goal]] = (), wanted: int = 0,
) -> Scored:  # fmt: skip
    """Cosines of every picture that passes the filters to each query; in a large space, of the likely ones first.

    Args:
        library: the library.
        index: the vectors of a space of it.
        queries: float32 (m, dim), unit rows; m may be 0.
        filters: all must hold.
        towards: rows of `queries` that hits are near to; none where every picture is wanted at once.
        groups: what a hit has to reach, see `shortlist.likely`; their queries are those of `towards`, by place.
        wanted: how many hits are asked for.

    Raises:
        ValueError: the queries do not have the space's dimension.
    """
    only = library.catalog.matching(filters) if filters else None
    absent = library.catalog.absent_contents() if only is None else np.empty(0, np.int64)
    asked = queries[list(towards)]
    some = likely(index, asked, groups, wanted=wanted, only=only, absent=absent) if towards else None
    ids, cosines = index.scores(queries, only=only if some is None else some)
    present = ~np.isin(ids, absent)
    if not present.all():
        ids, cosines = ids[present], cosines[:, present]
    if some is None:
        return Scored(ids, cosines, len(ids))
    everything = index.ids if only is None else index.held(only)

    def rest() -> tuple[Ids, Floats]:
        return index.scores(queries, only=everything[~np.isin(everything, np.concatenate([ids, absent]))])

    return Scored(ids, cosines, len(everything) - len(index.held(absent)), rest)
