"""Favourites as the pages' components change them: several at once where someone is quick."""

from __future__ import annotations

from typing import Any

import streamlit as st

from search_ui.components import event_queue
from search_ui.parts import widget_keys
from search_ui.runtime.services import services
from store.library import Library


def switch(content_id: int) -> str:
    """The name of the switch that says whether a picture is a favourite."""
    return f"favourite-{content_id}"


def heed(library: Library, key: str) -> None:
    """Do what the component under this key says of favourites, and no change twice.

    Called at the beginning of a run, not as a handler: a click that comes while a handler is at work ends it, and it is
    not called again.

    Raises:
        SightlineError: it can't be changed; the changes are then forgotten.
    """

    def change(said: dict[str, Any]) -> None:
        if isinstance(said.get("id"), int) and isinstance(said.get("yes"), bool):
            widget_keys.overruled(
                switch(said["id"])
            )  # before: a click may end this run, and bring the switch as it was
            services().require_same_library(library).marks.favourite([said["id"]], said["yes"])

    event_queue.heed(key, st.session_state.get(key, {}).get("favourites"), change)
