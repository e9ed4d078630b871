"""The strip on each page while an indexer is at work, wherever it was started.

The browser draws it from what the server pushes (`components.live`): nothing of the page is drawn again, so what is
being typed, a dialog and the place in the grid stay as they are.
"""

from __future__ import annotations

import streamlit as st

from search_ui.components.live import Follows, live
from search_ui.parts import page_state, selection_bar
from search_ui.parts.live_state import LiveState, live_state
from search_ui.runtime.services import services


def banner(*, follows: Follows = "asked") -> None:
    """Draw an indexer at work, and a button for pictures added since. Once, before the page reads.

    Args:
        follows: when the page is drawn again.
    """
    _draw(live_state(services()), follows)


def search_banner() -> None:
    """Draw the banner of Search: until its first page is full, new pictures appear by themselves."""
    state = live_state(services())
    is_at_rest = not page_state.text() and page_state.open_photo_id() is None and not selection_bar.selected()
    _draw(state, "new" if is_at_rest and state["newest"] < page_state.FIRST else "asked")


def _draw(state: LiveState, follows: Follows) -> None:
    with st.container(key="banner"):
        live(state, key="live", follows=follows)
