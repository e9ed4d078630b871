"""The component that shows pictures as a grid.

It gets ids, addresses and text only, and sets text as text: a file's name was chosen by whoever made the file.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NotRequired, TypedDict

import streamlit as st

from search_ui.components.assets import component, css, javascript
from search_ui.components.event_queue import acknowledged

_HERE: Final = Path(__file__).parent
# Of a larger selection the browser is told that it arrived, not what it is.
_ECHOED: Final = 3_000


_gallery: Final = component(
    "gallery",
    js=javascript(_HERE, "layout", "tile", "gestures", "gallery", "timeline", events=True),
    css=css(_HERE, "gallery"),
)
_marks: Final = component("marks", js=javascript(_HERE, "marks"))


class Tile(TypedDict):
    """One picture of the grid.

    `hash`: of its content, in hex. `folder`, `name`: its displayed path. `ratio`: width by height. `colour`: shown
    until the picture has loaded, such as `#2f6b5d`, or empty. `folded`: the number of near-duplicates that it stands
    for. `asked`: whether the query wants more, or less, like it. `box`: the part that it was found by, where that is
    not the whole: left, top, width and height as shares of it.
    """

    id: int
    hash: str
    folder: str
    name: str
    ratio: float
    colour: str
    folded: int
    favourite: bool
    asked: Literal["", "liked", "disliked"]
    box: NotRequired[tuple[float, float, float, float]]


class Section(TypedDict):
    """Pictures under a title, which may be empty. `fold`: the summary of a folded section, else empty."""

    title: str
    fold: str
    tiles: list[Tile]


class Sorting(TypedDict):
    """The choice of an order: values, their labels, and what is chosen, which may be none of them."""

    sorts: list[tuple[str, str]]
    sort: str


class Timed(TypedDict):
    """Pictures in order of time, which the browser fetches; see `search_ui.runtime.timelines`.

    `token`: of the timeline. `by`: what the days are. `state`: another one when favourites may have changed. `liked`,
    `disliked`: content ids that the query wants more, or less, like.
    """

    token: str
    by: Literal["taken", "added"]
    state: int
    liked: list[int]
    disliked: list[int]


NO_SORTING: Final[Sorting] = {"sorts": [], "sort": ""}


def gallery(
    shown: Sequence[Section] | Timed, *, key: str, query: str, is_unfolded: bool,
    selected: Sequence[int] = (), stamp: int = 0, focus: int | None = None, sorting: Sorting = NO_SORTING,
    on_open: Callable[[], None], on_like: Callable[[], None], on_dislike: Callable[[], None], may_star: bool,
    on_fold: Callable[[], None], on_sort: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Show pictures in rows of even height, section by section, and let people open, mark and select them.

    The handlers run before the next run of the script. At `st.session_state[key]` is then a content id as `.opened`,
    `.liked` or `.disliked`, or what became of the folded sections as `.fold`: `open` or `closed`. The order that was
    chosen is at `.sorted`.

    What has no handler is read at the beginning of a run, since a handler that is ended is not called again. What is
    selected is always at `.selected`: `{"query": ..., "stamp": ..., "ids": [...]}`, content ids in the order of the
    pictures, and what the grid knew as it was sent. Changes of favourites are at `.favourites`, for
    `event_queue.apply`: events `{"id": ..., "yes": ...}`.

    Args:
        shown: the pictures; a content id may be there once.
        key: of the component, and of the container around it.
        is_unfolded: whether sections with a `fold` are open.
        query: names what was searched for. Under the same one pictures may come and go while the place on the page and
            the selection stay; under another one the page starts at its top, with nothing selected.
        selected, stamp: what this page takes for the selection; the grid sends its own again where that is another. A
            `stamp` above all those before makes `selected` the grid's, too.
        focus: the picture to give the focus to when it changes, such as the one that a dialog ended at, unless the
            focus is elsewhere on the page by then. None while a dialog is open.
        sorting: the orders to choose from.
        on_open, on_like, on_dislike, on_fold, on_sort: the handlers.
        may_star: whether favourites can be changed, not only seen.
    """
    timed: Timed | None = shown if isinstance(shown, dict) else None
    sections = () if isinstance(shown, dict) else shown
    tiles = [tile for section in sections for tile in section["tiles"]]
    packed = pack(sections, key=key, query=query, small=False, favourites=may_star)
    if timed is not None:
        packed["timeline"] = {"token": timed["token"], "by": timed["by"]}
    with st.container(key=f"{key}-parts", gap=None):
        _gallery(
            key=key,
            data=_dated(key, {**packed, **sorting}),
            default={"selected": {}, "favourites": []},
            on_opened_change=on_open,
            on_liked_change=on_like,
            on_disliked_change=on_dislike,
            on_favourites_change=lambda: None,
            on_fold_change=on_fold,
            on_selected_change=lambda: None,
            on_sorted_change=on_sort,
            on_stale_change=lambda: None,
        )
        _marks(
            key=f"{key}-marks",
            data=_dated(f"{key}-marks", {
                "to": key,
                "query": query,
                "unfolded": is_unfolded,
                "favourites": [tile["id"] for tile in tiles if tile["favourite"]],
                "state": timed and timed["state"],
                "liked": timed["liked"] if timed else [tile["id"] for tile in tiles if tile["asked"] == "liked"],
                "disliked": (
                    timed["disliked"] if timed else [tile["id"] for tile in tiles if tile["asked"] == "disliked"]
                ),
                "selected": None if len(selected) > _ECHOED else list(selected),
                "stamp": stamp,
                "known": [len(selected), sum(selected)],
                "acknowledged": acknowledged(key),
                "focus": focus,
            }),
        )  # fmt: skip


def _dated(key: str, data: dict[str, object]) -> dict[str, object]:
    """Return the data with `at`, when it changed last (ms); the same object where it did not change."""
    last: dict[str, object] = st.session_state.get(f"{key}-drawn", {})
    if {**last, "at": 0} != {**data, "at": 0}:
        last = {**data, "at": time.time_ns() // 1_000_000}
        st.session_state[f"{key}-drawn"] = last
    return last


def thumbnails(tiles: Sequence[Tile], *, key: str, on_open: Callable[[], None]) -> None:
    """Show small pictures that can only be opened; the content id as `gallery` gives it."""
    section: Section = {"title": "", "fold": "", "tiles": list(tiles)}
    query = " ".join(str(tile["id"]) for tile in tiles)
    _gallery(
        key=key,
        data=_dated(key, pack([section], key=key, query=query, small=True, favourites=False)),
        on_opened_change=on_open,
    )


def pack(sections: Sequence[Section], *, key: str, query: str, small: bool, favourites: bool) -> dict[str, object]:
    """Pack the pictures by columns, each one text: about 100 bytes a picture.

    Nothing that changes with a click is in it. Names are separated by a slash, which no name contains, numbers by a
    space; hashes and colours have a fixed width.
    """
    tiles = [tile for section in sections for tile in section["tiles"]]
    folders = {tile["folder"]: "" for tile in tiles}
    places = {folder: str(place) for place, folder in enumerate(folders)}
    return {
        "key": key,
        "query": query,
        "small": small,
        "favourites": favourites,
        "sections": [
            {"title": section["title"], "fold": section["fold"], "count": len(section["tiles"])} for section in sections
        ],
        "ids": " ".join(str(tile["id"]) for tile in tiles),
        "hashes": b64encode(bytes.fromhex("".join(tile["hash"] for tile in tiles))).decode(),
        "names": "/".join(tile["name"] for tile in tiles),
        "folders": list(folders),
        "folder": " ".join(places[tile["folder"]] for tile in tiles),
        "ratios": " ".join(f"{tile['ratio']:.3f}" for tile in tiles),
        "colours": "".join(f"{tile['colour'].removeprefix('#'):6}" for tile in tiles),
        "folded": {str(place): tile["folded"] for place, tile in enumerate(tiles) if tile["folded"]},
        "boxes": {str(place): tile["box"] for place, tile in enumerate(tiles) if "box" in tile},
    }
