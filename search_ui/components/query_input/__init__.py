"""What is above the pictures: the parts of the query, the way in for pictures, and the browser's Back.

A component as those beside it, see the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

import streamlit as st

from search_ui.components.assets import css, javascript
from search_ui.components.event_queue import heard

_HERE: Final = Path(__file__).parent
_intake: Final = st.components.v2.component(
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


def intake(
    chips: Sequence[Chip], *, key: str, address: Mapping[str, str], max_bytes: int, room: int,
    on_pictures: Callable[[], None], on_remove: Callable[[], None], on_crop: Callable[[], None],
    leave_for: str = "",
) -> None:  # fmt: skip
    """Take pictures that are picked, dropped anywhere on the page or pasted; show the query's parts as chips.

    The handlers run before the next run of the script. At `st.session_state[key]` is then

    - `.pictures`: the names under which the route /picture keeps the files that were given since the last drawing;
    - `.removed`: a list of `[part, left]` for chips that were closed since then: how many of this text are left;
    - `.crop`: the name of the dropped picture whose chip was pressed;
    - `.moved`: where Back or Forward led to, for `outbox.heed` at the beginning of a run, each `{"address": ...}` with
      the address's values by name.

    Args:
        chips: the parts.
        key: of the component.
        address: where the page is, by name: what the session says, for the browser to note.
        max_bytes: what a picture may have.
        room: how many pictures can be taken now.
        on_pictures, on_remove, on_crop: the handlers.
        leave_for: another page of ours to go to; empty to stay.
    """
    _intake(
        key=key,
        data={
            "chips": list(chips),
            "address": dict(address),
            "max_bytes": max_bytes,
            "room": room,
            "leave_for": leave_for,
            "heard": heard(key),
        },
        default={"moved": []},
        on_pictures_change=on_pictures,
        on_removed_change=on_remove,
        on_crop_change=on_crop,
        on_moved_change=lambda: None,
    )
