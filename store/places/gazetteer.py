"""The gazetteer: populated places, regions and countries of the world, and the names they have.

Made by docs/make_places.py. Each part is read when it is first needed, once a process: places and their own names take
some 12 MB of memory, all names together 16 MB.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T")

FOLDER: Final = Path(__file__).parent
CELLS: Final = 2  # a degree; places lie in rows of such cells, from the south-west
_ROW: Final = 360 * CELLS


class _Once(Generic[_T]):
    """A value that is made when it is first asked for, once: `functools.cache` may do it in two threads."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make, self._lock, self._made = make, threading.Lock(), list[_T]()

    def __call__(self) -> _T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


def cell_of(latitude: float, longitude: float) -> int:
    """The number of the cell of a position, in degrees."""
    row = min(int((latitude + 90) * CELLS), 180 * CELLS - 1)
    return row * _ROW + int((longitude + 180) * CELLS) % _ROW


@dataclass(frozen=True)
class Region:
    """A state, a province and the like. `code` is that of GeoNames; `name` is empty where none is known."""

    country: str
    code: str
    name: str


@dataclass(frozen=True)
class Country:
    """A country, or what has a code of its own in ISO 3166; `names` are all its names, folded."""

    code: str
    name: str
    names: frozenset[str]


@dataclass(frozen=True)
class Political:
    """Countries by their codes, regions in order, and the codes of the countries of each time zone."""

    countries: Mapping[str, Country]
    regions: Sequence[Region]
    zones: Mapping[str, Sequence[str]]

    @cached_property
    def region_codes(self) -> NDArray[np.str_]:
        """The code of the country of each region."""
        return np.array([region.country for region in self.regions])

    @cached_property
    def codes(self) -> Mapping[str, str]:
        """The code of a country by each of its names, folded."""
        return {name: country.code for country in self.countries.values() for name in country.names}


@dataclass(frozen=True, eq=False)
class Towns:
    """Populated places, in the order of their cells.

    Attributes:
        latitude, longitude: degrees, float32 (n,).
        population: uint32 (n,), 0 where nobody knows it.
        region: rows of `Political.regions`, uint16 (n,).
        parent: the row of the city that it is part of, or its own, int32 (n,).
        starts: where each cell begins, and the last one ends, int32 (cells + 1,).
    """

    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    population: NDArray[np.uint32]
    region: NDArray[np.uint16]
    parent: NDArray[np.int32]
    starts: NDArray[np.int32]
    _names: NDArray[np.uint8]
    _ends: NDArray[np.int32]

    def name(self, row: int) -> str:
        """The name of a place."""
        return _line(self._names, self._ends, row)


@dataclass(frozen=True, eq=False)
class Names:
    """All names of all places, folded and sorted by their UTF-8 bytes."""

    _names: NDArray[np.uint8]
    _ends: NDArray[np.int32]
    _starts: NDArray[np.int64]
    _rows: NDArray[np.int32]

    def rows(self, name: str) -> list[int]:
        """The rows of the places that have a folded name, in order."""
        wanted = name.encode()
        low, high = 0, len(self._ends)
        while low < high:
            middle = (low + high) // 2
            if _bytes(self._names, self._ends, middle) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self._ends) or _bytes(self._names, self._ends, low) != wanted:
            return []
        return [int(row) for row in self._rows[self._starts[low] : self._starts[low + 1]]]


def _bytes(lines: NDArray[np.uint8], ends: NDArray[np.int32], row: int) -> bytes:
    return lines[int(ends[row - 1]) + 1 if row else 0 : int(ends[row])].tobytes()


def _line(lines: NDArray[np.uint8], ends: NDArray[np.int32], row: int) -> str:
    return _bytes(lines, ends, row).decode()


def _ends_of(lines: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Where each line ends: at its line feed, the last one at the end."""
    return np.append(np.flatnonzero(lines == ord("\n")), len(lines)).astype(np.int32)


def _read_political() -> Political:
    read: dict[str, Any] = json.loads((FOLDER / "countries.json").read_text(encoding="utf-8"))
    countries = {
        code: Country(code, each["name"], frozenset(each["names"])) for code, each in read["countries"].items()
    }
    return Political(countries, [Region(*each) for each in read["regions"]], read["zones"])


def _read_towns() -> Towns:
    with np.load(FOLDER / "towns.npz", allow_pickle=False) as file:
        read = {name: file[name] for name in file.files}
    latitude, longitude = read["latitude"], read["longitude"]
    rows = np.minimum((latitude.astype(np.float64) + 90) * CELLS, 180 * CELLS - 1).astype(np.int32)
    cells = rows * _ROW + ((longitude.astype(np.float64) + 180) * CELLS).astype(np.int32) % _ROW
    starts = np.searchsorted(cells, np.arange(180 * CELLS * _ROW + 1)).astype(np.int32)
    names = read["names"]
    return Towns(
        latitude, longitude, read["population"], read["region"], read["parent"], starts, names, _ends_of(names)
    )


def _read_names() -> Names:
    with np.load(FOLDER / "names.npz", allow_pickle=False) as file:
        names, counts, rows = file["names"], file["counts"], file["rows"]
    return Names(names, _ends_of(names), np.append(0, np.cumsum(counts, dtype=np.int64)), rows)


political: Final = _Once(_read_political)
"""Countries, regions and time zones."""
towns: Final = _Once(_read_towns)
"""Populated places."""
names: Final = _Once(_read_names)
"""Names of populated places."""
