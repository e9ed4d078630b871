"""The switch of a folder on the Library page: whether the server watches it for changes."""

from __future__ import annotations

import streamlit as st

from search_ui.parts.messages import caption, run_handler
from search_ui.runtime.services import services
from search_ui.runtime.watch_keeper import watch_keeper
from store.addresses import is_address
from store.library import Library
from store.paths import to_path
from store.tables.records import RootState
from store.tables.watched_roots import switch


def draw(library: Library, root: RootState) -> None:
    """Draw the switch of a root, and what the watcher last said of it; nothing where the page may not act."""
    if not services().manages or library.readonly or is_address(to_path(root.path)):
        return
    # Another key where it was switched elsewhere: a widget keeps what it was by its key.
    key = f"watch_{root.id}_{'on' if root.watched else 'off'}"
    st.toggle(
        "Watch for changes", value=root.watched, key=key, on_change=_switch, args=[root.id, key],
        help="Index new and changed pictures as soon as they are written, while Sightline runs",
    )  # fmt: skip
    if root.watched:
        caption(watch_keeper().line(root.path) or "Waiting for changes.")


def _switch(root_id: int, key: str) -> None:
    is_on = bool(st.session_state.get(key))

    def act() -> None:
        library = services().library()
        switch(library.catalog.engine, root_id, on=is_on)
        watch_keeper().sync(library)

    if services().manages:
        run_handler(act)
