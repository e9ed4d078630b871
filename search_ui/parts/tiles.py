"""What was found as the tiles of the grid: in sections by relevance, what lies below the line folded away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

from search_ui.components.gallery import Section, Tile
from sightline.humanize import count, file_name, number
from sightline.query.types import Like, Query
from sightline.ranking.results import Band, Hit, Result
from store.tables.catalog import PhotoRow

Asked = Mapping[int, Literal["liked", "disliked"]]

_TITLES: Final[Mapping[Band, str]] = {"strong": "Matches", "maybe": "Perhaps"}


def asked(query: Query) -> Asked:
    """The pictures of the library that a query wants more, or less, like; alternatives in an OR are neither."""
    return {
        group.any_of[0].subject.id: "disliked" if group.excluded else "liked"
        for group in query.groups
        if len(group.any_of) == 1 and isinstance(group.any_of[0].subject, Like)
    }


def tile(photo: PhotoRow, hit: Hit | None, asked: Asked, favourites: Collection[int]) -> Tile:
    """A picture as the grid wants it."""
    colour = photo.facts.get("colour")
    return {
        "id": photo.content_id,
        "hash": photo.hash.hex(),
        "folder": photo.display.removesuffix(file_name(photo)),
        "name": file_name(photo),
        "score": "" if hit is None else number(hit),
        "parts": [(of.term, of.cosine, of.score) for of in (hit.parts if hit else ())],
        "ratio": photo.facts["width"] / max(1, photo.facts["height"]),
        "colour": "" if colour is None else f"#{colour:06x}",
        "folded": len(hit.folded) if hit else 0,
        "favourite": photo.content_id in favourites,
        "asked": asked.get(photo.content_id, ""),
    }


def sections(result: Result, query: Query, favourites: Collection[int]) -> list[Section]:
    """The hits of a result, by band; together where the query sorts by facts, in the order it sorts."""
    likes = asked(query)
    tiles: dict[str, list[Tile]] = {}
    is_sorted = query.sort in ("date", "name")
    for hit in result.hits:
        band = "sorted" if is_sorted and hit.band != "below" else hit.band
        tiles.setdefault(band, []).append(tile(hit.photo, hit, likes, favourites))
    made: list[Section] = []
    if "sorted" in tiles:
        made.append({"title": "Matches and perhaps" if result.maybe else "", "fold": "", "tiles": tiles["sorted"]})
    for each, title in _TITLES.items():
        if each in tiles:
            made.append({"title": title if query.groups else "", "fold": "", "tiles": tiles[each]})
    if "below" in tiles:
        above = result.strong + result.maybe
        rest = count(result.total - above, "picture")
        fold = f"{rest.split()[0]} more that match less" if above else f"The nearest of {rest}"
        made.append({"title": "", "fold": fold, "tiles": tiles["below"]})
    return made


def is_below_reached(result: Result) -> bool:
    """Whether a result goes down to hits below the relevance line."""
    return any(hit.band == "below" for hit in result.hits)
