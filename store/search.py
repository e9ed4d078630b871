"""Filters and vectors to hits with scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from store.catalog import PhotoRow
from store.library import Library
from store.vectors import Floats, Ids


@dataclass(frozen=True, slots=True)
class Hit:
    """A picture and how near it is to the query. `score` is a cosine."""

    score: float
    photo: PhotoRow


def nearest(library: Library, space_id: int, query: Floats, k: int, *, only: Ids | None = None) -> list[Hit]:
    """The `k` pictures nearest to one unit query vector (dim,), best first, equal scores by content id.

    Every hit is a content that a present photo holds. `only` (content ids) is applied before the neighbours, so a
    narrow choice still gives `k` hits where it holds that many.

    Raises:
        KeyError: the library has no such space.
        ValueError: the query does not have the space's dimension.
    """
    index = library.vectors.get(space_id)
    ids, scores = index.search(query[None, :], k, only=only, without=library.catalog.absent_contents())
    return with_photos(library, ids[0], scores[0])


def with_photos(library: Library, ids: Ids, scores: Floats) -> list[Hit]:
    """Hits of content ids (n,) and their scores (n,), in that order; contents without a present photo are left out."""
    photos = library.catalog.photos([int(id_) for id_ in ids])
    return [
        Hit(float(np.clip(score, -1.0, 1.0)), photos[int(id_)])
        for id_, score in zip(ids, scores, strict=True)
        if int(id_) in photos
    ]
