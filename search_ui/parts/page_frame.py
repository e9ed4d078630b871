"""What all pages share: what each says where there is no library, or where it can't be read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.parts.messages import WRONG, first_run, message
from search_ui.runtime.services import services
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.errors import LibraryError, SightlineError
from store.library import DATABASE
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
        except LibraryError as error:
            if (services().path / DATABASE).is_file():
                message(str(error), role="alert")
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
            with time_limit(PAGE_SECONDS):
                draw(searcher)
        except DatabaseError:
            st.error(WRONG)
        except SightlineError as error:
            message(str(error), role="alert")

    return drawn
