"""One picture, large: with the next one a key away, to look into, and to cut a part out of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypedDict

import streamlit as st

from search_ui.components.assets import css, javascript
from search_ui.components.event_queue import acknowledged

_HERE: Final = Path(__file__).parent

_viewer: Final = st.components.v2.component(
    "sightline_viewer", js=javascript(_HERE, "frame", "crop", "viewer", events=True), css=css(_HERE, "viewer")
)


class Picture(TypedDict):
    """A picture that can be gone to.

    `small` and `large` are addresses, `large` empty where the small one shows all there is; `width` and `height` are
    the upright picture's; `colour` is `#rrggbb` or empty; `position` says where it lies among the others; `favourite`
    whether it is one.
    """

    id: int
    name: str
    small: str
    large: str
    width: int
    height: int
    colour: str
    position: str
    favourite: bool


def viewer(
    pictures: Sequence[Picture], shown: int, *, key: str, on_move: Callable[[], None],
    on_part: Callable[[], None],
) -> None:  # fmt: skip
    """Show one of some pictures; the others are those that can be gone to without waiting.

    The id of the one that is shown is `photo` in the page's address, without a step of the browser's Back.

    At `st.session_state[key]` is then the id of the one that was gone to as `.moved`; changes of favourites as
    `.favourites`, for `event_queue.apply` at the beginning of a run, each `{"id": ..., "yes": ...}`; and
    `{"id": ..., "box": [left, top, right, bottom]}` of a part to search with as `.part`, as shares of width and height.

    Args:
        pictures: in order.
        shown: id of the one to show.
        key: of the component.
        on_move, on_part: run before the next run of the script.
    """
    _viewer(
        key=key,
        data={"pictures": list(pictures), "shown": shown, "cropping": False, "acknowledged": acknowledged(key)},
        default={"favourites": []},
        on_moved_change=on_move,
        on_favourites_change=lambda: None,
        on_part_change=on_part,
    )


def cutter(picture: Picture, *, key: str, on_part: Callable[[], None]) -> None:
    """Show a picture only to cut a part out of it; `.part` as `viewer` gives it."""
    _viewer(
        key=key,
        data={"pictures": [picture], "shown": picture["id"], "cropping": True},
        on_part_change=on_part,
    )
