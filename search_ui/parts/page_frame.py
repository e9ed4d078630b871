"""What all pages share: where they lie, how one leads to another, and what each says where there is no library."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.parts import page_state
from search_ui.parts.messages import WRONG, first_run, note
from search_ui.runtime.services import services
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.errors import LibraryError, SightlineError
from store.library import DATABASE

_SEARCH: Final = "search_page"


def remember_search_page(page: object) -> None:
    """Say which page searches; `search_for` goes there. Called at each run, before a page is drawn."""
    st.session_state[_SEARCH] = page
    if (text := st.session_state.pop("search_for", None)) is not None:
        page_state.forget()
        st.switch_page(st.session_state[_SEARCH], query_params={"q": text})


def search_for(text: str) -> None:
    """Search for a text on the page that searches, from any other one; a handler, or before `st.rerun`."""
    # Streamlit can't change pages while a handler runs: the run that follows does.
    st.session_state["search_for"] = text


def with_library(draw: Callable[[Searcher], None]) -> Callable[[], None]:
    """A page that needs the library: without one, or where it can't be read, it says so and what to do."""

    @functools.wraps(draw)
    def drawn() -> None:
        try:
            searcher = services().searcher()
            searcher.space()
        except LibraryError as error:
            if (services().path / DATABASE).is_file():
                note(str(error), role="alert")
            else:
                first_run(str(error))
            return
        except QueryError as error:
            first_run(str(error))
            return
        except DatabaseError:
            st.error(WRONG)
            return
        try:
            draw(searcher)
        except DatabaseError:
            st.error(WRONG)
        except SightlineError as error:
            note(str(error), role="alert")

    return drawn
