"""Colours of the map's points by cluster, folder or year, and what each colour means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np

from store.arrays import Bytes, Floats, Ids
from store.library import Library
from store.tables.filters import Date, Folder

By = Literal["cluster", "folder", "year"]
BYS: Final[tuple[By, ...]] = get_args(By)

REST: Final = 255
"""The category of pictures without a colour of their own."""
QUIET: Final = ("#8a9290", "#7b8482")
"""Their grey on a light and on a dark ground."""

# The "bright" scheme, made to be told apart by people who are colour-blind, and on light and dark; without its grey.
# Source: P. Tol, Colour Schemes, SRON/EPS/TN/09-002, issue 3.2, 2021, figure 1.
BRIGHT: Final = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")

# Ten steps of viridis (S. van der Walt, N. Smith, 2015; public domain), whose lightness grows evenly, also for
# colour-blind people and in grey. Each end would be invisible on one of the two grounds, and is left out there.
_VIRIDIS: Final = (
    "#440154", "#482878", "#3E4A89", "#31688E", "#26838F", "#1F9E89", "#35B779", "#6CCE59", "#B5DE2C", "#FDE725",
)  # fmt: skip
_ON_LIGHT, _ON_DARK = (0.0, 0.8), (0.22, 1.0)
_FOLDERS_READ: Final = 2_000


@dataclass(frozen=True)
class Category:
    """A category of pictures, drawn in one colour.

    Attributes:
        number: its number in `Colouring.of`.
        name: of the cluster, the folder or the year.
        count: how many pictures are in it.
        light, dark: its colour on a light and on a dark ground, as in "#4477AA".
    """

    number: int
    name: str
    count: int
    light: str
    dark: str


@dataclass(frozen=True, eq=False)
class Colouring:
    """The categories of some pictures.

    Attributes:
        of: the category of each picture, uint8 (n,); `REST` where it has none.
        categories: those that have pictures, in the order of the legend.
    """

    of: Bytes
    categories: tuple[Category, ...]

    def picked(self, known: Ids, ids: Ids) -> Colouring:
        """Return the colouring of other pictures; those that are not among `known` are in `REST`.

        Args:
            known: the content ids of this colouring, int64 (n,), ascending.
            ids: the content ids wanted, int64 (m,).
        """
        if not len(known):
            return Colouring(np.full(len(ids), REST, np.uint8), ())
        rows = np.searchsorted(known, ids).clip(max=len(known) - 1)
        of = np.where(known[rows] == ids, self.of[rows], np.uint8(REST))
        sizes = np.bincount(of, minlength=REST + 1).tolist()
        counted = (replace(each, count=sizes[each.number]) for each in self.categories)
        return Colouring(of, tuple(each for each in counted if each.count))


def by_cluster(clusters: Bytes, labels: Sequence[str], places: Floats) -> Colouring:
    """Colour by cluster. Clusters outnumber distinguishable colours, so distant clusters share one.

    Args:
        clusters: uint8 (n,), below `len(labels)`.
        labels: the name of each cluster.
        places: float32 (n, 2).
    """
    count = len(labels)
    sizes = np.bincount(clusters, minlength=count)
    sums = np.stack([np.bincount(clusters, axis, count) for axis in places.T], axis=1)
    centres = sums / np.maximum(sizes, 1)[:, None]
    colours: list[int] = []
    for number in range(count):
        away = np.full(len(BRIGHT), np.inf)
        for other, colour in enumerate(colours):
            away[colour] = min(away[colour], float(np.hypot(*(centres[number] - centres[other]))))
        colours.append(int(away.argmax()))
    names = [label or f"Group {number + 1}" for number, label in enumerate(labels)]
    return _colouring(clusters, names, [(BRIGHT[colour],) * 2 for colour in colours], rest="")


def by_folder(library: Library, ids: Ids) -> Colouring:
    """Colour by the largest folders of the first level with several; the rest is grey. `ids`: int64 (n,)."""
    folders = library.catalog.facets(limit=_FOLDERS_READ)["folders"]
    level = [(name, count) for name, count in folders if "/" not in name]
    while len(level) == 1:
        inner = [each for each in folders if each[0].rpartition("/")[0] == level[0][0]]
        if not inner:
            break
        level = inner
    of = np.full(len(ids), REST, np.uint8)
    top = [name for name, _ in level if name.replace("/", " ").strip()][: len(BRIGHT)]
    for number, name in reversed(list(enumerate(top))):
        of[np.isin(ids, library.catalog.matching([Folder((name,))]))] = number
    return _colouring(of, top, [(colour, colour) for colour in BRIGHT], rest="other folders")


def by_year(library: Library, ids: Ids) -> Colouring:
    """Colour by the year taken, from dark to light; without a date it is grey. `ids`: int64 (n,)."""
    years = sorted(year for year, _ in library.catalog.facets(limit=1)["years"] if year.isascii() and year.isdigit())
    years = years[-REST:]
    of = np.full(len(ids), REST, np.uint8)
    for number, year in enumerate(years):
        of[np.isin(ids, library.catalog.matching([Date(year, year)]))] = number
    shares = np.linspace(0, 1, len(years)) if len(years) > 1 else np.full(len(years), 0.5)
    colours = [(scale(share, _ON_LIGHT), scale(share, _ON_DARK)) for share in shares]
    return _colouring(of, years, colours, rest="undated")


def _colouring(of: Bytes, names: Sequence[str], colours: Sequence[tuple[str, ...]], *, rest: str) -> Colouring:
    sizes = np.bincount(of, minlength=REST + 1).tolist()
    made = [
        Category(number, name, sizes[number], *colours[number]) for number, name in enumerate(names) if sizes[number]
    ]
    if sizes[REST] and rest:
        made.append(Category(REST, rest, sizes[REST], *QUIET))
    return Colouring(of, tuple(made))


def scale(share: float, ends: tuple[float, float]) -> str:
    """Return the colour at `share`, 0 to 1, of the part of viridis between `ends`, also 0 to 1."""
    at = (ends[0] + share * (ends[1] - ends[0])) * (len(_VIRIDIS) - 1)
    low = min(int(at), len(_VIRIDIS) - 2)
    one, two = (np.array([int(_VIRIDIS[low + step][i : i + 2], 16) for i in (1, 3, 5)]) for step in (0, 1))
    mixed = np.rint(one + (at - low) * (two - one)).astype(int).tolist()
    return "#" + "".join(f"{part:02X}" for part in mixed)
