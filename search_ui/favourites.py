"""Favourites as the pages' components change them: several at once where someone is quick."""

from __future__ import annotations

import streamlit as st

from search_ui.gallery.outbox import news
from search_ui.services import services
from store.library import Library


def heed(library: Library, key: str) -> None:
    """Do what the component under this key says of favourites, and no change twice.

    Called at the beginning of a run, not as a handler: a click that comes while a handler is at work ends it, and it is
    not called again.

    Raises:
        SightlineError: it can't be changed; the changes are then forgotten.
    """
    wanted = {
        each["id"]: each["yes"]
        for each in news(key, st.session_state.get(key, {}).get("favourites"))
        if isinstance(each.get("id"), int) and isinstance(each.get("yes"), bool)
    }
    if not wanted:
        return
    services().still(library)
    for yes in (True, False):
        if ids := [id_ for id_, each in wanted.items() if each is yes]:
            library.marks.favourite(ids, yes)
