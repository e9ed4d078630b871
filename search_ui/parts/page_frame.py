"""What all pages share: what each says where there is no library, or where it can't be read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.parts.first_run import first_run
from search_ui.parts.messages import WRONG, message
from search_ui.parts.run_banner import banner
from search_ui.runtime.services import services
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.errors import LibraryError, SightlineError
from store.remote import has_library
from store.tables import library_reports
from store.time_limit import time_limit

PAGE_SECONDS: Final = 30.0
"""So long the drawing of a page may take; then it says so, and others have their turn."""


def with_library(draw: Callable[[Searcher], None]) -> Callable[[], None]:
    """Give a page the searcher of the library; where there is none, say so and what to do."""

    @functools.wraps(draw)
    def drawn() -> None:
        try:
            searcher = services().searcher()
            searcher.space()
            is_empty = not library_reports.newest(searcher.library.catalog)
        except LibraryError as error:
            if has_library(services().path):  # nothing can be indexed into it either
                banner(follows="runs")
                message(str(error), role="alert")
            else:
                first_run()
            return
        except QueryError:  # nothing was indexed into it yet
            first_run()
            return
        except DatabaseError:
            banner(follows="runs")
            st.error(WRONG)
            return
        if is_empty and not searcher.library.readonly:
            first_run()
            return
        try:
            with time_limit(PAGE_SECONDS):
                draw(searcher)
        except DatabaseError:
            st.error(WRONG)
        except SightlineError as error:
            message(str(error), role="alert")

    return drawn
