"""The highest scores, and the nearest neighbours of a query by any engine."""

from __future__ import annotations

import numpy as np

from store.arrays import Floats, Ids, Rows
from store.vectors.engine import VectorEngine


def top_k(ids: Ids, scores: Floats, k: int) -> Rows:
    """Places int64 (k,) of the `k` highest of the scores (n,), best first, equal scores by id.

    n places where n < k.
    """
    if k <= 0:
        return np.empty(0, np.int64)
    if k < len(scores):
        # Everything from the last place up, ties at the edge included: what the edge leaves out, the ids decide.
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= edge)
    else:
        places = np.arange(len(scores))
    return np.asarray(places[np.lexsort((ids[places], -scores[places]))][:k], np.int64)


def nearest(engine: VectorEngine, query: Floats, k: int, *, only: Ids | None = None) -> tuple[Ids, Floats]:
    """The k nearest vectors to a query: content ids int64 (j,) and cosines float32 (j,), best first.

    Equal cosines by id; j is k, or as many as there are. Where the engine makes a shortlist a few of the nearest may be
    missed; those that are found have exact cosines.

    Args:
        engine: the vectors.
        query: float32 (dim,), of unit length.
        k: how many.
        only: content ids to choose from, without repeats; None for all.

    Raises:
        ValueError, OSError: see `VectorEngine.scores`.
    """
    shortlist = engine.shortlist(query[None], wanted=k, only=only)
    if shortlist is not None and len(shortlist) < k:  # hardly ever, and then there may be more
        shortlist = None
    ids, cosines = engine.scores(query[None], only=only if shortlist is None else shortlist)
    places = top_k(ids, cosines[0], k)
    return ids[places], cosines[0][places]
