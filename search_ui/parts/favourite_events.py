"""Changes of favourites that components send: several at once where someone is quick."""

from __future__ import annotations

from typing import Any

import streamlit as st

from search_ui.components import event_queue
from search_ui.parts import widget_keys
from search_ui.runtime.services import services
from store.library import Library


def toggle_name(content_id: int) -> str:
    """Return the name of the toggle that shows whether a picture is a favourite."""
    return f"favourite-{content_id}"


def apply_events(library: Library, key: str) -> None:
    """Apply the changes of favourites that the component under this key sent, each once.

    To be called at the beginning of a run, not as a handler: a click while a handler runs ends it, and Streamlit does
    not call it again.

    Raises:
        SightlineError: a change failed; all of them are then dropped.
    """

    def change(event: dict[str, Any]) -> None:
        if isinstance(event.get("id"), int) and isinstance(event.get("yes"), bool):
            # First: a click may end this run, and bring the toggle's old value.
            widget_keys.invalidate(toggle_name(event["id"]))
            services().require_same_library(library).marks.favourite([event["id"]], event["yes"])

    event_queue.apply(key, st.session_state.get(key, {}).get("favourites"), change)
