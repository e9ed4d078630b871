"""Two small components for what Streamlit has no widget for: a grid of many pictures, and a place to put one.

Custom Components v2: the files beside this one are the components, as they are, without a build step. They get ids,
addresses and text only, and set text as text: a file's name was chosen by whoever made the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypedDict

import streamlit as st

_HERE: Final = Path(__file__).parent


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_gallery: Final = st.components.v2.component("sightline_gallery", js=_read("gallery.js"), css=_read("gallery.css"))
_intake: Final = st.components.v2.component("sightline_intake", js=_read("intake.js"), css=_read("intake.css"))


class Tile(TypedDict):
    """One picture of the grid. `ratio` is width by height; `score` is shown as it is, empty for none."""

    id: int
    src: str
    name: str
    score: str
    title: str
    ratio: float


class Chip(TypedDict):
    """A picture that is part of the query: its term, a thumbnail's address (empty for none), a label."""

    term: str
    src: str
    label: str


def gallery(tiles: Sequence[Tile], *, key: str, on_open: Callable[[], None], on_like: Callable[[], None]) -> None:
    """Show a grid of pictures in rows of even height.

    The handlers run before the next run of the script; the content id is then at `st.session_state[key].opened`
    or `.liked`.
    """
    _gallery(key=key, data={"tiles": list(tiles)}, on_opened_change=on_open, on_liked_change=on_like)


def intake(
    chips: Sequence[Chip], *, key: str, max_bytes: int, on_picture: Callable[[], None], on_remove: Callable[[], None]
) -> None:
    """Take a picture that is picked, dropped anywhere on the page or pasted; show the query's pictures as chips.

    The file goes to the route /picture; its name there is then at `st.session_state[key].picture`, the term of a
    chip that was closed at `.removed`.
    """
    _intake(
        key=key,
        data={"chips": list(chips), "max_bytes": max_bytes},
        on_picture_change=on_picture,
        on_removed_change=on_remove,
    )
