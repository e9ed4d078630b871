"""Distances on the globe, and boxes of degrees in which to look for what is near."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from store.tables.filters import Near
from store.tables.patterns import Condition

EARTH_RADIUS: Final = 6371.0088
"""Kilometres: the mean radius (2a + b) / 3 of GRS 80. Moritz, Geodetic Reference System 1980, J. Geodesy 74 (2000)."""


def kilometres(
    latitude: float, longitude: float, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Great-circle distances from a place to others, kilometres, float64 (n,); all angles in degrees.

    The haversine formula, which is exact for short distances too: Sinnott, Sky and Telescope 68 (1984), page 159.
    """
    here, there = math.radians(latitude), np.radians(latitudes)
    across = np.radians(longitudes - longitude)
    half = np.sin((there - here) / 2) ** 2 + math.cos(here) * np.cos(there) * np.sin(across / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(half, 1.0))), np.float64)


def box(near: Near) -> Condition:
    """Return a condition on `latitude` and `longitude`, and its values: a box around a circle.

    It is a little too large if anything.

    It is widest where meridians touch the circle, asin(sin r / cos latitude) to both sides, which is not at the
    centre's own latitude: J. P. Matuschek, Finding Points Within a Distance of a Latitude/Longitude Using Bounding
    Coordinates, section 3.3.
    """
    angle = near.kilometres / EARTH_RADIUS
    # A metre and more: far above the rounding of any of this.
    slack = 1e-5
    half = math.degrees(angle) + slack
    south, north = near.latitude - half, near.latitude + half
    where, values = "latitude BETWEEN ? AND ?", (south, north)
    if south <= -90 or north >= 90:
        return where, values  # a pole is inside, and with it every meridian
    half = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(near.latitude))))) + slack
    west, east = near.longitude - half, near.longitude + half
    if west < -180 or east > 180:  # across the date line: two ends of the same range
        return f"{where} AND (longitude >= ? OR longitude <= ?)", (
            *values,
            (west + 540) % 360 - 180,
            (east + 540) % 360 - 180,
        )
    return f"{where} AND longitude BETWEEN ? AND ?", (*values, west, east)
