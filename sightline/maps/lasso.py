"""The pictures inside a line drawn on the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sightline.query.types import QueryError
from store.arrays import Floats

MAX_CORNERS: Final = 2_000
_CHUNK: Final = 65_536


def corners(given: Any) -> NDArray[np.float64]:
    """Read a polygon as a browser sends it, a list of [x, y]: float64 (n, 2).

    Raises:
        QueryError: it is not one, or has more than 2,000 corners.
    """
    try:
        polygon = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise QueryError("The line on the map is not a list of pairs of numbers. Draw it again.") from error
    if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3 or not np.isfinite(polygon).all():
        raise QueryError(f"The line on the map has the shape {polygon.shape}; it needs three corners or more.")
    if len(polygon) > MAX_CORNERS:
        raise QueryError(f"The line on the map has {len(polygon):,} corners; {MAX_CORNERS:,} are the most.")
    return polygon


def inside(polygon: NDArray[np.float64] | Sequence[Sequence[float]], places: Floats) -> NDArray[np.bool_]:
    """Find positions inside a polygon by the even-odd rule: bool (n,). The last corner meets the first.

    A position is inside where a ray to the right crosses an odd number of edges. As in W. R. Franklin's PNPOLY, an edge
    includes its lower end and not its upper one, so a corner is never counted twice.

    Args:
        polygon: (m, 2).
        places: float32 (n, 2).
    """
    ends = np.asarray(polygon, np.float64)
    starts = np.roll(ends, 1, axis=0)
    found = np.zeros(len(places), np.bool_)
    low, high = ends.min(axis=0), ends.max(axis=0)
    candidates = np.flatnonzero(((places >= low) & (places <= high)).all(axis=1))
    for start in range(0, len(candidates), _CHUNK):
        rows = candidates[start : start + _CHUNK]
        x, y = places[rows].astype(np.float64).T
        odd = np.zeros(len(rows), np.bool_)
        for (ax, ay), (bx, by) in zip(starts.tolist(), ends.tolist(), strict=True):
            crosses = (ay > y) != (by > y)
            if ay != by:
                odd ^= crosses & (x < (bx - ax) * ((y - ay) / (by - ay)) + ax)
        found[rows] = odd
    return found
