"""Turns hits into tiles of the grid, in sections by relevance."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

from search_ui.components.gallery import Section, Tile
from sightline.humanize import file_name
from sightline.query.types import Like, Query
from sightline.ranking.results import Band, Hit, Result
from store.tables.catalog import PhotoRow
from store.tables.tiles import Box

Preferences = Mapping[int, Literal["liked", "disliked"]]

_TITLES: Final[Mapping[Band, str]] = {"strong": "Matches", "maybe": "Possible matches"}


def preferences_of(query: Query) -> Preferences:
    """Return the pictures that a query wants more, or less, like; alternatives in an OR are neither."""
    return {
        group.any_of[0].subject.id: "disliked" if group.excluded else "liked"
        for group in query.groups
        if len(group.any_of) == 1 and isinstance(group.any_of[0].subject, Like)
    }


def tile(photo: PhotoRow, hit: Hit | None, preferences: Preferences, favourites: Collection[int]) -> Tile:
    """Return the tile of a picture."""
    colour = photo.facts.get("colour")
    made: Tile = {
        "id": photo.content_id,
        "hash": photo.hash.hex(),
        "folder": photo.display.removesuffix(file_name(photo)),
        "name": file_name(photo),
        "ratio": photo.facts["width"] / max(1, photo.facts["height"]),
        "colour": "" if colour is None else f"#{colour:06x}",
        "folded": len(hit.folded) if hit else 0,
        "favourite": photo.content_id in favourites,
        "asked": preferences.get(photo.content_id, ""),
    }
    if (box := found_by(hit)) is not None:
        made["box"] = box
    return made


def found_by(hit: Hit | None) -> Box | None:
    """Return the part that a picture was found by; None where that is the whole, or it was not found."""
    return None if hit is None or hit.band == "below" else hit.box


def sections(result: Result, query: Query, favourites: Collection[int]) -> list[Section]:
    """Return the hits by band; together, in their order, where the query sorts by facts.

    Hits below the threshold are folded away, unless there are no others.
    """
    preferences = preferences_of(query)
    tiles: dict[str, list[Tile]] = {}
    is_sorted = query.sort is not None and query.order != "best"
    for hit in result.hits:
        band = "sorted" if is_sorted and hit.band != "below" else hit.band
        tiles.setdefault(band, []).append(tile(hit.photo, hit, preferences, favourites))
    made: list[Section] = []
    if "sorted" in tiles:
        made.append(
            {"title": "Matches and possible matches" if result.maybe else "", "fold": "", "tiles": tiles["sorted"]}
        )
    for each, title in _TITLES.items():
        if each in tiles:
            made.append({"title": title if query.groups else "", "fold": "", "tiles": tiles[each]})
    if "below" in tiles:
        above = result.strong + result.maybe
        fold = f"Less similar ({result.total - above:,})" if above else ""
        made.append({"title": "", "fold": fold, "tiles": tiles["below"]})
    return made


def is_folding(result: Result) -> bool:
    """Whether a result has hits below the threshold that are folded away: there are others above it."""
    return bool(result.strong + result.maybe) and any(hit.band == "below" for hit in result.hits)
