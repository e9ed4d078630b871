"""Places of `near:` by name: `near:kyoto`, `near:"san francisco",20`, `near:"springfield, illinois"`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sightline.query.formatting import printed_value
from store.places.gazetteer import political
from store.places.names import country_called, parts_of, similar_names, town_called, wanted_places
from store.tables.filters import Near

KILOMETRES: Final = 20.0
"""How far is near where nobody says: it is as far as most cities reach."""

_DISTANCE: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?:km)?", re.ASCII | re.IGNORECASE)


class UnknownPlace(ValueError):
    """No place has such a name; `suggestion` is what to write instead, where one thing is near."""

    def __init__(self, message: str, suggestion: str | None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def near_name(values: Sequence[str]) -> Near:
    """The filter of a name, maybe with what it lies in, and maybe with a distance in kilometres.

    Raises:
        UnknownPlace: no place has this name, or none there.
        ValueError: the distance is none.
    """
    parts = [" ".join(part.split()) for value in values for part in value.split(",")]
    distance = _DISTANCE.fullmatch(parts[-1]) if len(parts) > 1 else None
    name = ", ".join(part for part in (parts[:-1] if distance else parts) if part)
    town = town_called(name)
    if town is None:
        raise _unknown(name, f",{parts[-1]}" if distance else "")
    return Near(town.latitude, town.longitude, float(distance[1]) if distance else KILOMETRES, name=name)


def about_place(near: Near) -> str:
    """What the place of a filter is called in full, such as "Springfield, Illinois, United States"."""
    town = town_called(near.name)
    return near.name if town is None else town.about


def _unknown(name: str, rest: str) -> UnknownPlace:
    shown = f'"{name}"' if len(name) <= 80 else f'"{name[:77]}..."'
    first, *within = parts_of(name) or [""]
    if within and (town := town_called(first)):
        there = f"The largest place of this name is {town.about}."
        return UnknownPlace(f"near: knows no place called {shown}. {there} Leave out what is behind the comma.", None)
    whole = wanted_places(name)[0]
    if country_called(name) or any(whole.suits("region", region.name) for region in political().regions):
        return UnknownPlace(f"near: takes a town, and {shown} is larger. Write place:{printed_value(name)}.", None)
    found = similar_names(name)
    hint = f"Did you mean {' or '.join(found)}? " if found else ""
    return UnknownPlace(
        f"near: knows no place called {shown}. {hint}A place may be given in degrees, as in near:48.86,2.35,5.",
        f"{printed_value(found[0].lower())}{rest}" if found else None,
    )
