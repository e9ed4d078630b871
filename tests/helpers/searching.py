"""A search as the store offers it, for tests that need no model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from store.arrays import Floats, Halves, Ids
from store.library import Library
from store.search import score
from store.tables.catalog import PhotoRow
from store.vectors import top_k
from store.vectors.engine import VectorEngine
from store.vectors.local import LocalEngine
from store.vectors.policy import DEFAULT, Tier


@dataclass(frozen=True)
class Hit:
    """A picture and its cosine."""

    score: float
    photo: PhotoRow


def nearest(library: Library, space_id: int, query: Floats, k: int) -> list[Hit]:
    """The k present pictures nearest to a unit vector, best first, equal scores by content id."""
    scored = score(library, library.vectors.get(space_id), query[None, :])
    ids, cosines = scored.ids, scored.cosines
    rows = np.lexsort((ids, -cosines[0]))[:k]
    photos = library.catalog.photos(ids[rows].tolist())
    return [Hit(float(cosines[0, row]), photos[int(ids[row])]) for row in rows]


def vectors_of(library: Library) -> dict[bytes, Floats]:
    """Every vector by the content's hash."""
    (space,) = library.catalog.spaces()
    found: dict[bytes, Floats] = {}
    for _, contents, vectors in library.catalog.vectors_after(space.id, space.dim, 0):
        for content, vector in zip(contents.tolist(), vectors, strict=True):
            key = library.catalog.hash_of(content)
            assert key is not None and key not in found
            found[key] = vector.astype(np.float32)
    return found


def clustered(count: int, dim: int, seed: int = 0) -> np.ndarray:
    """Unit rows float16 (count, dim) as pictures lie: around a mean, in clusters of very different sizes."""
    random = np.random.default_rng(seed)
    basis = np.random.default_rng(99).standard_normal((dim // 4, dim))
    centres = np.random.default_rng(98).standard_normal((100, dim // 4))
    sizes = 1 / np.arange(1, 101)
    chosen = random.choice(100, count, p=sizes / sizes.sum())
    made = (centres[chosen] + 0.8 * random.standard_normal((count, dim // 4))) @ basis / np.sqrt(dim)
    made += 0.4 * random.standard_normal((count, dim)) + 0.8
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float16)


def engine_of(ids: Ids, vectors: Halves, *, tier: Tier | None = None) -> LocalEngine:
    """An engine in memory alone, with no library behind it; `tier` None for what its size calls for."""
    policy = DEFAULT
    if tier is not None:
        policy = replace(DEFAULT, exact_rows=-1 if tier == "compressed" else len(ids), uncoded_rows=0)
    engine = LocalEngine(vectors.shape[1], policy=policy)
    engine.add([(np.arange(1, len(ids) + 1), np.asarray(ids, np.int64), vectors)])
    engine.encode()
    return engine


def local(library: Library, space_id: int = 1) -> LocalEngine:
    """The engine of a space, for tests of what only the local one has."""
    engine = library.vectors.get(space_id)
    assert isinstance(engine, LocalEngine)
    return engine


def nearest_to(engine: VectorEngine, queries: Floats, k: int, *, only: Ids | None = None) -> tuple[Ids, Floats]:
    """Content ids and cosines (m, j) of the k nearest to each query, see `store.vectors.top_k.nearest`."""
    found = [top_k.nearest(engine, query, k, only=only) for query in queries]
    return np.stack([ids for ids, _ in found]), np.stack([cosines for _, cosines in found])
