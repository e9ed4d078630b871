"""Positions of pictures on the map, from their vectors: similar pictures lie close together.

UMAP (L. McInnes, J. Healy, J. Melville, "UMAP: Uniform Manifold Approximation and Projection", arXiv:1802.03426) puts
neighbours beside each other. It starts from the first two principal components, or from the positions of an older map.
That preserves the global structure and gives the same result every time (D. Kobak, G. Linderman, "Initialization is
critical for preserving global data structure in both t-SNE and UMAP", Nature Biotechnology 39, 2021).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Final

import numpy as np

from store.arrays import Floats, Ids, Rows

VectorsOf = Callable[[Ids], Floats]
"""Gives unit vectors float32 (m, dim) for content ids int64 (m,)."""

DIMENSIONS: Final = 50
"""Principal components in which neighbours are searched. More are mostly noise, and take time."""
NEIGHBOURS: Final = 15
"""Neighbours of a picture, itself included: UMAP's default. Fewer tear groups apart, more blur small groups."""
MIN_DIST: Final = 0.1
"""The least distance of points in UMAP's units: its default. At 0 groups become threads, above 0.3 they merge."""
LANDMARKS: Final = 50_000
"""The most pictures that UMAP lays out; the others are interpolated between their neighbours. That takes about 20 s of
one core, see docs/decisions/map-by-umap.md. Four times as many would take minutes and look the same."""
ASPECT: Final = 1.4
"""Width to height of a map: that of a window below a page's head."""
UPDATE_LEARNING_RATE: Final = 0.25
UPDATE_EPOCHS: Final = 200
"""Of a map that is laid out anew from an older one: groups move less than with UMAP's own 1 and 500. Five groups of 200
pictures, 100 more, five seeds: by 0.16 to 0.26 of the distance between groups, against 0.16 to 0.44; trustworthiness
0.95 either way."""
MIN_FOR_UMAP: Final = 16
"""Fewer pictures than this are laid out by principal components: they have no neighbourhoods to preserve."""
_INTERPOLATE_FROM: Final = 5  # neighbours, for a picture that UMAP did not lay out
_SAMPLE: Final = 20_000
_CHUNK: Final = 8_192
# The angle between seeds of a sunflower, radians: H. Vogel, Mathematical Biosciences 44 (1979), page 179.
_GOLDEN: Final = math.pi * (3 - math.sqrt(5))


def principal_components(
    vectors_of: VectorsOf, ids: Ids, report: Callable[[float], None] = lambda done: None
) -> Floats:
    """Project unit vectors to principal components, strongest first: float32 (n, at most `DIMENSIONS`).

    For unit vectors |a - b|² = 2 - 2 cos(a, b), so Euclidean neighbours are neighbours by cosine. The components are
    those of at most 20,000 vectors, evenly spread over `ids`.

    Args:
        vectors_of: see `VectorsOf`.
        ids: content ids, int64 (n,).
        report: called with the share that is done, 0 to 1.
    """
    if not len(ids):
        return np.empty((0, 2), np.float32)
    step = max(1, math.ceil(len(ids) / _SAMPLE))
    sample = vectors_of(ids[::step])
    mean = sample.mean(axis=0)
    centred = sample - mean
    _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    axes = axes[:, ::-1][:, :DIMENSIONS]
    # The sign of an axis is arbitrary. Fix it, or the map would be mirrored now and then.
    axes = (axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)).astype(np.float32)
    points = np.zeros((len(ids), max(2, axes.shape[1])), np.float32)
    for start in range(0, len(ids), _CHUNK):
        part = slice(start, start + _CHUNK)
        points[part, : axes.shape[1]] = (vectors_of(ids[part]) - mean) @ axes
        report(min(1.0, (start + _CHUNK) / len(ids)))
    return points


def nearest_neighbours(base: Floats, points: Floats, count: int) -> tuple[Rows, Floats]:
    """Find the nearest rows of `base` to each point, exactly.

    Args:
        base: float32 (m, d).
        points: float32 (n, d).
        count: how many rows to find for each point, where `base` has so many.

    Returns:
        Rows int64 (n, count), nearest first, and squared distances float32 (n, count).
    """
    import faiss  # when it is first needed, as in store.vectors

    squared, rows = faiss.knn(np.ascontiguousarray(points), np.ascontiguousarray(base), min(count, len(base)))
    return np.asarray(rows, np.int64), np.maximum(np.asarray(squared, np.float32), 0)


def umap_positions(points: Floats, start: Floats, learning_rate: float = 1.0, seed: int = 0) -> Floats:
    """Lay points out by UMAP: float32 (n, 2). The same points, start and seed give the same positions.

    Args:
        points: float32 (n, d), n at least `MIN_FOR_UMAP`, see `principal_components`.
        start: float32 (n, 2), the initial positions.
        learning_rate: of UMAP's gradient descent, `UPDATE_LEARNING_RATE` where `start` is an older map.
        seed: of UMAP's random numbers.
    """
    import umap  # compiles itself on import, which takes seconds

    rows, squared = nearest_neighbours(points, points, NEIGHBOURS)
    rows, cosine_distances = _selves_first(rows, squared / np.float32(2))
    with warnings.catch_warnings():
        # UMAP warns that a seed means one thread, and that it can't add points later: both are intended.
        warnings.simplefilter("ignore")
        model = umap.UMAP(
            n_neighbors=NEIGHBOURS, min_dist=MIN_DIST, metric="cosine", init=_umap_start(start, seed),
            random_state=seed, n_jobs=1, precomputed_knn=(rows, cosine_distances), learning_rate=learning_rate,
            n_epochs=None if learning_rate == 1.0 else UPDATE_EPOCHS,
        )  # fmt: skip
        return np.asarray(model.fit_transform(points), np.float32)


def _selves_first(rows: Rows, distances: Floats) -> tuple[Rows, Floats]:
    """Put each point first among its own neighbours, as UMAP expects: an equal vector may precede it."""
    own = np.arange(len(rows))
    is_self = rows == own[:, None]
    absent = ~is_self.any(axis=1)
    rows[absent, -1], distances[absent, -1] = own[absent], 0
    is_self[absent, -1] = True
    order = np.argsort(~is_self, axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)


def _umap_start(start: Floats, seed: int) -> Floats:
    """Scale positions to 0 to 10, as UMAP expects, and add noise, so that no two are the same."""
    spread = np.ptp(start, axis=0)
    start = 10 * (start - start.min(axis=0)) / np.where(spread > 0, spread, 1)
    noise = np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)
    return np.ascontiguousarray(start + noise, np.float32)


def interpolated(points: Floats, base: Floats, places: Floats) -> Floats:
    """Interpolate positions from those of the nearest points: float32 (n, 2), their weighted mean.

    Weights fall exponentially with the distance beyond the nearest, as in UMAP's membership (section 3.1 there).

    Args:
        points: float32 (n, d).
        base: float32 (m, d), m at least 1.
        places: float32 (m, 2).
    """
    if not len(points):
        return np.empty((0, 2), np.float32)
    rows, squared = nearest_neighbours(base, points, _INTERPOLATE_FROM)
    beyond = np.sqrt(squared) - np.sqrt(squared[:, :1])
    scale = beyond.mean(axis=1, keepdims=True)
    # Twice as steep as UMAP's, so that a picture between two groups lies at the edge of one, not in the gap.
    weights = np.exp(-2 * beyond / np.where(scale > 0, scale, 1))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("nk,nkd->nd", weights, places[rows]), np.float32)


def fit_to_screen(places: Floats, like: tuple[Rows, Floats] | None = None) -> Floats:
    """Rotate and scale positions to fit a screen: float32 (n, 2), centred on (0, 0), largest coordinate 1.

    The longer axis becomes the horizontal one, and is stretched by `ASPECT`: directions have no meaning on the map, and
    UMAP preserves neighbourhoods, not distances.

    Args:
        places: float32 (n, 2).
        like: some rows of `places`, and their positions on an older map, float32 (m, 2). The map is then rotated or
            mirrored to be as close to the older one as possible (P. Schönemann, "A generalized solution of the
            orthogonal Procrustes problem", Psychometrika 31, 1966).
    """
    if not len(places):
        return places
    shape = np.array([ASPECT, 1], np.float32)
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


def separated(places: Floats, step: float = 0.004) -> Floats:
    """Move apart equal positions, like sunflower seeds around the common position: float32 (n, 2).

    Args:
        places: float32 (n, 2), -1 to 1.
        step: how far the first is moved; the k-th is moved sqrt(k) times as far.
    """
    _, groups = np.unique(places, axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    order = np.argsort(groups, kind="stable")
    first = np.r_[True, np.diff(groups[order]) > 0]
    starts = np.flatnonzero(first)
    number = np.empty(len(places), np.int64)  # the rank among those at the same position
    number[order] = np.arange(len(places)) - np.repeat(starts, np.diff(np.r_[starts, len(places)]))
    angle, radius = number * _GOLDEN, step * np.sqrt(number)
    return np.asarray(places + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), np.float32)
