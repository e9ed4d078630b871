"""Where each picture lies on the map: near together what is alike. Vectors in, places out; nothing here knows of files.

UMAP (L. McInnes, J. Healy, J. Melville, "UMAP: Uniform Manifold Approximation and Projection", arXiv:1802.03426) puts
neighbours beside each other. It starts from the first two principal components, which keeps the large picture too and
makes the result the same every time (D. Kobak, G. Linderman, "Initialization is critical for preserving global data
structure in both t-SNE and UMAP", Nature Biotechnology 39, 2021), or from the places that an older map had.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Floats, Ids

Rows = NDArray[np.intp]
VectorsOf = Callable[[Ids], Floats]
"""Gives unit vectors float32 (m, dim) for content ids int64 (m,)."""

DIMENSIONS: Final = 50
"""Principal components that neighbours are looked for in: more are mostly noise, and cost their share of the time."""
NEIGHBOURS: Final = 15
"""Of a picture, itself included. UMAP's own default: fewer tear groups apart, more smear small ones into large ones."""
MIN_DIST: Final = 0.1
"""How near points may come, in UMAP's units; its own default. At 0 each group becomes a thread that nobody can point
into, above 0.3 groups melt into each other."""
LANDMARKS: Final = 50_000
"""Pictures that UMAP arranges; the others are put among their neighbours. It takes some 20 s of one core, see
docs/benchmarks.md, and four times as many would take minutes for a picture that looks the same."""
WIDER: Final = 1.4
"""Across to up, of a map: that of a window with a page's head above it."""
FEWEST: Final = 16
"""Fewer pictures than this are laid out by principal components: they have no neighbourhoods to keep."""
_AMONG: Final = 5  # neighbours between which a picture is put that UMAP did not see
_SAMPLE: Final = 20_000
_CHUNK: Final = 8_192
# The angle between seeds of a sunflower, radians: H. Vogel, Mathematical Biosciences 44 (1979), page 179.
_GOLDEN: Final = math.pi * (3 - math.sqrt(5))


def reduced(vectors_of: VectorsOf, ids: Ids, report: Callable[[float], None] = lambda done: None) -> Floats:
    """Principal components of unit vectors, the strongest first: float32 (n, at most `DIMENSIONS`).

    Distances stay what they are but for what the components leave out, and for unit vectors |a - b|² = 2 - 2 cos(a, b):
    who is near here is near by cosine. The components are those of at most 20,000 vectors, evenly spread over `ids`.

    Args:
        vectors_of: see `VectorsOf`.
        ids: content ids, int64 (n,).
        report: told the share that is done, 0 to 1.
    """
    if not len(ids):
        return np.empty((0, 2), np.float32)
    step = max(1, math.ceil(len(ids) / _SAMPLE))
    sample = vectors_of(ids[::step])
    mean = sample.mean(axis=0)
    centred = sample - mean
    _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    axes = axes[:, ::-1][:, :DIMENSIONS]
    # An axis and its reverse are equally good: one of them always, or the map would be mirrored now and then.
    axes = (axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)).astype(np.float32)
    points = np.zeros((len(ids), max(2, axes.shape[1])), np.float32)
    for start in range(0, len(ids), _CHUNK):
        part = slice(start, start + _CHUNK)
        points[part, : axes.shape[1]] = (vectors_of(ids[part]) - mean) @ axes
        report(min(1.0, (start + _CHUNK) / len(ids)))
    return points


def nearest(base: Floats, points: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
    """The nearest of `base` to each point, exactly: rows int64 (n, count) and squared distances float32 (n, count)."""
    import faiss  # when it is first needed, as in store.vectors

    squared, rows = faiss.knn(np.ascontiguousarray(points), np.ascontiguousarray(base), min(count, len(base)))
    return np.asarray(rows, np.int64), np.maximum(np.asarray(squared, np.float32), 0)


def arranged(points: Floats, start: Floats, seed: int = 0) -> Floats:
    """Places by UMAP: float32 (n, 2). The same points from the same start give the same places.

    Args:
        points: float32 (n, d), n at least `FEWEST`; distances are taken as those of unit vectors, see `reduced`.
        start: float32 (n, 2), where each point is before.
        seed: of UMAP's random numbers.
    """
    import umap  # compiles itself on import, which takes seconds

    rows, squared = nearest(points, points, NEIGHBOURS)
    rows, cosine_distances = _selves_first(rows, squared / np.float32(2))
    with warnings.catch_warnings():
        # That new points can't be put in by UMAP itself, and that a seed means one thread: both as wanted.
        warnings.simplefilter("ignore")
        model = umap.UMAP(
            n_neighbors=NEIGHBOURS, min_dist=MIN_DIST, metric="cosine", init=_stirred(start, seed), random_state=seed,
            n_jobs=1, precomputed_knn=(rows, cosine_distances),
        )  # fmt: skip
        return np.asarray(model.fit_transform(points), np.float32)


def _selves_first(rows: NDArray[np.int64], distances: Floats) -> tuple[NDArray[np.int64], Floats]:
    """UMAP takes the first neighbour of a point for the point itself; among equal vectors it may be any of them."""
    own = np.arange(len(rows))
    is_self = rows == own[:, None]
    absent = ~is_self.any(axis=1)
    rows[absent, -1], distances[absent, -1] = own[absent], 0
    is_self[absent, -1] = True
    order = np.argsort(~is_self, axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)


def _stirred(start: Floats, seed: int) -> Floats:
    """Places as UMAP wants them to start from, 0 to 10, no two of them the same."""
    spread = np.ptp(start, axis=0)
    start = 10 * (start - start.min(axis=0)) / np.where(spread > 0, spread, 1)
    noise = np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)
    return np.ascontiguousarray(start + noise, np.float32)


def placed(points: Floats, base: Floats, places: Floats) -> Floats:
    """Places of points among those that have one: float32 (n, 2), the mean of their nearest ones', the nearer the more.

    Weights fall exponentially from the nearest on, as UMAP's own membership does (section 3.1 there).

    Args:
        points: float32 (n, d).
        base: float32 (m, d), m at least 1.
        places: float32 (m, 2).
    """
    if not len(points):
        return np.empty((0, 2), np.float32)
    rows, squared = nearest(base, points, _AMONG)
    beyond = np.sqrt(squared) - np.sqrt(squared[:, :1])
    scale = beyond.mean(axis=1, keepdims=True)
    # Twice as steep as that, so that a picture between two groups lies at the edge of one, not in the gap.
    weights = np.exp(-2 * beyond / np.where(scale > 0, scale, 1))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("nk,nkd->nd", weights, places[rows]), np.float32)


def fitted(places: Floats, like: tuple[Rows, Floats] | None = None) -> Floats:
    """The same picture as a screen likes it: float32 (n, 2), its middle at (0, 0), the largest coordinate 1.

    It is turned so that its longer way lies across, and drawn wider by `WIDER`: neither direction has a meaning, and
    UMAP keeps who is near, not how far.

    Args:
        places: float32 (n, 2).
        like: some rows of it, and where those were on an older map, float32 (m, 2): turned, or mirrored, to be as near
            to that as can be (P. Schönemann, "A generalized solution of the orthogonal Procrustes problem",
            Psychometrika 31, 1966).
    """
    if not len(places):
        return places
    shape = np.array([WIDER, 1], np.float32)
    middled = (places - places.mean(axis=0)).astype(np.float64)
    if like is None:
        _, axes = np.linalg.eigh(middled.T @ middled)
        axes = axes[:, ::-1]
        axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)
    else:
        rows, older = like
        before = (older - older.mean(axis=0)) / shape
        left, _, right = np.linalg.svd((places[rows] - places[rows].mean(axis=0)).T.astype(np.float64) @ before)
        axes = left @ right
    places = (middled @ axes).astype(np.float32) * shape
    low, high = places.min(axis=0), places.max(axis=0)
    reach = float((high - low).max()) / 2
    return np.asarray((places - (low + high) / 2) / (reach if reach > 0 else 1), np.float32)


def apart(places: Floats, step: float = 0.004) -> Floats:
    """Places of which no two are the same: those that are stand around their place like the seeds of a sunflower.

    Args:
        places: float32 (n, 2), -1 to 1.
        step: how far the first of them is moved; later ones further, as the square root of their number.
    """
    _, groups = np.unique(places, axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    order = np.argsort(groups, kind="stable")
    first = np.r_[True, np.diff(groups[order]) > 0]
    starts = np.flatnonzero(first)
    number = np.empty(len(places), np.int64)  # the how-manieth at its place
    number[order] = np.arange(len(places)) - np.repeat(starts, np.diff(np.r_[starts, len(places)]))
    angle, radius = number * _GOLDEN, step * np.sqrt(number)
    return np.asarray(places + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), np.float32)
