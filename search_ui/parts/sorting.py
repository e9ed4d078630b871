"""The choice of an order above the pictures, and which orders show pictures by their dates."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast, get_args

from search_ui.components.gallery import Sorting, Timed
from search_ui.parts import page_state
from search_ui.parts.tiles import preferences_of
from search_ui.runtime.services import services
from search_ui.runtime.timelines import Timeline, timelines
from sightline.query.types import Order, Query
from sightline.ranking.results import Result
from sightline.searcher import Searcher

_LABELS: Final[dict[Order, str]] = {
    "best": "Best match", "newest": "Newest", "oldest": "Oldest", "name": "Name", "added": "Added",
}  # fmt: skip
# Those that stand in the text: the usual order of filters alone stays a page of hits.
TIMED: Final = ("newest", "oldest", "added")


def sorting(query: Query) -> Sorting:
    """Return the orders that a query can have, and the one that it has; none where nothing was asked for."""
    sorts = [(order, label) for order, label in _LABELS.items() if query.groups or order != "best"]
    if query.groups or (query.sort is not None and query.order != "best"):
        return {"sorts": [*sorts], "sort": query.order}
    return {"sorts": [("", "Sort"), *sorts], "sort": ""}


def sort_by(order: object) -> None:
    """Put an order into the query. A handler."""
    if order in get_args(Order):
        chosen = cast(Order, order)
        page_state.change(lambda query: replace(query, sort=None if query.groups and chosen == "best" else chosen))


def timeline_of(searcher: Searcher, query: Query, result: Result) -> Timeline | None:
    """Return a result in order of time; None where it is in another order, or nothing matches."""
    if query.sort not in TIMED or not result.strong + result.maybe:
        return None
    return timelines().register(searcher, query, services().uploads.pictures_of(query), result.generation)


def timed(timeline: Timeline) -> Timed:
    """Return what the grid is told of a timeline."""
    asked = preferences_of(timeline.query)
    return {
        "token": timeline.token,
        "by": "added" if timeline.query.order == "added" else "taken",
        "state": timeline.searcher.library.catalog.state()[1],
        "liked": [id_ for id_, how in asked.items() if how == "liked"],
        "disliked": [id_ for id_, how in asked.items() if how == "disliked"],
    }
