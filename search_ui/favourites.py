"""Favourites as the pages' components change them: several at once where someone is quick."""

from __future__ import annotations

import streamlit as st

from search_ui.gallery.outbox import news, unheard
from search_ui.services import services
from store.errors import SightlineError
from store.library import Library


def heed(library: Library, key: str) -> None:
    """Do what the component under this key says of favourites, and no change twice.

    Called at the beginning of a run, not as a handler: a click that comes while a handler is at work ends it, and it is
    not called again.

    Raises:
        SightlineError: it can't be changed; the changes are then forgotten.
    """
    said = st.session_state.get(key, {}).get("favourites")
    wanted = {
        each["id"]: each["yes"]
        for each in unheard(key, said)
        if isinstance(each.get("id"), int) and isinstance(each.get("yes"), bool)
    }
    try:
        if wanted:
            services().still(library)
        for yes in (True, False):
            if ids := [id_ for id_, each in wanted.items() if each is yes]:
                library.marks.favourite(ids, yes)
    except SightlineError:  # it would fail again with every click
        news(key, said)
        raise
    # Only now: a click meanwhile ends this run anywhere, and the next one has to do it.
    news(key, said)
