"""Filters and vectors to scores: the filters come before the neighbours, so a narrow one still fills the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from store.filters import Filter
from store.library import Library
from store.vectors import Floats, Ids, VectorIndex


def score(library: Library, index: VectorIndex, queries: Floats, filters: Sequence[Filter] = ()) -> tuple[Ids, Floats]:
    """Cosines of every picture that passes the filters, and that a present photo holds, to each query.

    Args:
        library: the library.
        index: the vectors of a space of it.
        queries: float32 (m, dim), unit rows; m may be 0.
        filters: all must hold.

    Returns:
        Content ids int64 (n,) and cosines float32 (m, n), in no order that means anything.

    Raises:
        ValueError: the queries do not have the space's dimension.
    """
    if filters:
        return index.scores(queries, only=library.catalog.matching(filters))
    ids, cosines = index.scores(queries)
    present = ~np.isin(ids, library.catalog.absent_contents())
    return (ids, cosines) if present.all() else (ids[present], cosines[:, present])
