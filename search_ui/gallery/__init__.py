"""Two small components for what Streamlit has no widget for: pictures in sections, and the parts of a query.

Custom Components v2: the files beside this one are the components, as they are, without a build step. They get ids,
addresses and text only, and set text as text: a file's name was chosen by whoever made the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, TypedDict

import streamlit as st

_HERE: Final = Path(__file__).parent


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_gallery: Final = st.components.v2.component("sightline_gallery", js=_read("gallery.js"), css=_read("gallery.css"))
_intake: Final = st.components.v2.component("sightline_intake", js=_read("intake.js"), css=_read("intake.css"))


class Tile(TypedDict):
    """One picture of the grid.

    `score` is shown as it is, empty for none; `title` is what pointing at it tells; `ratio` is width by height;
    `folded` counts the near-duplicates that it stands for; `asked` says whether the query wants more, or less, like it.
    """

    id: int
    src: str
    name: str
    score: str
    title: str
    ratio: float
    folded: int
    favourite: bool
    asked: Literal["", "liked", "disliked"]


class Section(TypedDict):
    """Pictures under a title, which may be empty. `fold`: what opens them where they are folded away, else empty."""

    title: str
    fold: str
    tiles: list[Tile]


class Chip(TypedDict):
    """A part of the query: its text there, how it is shown, what it means, and addresses of thumbnails."""

    part: str
    label: str
    kind: str
    meaning: str
    pictures: list[str]


def gallery(
    sections: Sequence[Section], *, key: str, on_open: Callable[[], None], on_like: Callable[[], None],
    on_dislike: Callable[[], None], on_fold: Callable[[], None], is_unfolded: bool,
) -> None:  # fmt: skip
    """Show pictures in rows of even height, section by section.

    The handlers run before the next run of the script. At `st.session_state[key]` is then a content id as `.opened`,
    `.liked` or `.disliked`, or what became of the folded sections as `.fold`: `open` or `closed`.
    """
    _gallery(
        key=key,
        data={"sections": list(sections), "unfolded": is_unfolded, "small": False},
        on_opened_change=on_open,
        on_liked_change=on_like,
        on_disliked_change=on_dislike,
        on_fold_change=on_fold,
    )


def thumbnails(tiles: Sequence[Tile], *, key: str, on_open: Callable[[], None]) -> None:
    """Show small pictures that can be opened, and nothing more; the content id as `gallery` gives it."""
    section: Section = {"title": "", "fold": "", "tiles": list(tiles)}
    _gallery(key=key, data={"sections": [section], "unfolded": False, "small": True}, on_opened_change=on_open)


def intake(
    chips: Sequence[Chip], *, key: str, max_bytes: int, on_picture: Callable[[], None], on_remove: Callable[[], None]
) -> None:
    """Take a picture that is picked, dropped anywhere on the page or pasted; show the query's parts as chips.

    The file goes to the route /picture; its name there is then at `st.session_state[key].picture`, the `part` of a
    chip that was closed at `.removed`.
    """
    _intake(
        key=key,
        data={"chips": list(chips), "max_bytes": max_bytes},
        on_picture_change=on_picture,
        on_removed_change=on_remove,
    )
