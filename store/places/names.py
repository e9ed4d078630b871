"""What people call places, to the names that a library has, or to a position.

A name is compared without case, accents and punctuation. "Cologne" finds Köln, and "USA" the United States.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from store.places.folding import folded
from store.places.gazetteer import Country, names, political, towns

_CODES: Final = frozenset({"us", "uk"})
# Similar names are looked for among those of places with so many people.
_LARGE: Final = 100_000
# A town with so many times fewer people than another of the name is not meant by it, unless it is its own name.
_SMALL: Final = 100
_SUGGESTIONS: Final = 3


@dataclass(frozen=True, slots=True)
class Town:
    """A populated place; `about` is its name with those of its region and country."""

    about: str
    latitude: float
    longitude: float


def parts_of(text: str) -> list[str]:
    """The names in a text, folded: ["springfield", "illinois"] for "Springfield, Illinois"."""
    return [made for made in map(folded, text.split(",")) if made]


@lru_cache(2_048)
def country_called(text: str) -> Country | None:
    """The country of a name or a code of ISO 3166, folded or not; None where there is none."""
    of, name = political(), folded(text)
    return of.countries.get(of.codes.get(name, name.upper() if len(name) == 2 else ""))


@lru_cache(64)
def town_called(text: str) -> Town | None:
    """The most populous place of a name, as in "springfield".

    Behind commas may follow what it lies in, region or country or both: "springfield, illinois".
    """
    wanted, *within = parts_of(text) or [""]
    rows = [row for row in names().rows(wanted) if all(_is_in(row, part) for part in within)]
    if not rows:
        return None
    known = towns()
    # Sorted: of two with equal numbers always the same.
    row = max(rows, key=lambda row: (int(known.population[row]), -row))
    region = political().regions[int(known.region[row])]
    country = political().countries[region.country].name
    name = known.name(row)
    about = ", ".join(dict.fromkeys(part for part in (name, region.name, country) if part))
    return Town(about, round(float(known.latitude[row]), 4), round(float(known.longitude[row]), 4))


def similar_names(text: str) -> list[str]:
    """Names of cities that are written almost so, the likest first."""
    known = _large_towns()
    wanted = (parts_of(text) or [""])[0][:80]
    return [known[name] for name in difflib.get_close_matches(wanted, known, _SUGGESTIONS, 0.75)]


@lru_cache(1)
def _large_towns() -> dict[str, str]:
    known = towns()
    return {folded(name): name for name in map(known.name, np.flatnonzero(known.population >= _LARGE).tolist())}


def _is_in(row: int, part: str) -> bool:
    """Whether a place lies in a region or country of a folded name, or a region of such a code."""
    region = political().regions[int(towns().region[row])]
    country = country_called(part)
    if country is not None and country.code == region.country:
        return True
    return part in (folded(region.name), region.code.lower())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a name may be in a library.

    Attributes:
        words: the name, folded: whole words that a name begins with.
        towns: folded names of towns that are called so too.
        regions: folded names of regions with such a code.
        country: the country that is called so, if one is.
    """

    words: str
    towns: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    country: Country | None = None

    def suits(self, fact: str, value: str) -> bool:
        """Whether a town, region or country of the library is meant, however it is written there.

        Args:
            fact: "town", "region" or "country".
            value: the name in the library.
        """
        if fact == "country" and self.country is not None:  # Guinea is not Guinea-Bissau
            return country_called(value) == self.country
        name = _folded(value)
        # Not anywhere in a name: York is not in New York, nor Wales in New South Wales.
        if f"{name} ".startswith(f"{self.words} "):
            return bool(self.words)
        return name in {"town": self.towns, "region": self.regions}.get(fact, ())


_folded = lru_cache(16_384)(folded)


def wanted_in(fact: str, value: str) -> Wanted:
    """What a value of a filter on one `fact` may be: "town", "region" or "country"."""
    name = folded(value)
    match fact:
        case "town":
            return Wanted(name, towns=_towns_called(name))
        case "region":
            return Wanted(name, regions=_regions_called(name))
    return Wanted(name, country=country_called(name))


def wanted_places(value: str) -> list[Wanted]:
    """What a value of `place:` may be as a whole, and, where it has commas, each part of it."""
    whole, parts = folded(value), parts_of(value)
    # Codes of two letters are words of names of towns more often than countries.
    is_code = len(whole) == 2 and whole.isascii() and whole not in _CODES
    country = None if is_code else country_called(whole)
    made = [Wanted(whole, _towns_called(whole), country=country)]
    if len(parts) > 1:
        made.append(Wanted(parts[0], _towns_called(parts[0]), country=country_called(parts[0])))
        # Behind a comma a code is meant as one: "Springfield, IL".
        made += [Wanted(part, regions=_regions_called(part), country=country_called(part)) for part in parts[1:]]
    return made


@lru_cache(4_096)
def _towns_called(name: str) -> frozenset[str]:
    # Other names of small towns are those of large ones elsewhere: who asks for New York does not mean York, Nebraska.
    known, rows = towns(), names().rows(name)
    most = max((int(known.population[row]) for row in rows), default=0)
    meant = [row for row in rows if _SMALL * int(known.population[row]) >= most]
    return frozenset(folded(known.name(int(known.parent[row]))) for row in meant)


@lru_cache(256)
def _regions_called(name: str) -> frozenset[str]:
    # GeoNames numbers the regions of most countries; letters are what people write too.
    known = (each for each in political().regions if each.code.isalpha() and each.code.lower() == name)
    return frozenset(folded(each.name) for each in known)
