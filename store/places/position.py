"""What lies at a position: the town, the region and the country.

The country is that of the time zone there, whose borders are those of OpenStreetMap: the nearest town alone is often on
the other side of a border. The town is the nearest one of that country, where the greater of two counts as nearer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import tzfpy
from numpy.typing import NDArray

from store.places.gazetteer import CELLS, Towns, cell_of, political, towns

# What lies farther from the nearest town is in no town: kilometres.
_FARTHEST: Final = 25.0

# Where zones overlap, or one is for several countries, the nearest town says which, if it is so near, in kilometres.
_FARTHEST_OF_ZONE: Final = 100.0
# Degrees: Antarctic Treaty, article VI. Zones there are for countries that claim a part, or the open sea.
_ANTARCTIC: Final = -60.0
_ALMOST_180, _ALMOST_90 = 179.9999999, 89.9999999
_KILOMETRES: Final = 111.195  # a degree on a globe of the radius in store.tables.geo
# Distances are divided by this power of the population, and of so many people more.
_POWER: Final = 0.15
_PEOPLE: Final = 500.0


@dataclass(frozen=True, slots=True)
class Place:
    """Names of a place; None where there is none, or it has none."""

    town: str | None = None
    region: str | None = None
    country: str | None = None


NOWHERE: Final = Place()


def place_at(latitude: float, longitude: float) -> Place:
    """The place at a position.

    At sea, beyond the waters of a country, there is none; in the wild there is a country only.

    Args:
        latitude: degrees, WGS84, north positive, -90 to 90.
        longitude: degrees, east positive, -180 to 180.
    """
    of = political()
    if latitude < _ANTARCTIC:
        return Place(country=of.countries["AQ"].name)
    # The date line and the poles belong to no zone: a centimetre beside them there is one.
    zones = tzfpy.get_tzs(min(max(longitude, -_ALMOST_180), _ALMOST_180), min(max(latitude, -_ALMOST_90), _ALMOST_90))
    codes = [code for zone in zones for code in of.zones.get(zone, ())]
    if not codes:
        return NOWHERE
    known = towns()
    rows, away = _around(known, latitude, longitude, _FARTHEST if len(codes) == 1 else _FARTHEST_OF_ZONE)
    of_rows = of.region_codes[known.region[rows]]
    code = codes[0]
    if len(codes) > 1:
        possible = np.isin(of_rows, codes)
        if not possible.any():
            return NOWHERE
        code = str(of_rows[np.where(possible, away, np.inf).argmin()])
    mine = (of_rows == code) & (away <= _FARTHEST)
    country = of.countries[code].name
    if not mine.any():
        return Place(country=country)
    rows, away = rows[mine], away[mine]
    weighted = away / (known.population[rows] + _PEOPLE) ** _POWER
    row = int(known.parent[rows[int(weighted.argmin())]])
    return Place(known.name(row), of.regions[int(known.region[row])].name or None, country)


def _around(
    known: Towns, latitude: float, longitude: float, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Towns within `reach` kilometres: their rows, int64 (n,), and how far they are, float64 (n,)."""
    high = reach / _KILOMETRES
    south, north = max(latitude - high, -90.0), min(latitude + high, 90.0)
    across = math.cos(math.radians(max(abs(south), abs(north))))
    # As wide as the circle is at its end towards the pole, which is more than it is anywhere.
    wide = high / across if across > high / 180 else 180.0
    parts = []
    for row in range(int((south + 90) * CELLS), min(int((north + 90) * CELLS), 180 * CELLS - 1) + 1):
        centre = row / CELLS - 90
        if wide >= 180:
            spans = [(-180.0, 180.0)]
        elif longitude - wide < -180:
            spans = [(longitude - wide + 360, 180.0), (-180.0, longitude + wide)]
        elif longitude + wide >= 180:
            spans = [(longitude - wide, 180.0), (-180.0, longitude + wide - 360)]
        else:
            spans = [(longitude - wide, longitude + wide)]
        for west, east in spans:
            first = known.starts[cell_of(centre, west)]
            last = known.starts[cell_of(centre, math.nextafter(east, -181.0) if east == 180 else east) + 1]
            parts.append(np.arange(first, last))
    rows = np.concatenate(parts)
    away = _KILOMETRES * np.hypot(
        known.latitude[rows] - latitude,
        ((known.longitude[rows] - longitude + 540) % 360 - 180) * math.cos(math.radians(latitude)),
    )
    near = away <= reach
    return rows[near], away[near].astype(np.float64)
