"""The pictures of a library that are nearest to one of them, its versions left out."""

from __future__ import annotations

import numpy as np

from sightline.nearness import nearness
from sightline.ranking.near_duplicates import Folding
from sightline.twins import Twins
from sightline.version_pairs import PictureFacts
from store.library import Library
from store.search import score
from store.vectors.top_k import top_k

# So many are looked at for each that is shown: a burst takes one place.
_DEPTH = 8


def similar(library: Library, space_id: int, content_id: int, count: int = 12) -> list[int]:
    """Content ids of the pictures nearest to one by cosine, nearest first; none where it has no vector.

    Neither the picture nor near-duplicates of it are among them, and of pictures that are versions of each other the
    nearest stands for all, as among the hits of a search.

    Args:
        library: the library.
        space_id: of the space to compare in.
        content_id: the picture.
        count: how many at most.
    """
    engine = library.vectors.get(space_id)
    try:
        own = engine.vectors_of(np.array([content_id], np.int64))
    except KeyError:
        return []
    scored = score(library, engine, own, towards=[0], wanted=count * _DEPTH + 1)
    nearest = scored.ids[top_k(scored.ids, scored.cosines[0], count * _DEPTH + 1)]
    nearest = np.concatenate([[content_id], nearest[nearest != content_id]]).astype(np.int64)
    folding = Folding(engine.dim, nearness(library, space_id), PictureFacts(library.catalog))
    folding.extend(engine.vectors_of(nearest), Twins(library.catalog).shots(nearest), nearest)
    return [int(nearest[place.shown]) for place in folding.places[1 : count + 1]]
