"""From one open picture to the next: its neighbours in the order of the page.

Opening a picture is a step of the browser's history, and so is closing it. Going from one to the next is none: Back
closes the picture, however far one went. Streamlit can only add steps, so viewer.js replaces the URL itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from search_ui.parts import page_state

# So many pictures on each side are sent to the browser, which shows them before the server has answered.
PREFETCH: Final = 8
# Session key: the last picture of the page's order that was open. The page gets the focus there when the dialog closes.
_LAST: Final = "focus_photo"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A picture to go to, and its place in the order ("3 of 120"); empty where it has none."""

    id: int
    position: str


def return_focus() -> int | None:
    """Return the picture that gets the focus, while none is open."""
    last: int | None = st.session_state.get(_LAST)
    return last if page_state.open_photo_id() is None else None


def neighbours(content_id: int, order: Sequence[int]) -> list[Neighbour]:
    """Return a picture between those before it and after it.

    One that is not in the order, such as a similar one, is placed between the picture that was left and the next.
    """
    if content_id in order:
        st.session_state[_LAST] = content_id
        at = order.index(content_id)
        first = max(0, at - PREFETCH)
        return [_neighbour(order, number) for number in range(first, min(len(order), at + PREFETCH + 1))]
    last = st.session_state.get(_LAST)
    if last not in order:
        return [Neighbour(content_id, "")]
    at = order.index(last)
    after = [_neighbour(order, at + 1)] if at + 1 < len(order) else []
    return [_neighbour(order, at), Neighbour(content_id, ""), *after]


def _neighbour(order: Sequence[int], at: int) -> Neighbour:
    return Neighbour(order[at], f"{at + 1:,} of {len(order):,}")
