"""From one open picture to the next: what lies around it in the order of the page, and how that is addressed.

To open a picture makes a step that the browser's Back takes, and so does closing it; going from one to the next makes
none: Back closes the picture, however far one went. So the viewer's script puts that into the address, and the server,
which could only make steps, follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from search_ui.parts import page_state

# So many pictures on each side are known to the browser, which shows them before the server has answered.
AHEAD: Final = 8
# The last picture of the page's order that one was at: there the page goes on when the dialog closes.
_HOME: Final = "focus_photo"


@dataclass(frozen=True, slots=True)
class Place:
    """A picture that can be gone to, and where it lies in the order, for people; empty where it lies in none."""

    id: int
    position: str


def home() -> int | None:
    """The picture that the page is to go on at, while none is open."""
    kept: int | None = st.session_state.get(_HOME)
    return kept if page_state.photo() is None else None


def around(content_id: int, order: Sequence[int]) -> list[Place]:
    """A picture between those that come before it and after it.

    One that is not in the order, such as a similar one, lies between the picture that one came from and the next.
    """
    if content_id in order:
        st.session_state[_HOME] = content_id
        at = order.index(content_id)
        first = max(0, at - AHEAD)
        return [_place(order, number) for number in range(first, min(len(order), at + AHEAD + 1))]
    last = st.session_state.get(_HOME)
    if last not in order:
        return [Place(content_id, "")]
    at = order.index(last)
    after = [_place(order, at + 1)] if at + 1 < len(order) else []
    return [_place(order, at), Place(content_id, ""), *after]


def _place(order: Sequence[int], at: int) -> Place:
    return Place(order[at], f"{at + 1:,} of {len(order):,}")
