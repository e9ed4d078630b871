"""The strip on each page while an indexer is at work, wherever it was started.

It is a fragment that looks every five seconds. Nothing else of the page is drawn again, so what is being typed, a
dialog and the place in the grid stay as they are.
"""

from __future__ import annotations

from html import escape
from typing import Final

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.parts.run_text import details, heading, share
from sightline.humanize import count
from sightline.searcher import Searcher
from store import progress
from store.errors import SightlineError
from store.library import Library
from store.lock import is_indexing
from store.progress import Progress
from store.tables import library_reports

EACH: Final = 5.0
"""Seconds between two looks. Not fewer: a look can take the place of a click that Streamlit has not processed yet."""
STARTING: Final = "Starting to index"
PREPARING: Final = "a model that is not here yet is downloaded first"


def banner(searcher: Searcher) -> None:
    """Draw an indexer at work, and a button that shows the pictures added since. Once on a page."""
    library = searcher.library
    try:
        drawn = library.catalog.generation(), library_reports.newest(library.catalog)
    except (SightlineError, DatabaseError):
        return  # the page has said so, or will
    with st.container(key="banner"):
        st.fragment(_watch, run_every=EACH)(library, drawn)


def _watch(library: Library, drawn: tuple[int, int]) -> None:
    state = progress.read(library.path)
    if state is not None:
        strip(heading(state), details(state), share(state))
    elif is_indexing(library.path):
        strip(STARTING, PREPARING, None)
    try:
        changed = library.catalog.generation() != drawn[0]
        added = library_reports.newest(library.catalog) - drawn[1] if changed else 0
    except (SightlineError, DatabaseError):
        return
    if changed and st.button(news(added), key="banner_show", type="tertiary", icon=":material/refresh:"):
        st.rerun()


def news(added: int) -> str:
    """Return the label of the button that draws the page again."""
    return f"{count(added, 'new picture')}: show {'it' if added == 1 else 'them'}" if added > 0 else (
        "The library has changed: show it as it is now"
    )  # fmt: skip


def strip(head: str, details: str, part: float | None) -> None:
    """Draw a line and a thin bar; an indeterminate one where `part`, 0 to 1, is not known."""
    value = "" if part is None else f' value="{part:.4f}"'
    more = f'<span class="run-said">{escape(details)}</span>' if details else ""
    st.html(
        f'<div class="run"><div class="run-line"><span class="run-head">{escape(head)}</span>{more}</div>'
        f'<progress max="1"{value} aria-label="{escape(head)}"></progress></div>'
    )


def line(state: Progress) -> None:
    """Draw the strip of a run."""
    strip(heading(state), details(state), share(state))
