"""The component above the pictures: chips of the query, upload of pictures, Back and Forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

import streamlit as st

from search_ui.components.assets import css, javascript
from search_ui.components.event_queue import acknowledged

_HERE: Final = Path(__file__).parent
_component: Final = st.components.v2.component(
    "sightline_query_input", js=javascript(_HERE, "query_input", events=True), css=css(_HERE, "query_input")
)


class Chip(TypedDict):
    """A part of the query.

    `part` is its text there, `label` how it is shown, `kind` how it looks, `meaning` what pointing at it tells,
    `pictures` the addresses of its thumbnails; `given` names the dropped picture that it is, empty where it is none.
    """

    part: str
    label: str
    kind: str
    meaning: str
    pictures: list[str]
    given: str


def query_input(
    chips: Sequence[Chip], *, key: str, address: Mapping[str, str], max_bytes: int, room: int,
    on_pictures: Callable[[], None], on_remove: Callable[[], None], on_crop: Callable[[], None],
    redirect: str = "",
) -> None:  # fmt: skip
    """Show the query as chips; take pictures that are picked, pasted or dropped anywhere on the page.

    The handlers run before the next run of the script. At `st.session_state[key]` is then

    - `.pictures`: the names under which the route /picture keeps the files that were given since the last drawing;
    - `.removed`: a list of `[part, left]` for chips that were closed since then: how many of this text are left;
    - `.crop`: the name of the dropped picture whose chip was pressed;
    - `.moved`: where Back or Forward led to, for `event_queue.apply` at the beginning of a run: events
      `{"address": ...}` with the parameters of the URL by name.

    Args:
        chips: the parts.
        key: of the component.
        address: the parameters of the URL that belongs to the session's state, by name.
        max_bytes: the largest size of a picture.
        room: how many pictures can be taken now.
        on_pictures, on_remove, on_crop: the handlers.
        redirect: the URL of another page to go to; empty to stay.
    """
    _component(
        key=key,
        data={
            "chips": list(chips),
            "address": dict(address),
            "max_bytes": max_bytes,
            "room": room,
            "redirect": redirect,
            "acknowledged": acknowledged(key),
        },
        default={"moved": []},
        on_pictures_change=on_pictures,
        on_removed_change=on_remove,
        on_crop_change=on_crop,
        on_moved_change=lambda: None,
    )
