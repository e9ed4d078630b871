"""A closer look at the first hits: a button begins it, it works in the background, and may be stopped."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

import streamlit as st

from search_ui.parts import page_state
from search_ui.parts.messages import message
from search_ui.runtime.services import services
from sightline.jobs import Background, Job
from sightline.query.types import Query
from sightline.ranking.closer import LOOKED_AT
from sightline.ranking.handicap import looks_at_tiles
from sightline.searcher import Searcher

_NAME: Final = "closer_look"
_POLL_SECONDS: Final = 0.5
_looking: Final = Background()


@dataclass
class CloserLook:
    """A visitor's closer look at one search.

    Attributes:
        text: of the search.
        job: as far as it is.
        stop: set it to end the look with what was seen.
        done, total: hits that were looked at, of how many.
    """

    text: str
    stop: threading.Event = field(default_factory=threading.Event)
    job: Job[None] | None = None
    done: int = 0
    total: int = LOOKED_AT


def asked_for() -> CloserLook | None:
    """The closer look at the search that is shown, if the visitor asked for one."""
    found = st.session_state.get(_NAME)
    return found if isinstance(found, CloserLook) and found.text == page_state.text() else None


def has_ended() -> bool:
    """Whether there was a closer look at the search that is shown, and it has ended."""
    look = asked_for()
    return look is not None and look.job is not None and not look.job.is_running


def seen() -> int:
    """How many hits of the search that is shown were looked at closer, once that has ended."""
    look = asked_for()
    return look.done if look is not None and has_ended() else 0


def draw(searcher: Searcher, query: Query, *, is_shown: bool) -> None:
    """Draw the button, or how far the look is.

    Args:
        searcher: of the library.
        query: the search that is shown.
        is_shown: whether the look had ended before the hits were searched for. It may have ended since: then the page
            is drawn again.
    """
    if not looks_at_tiles(query) or searcher.library.tiles.get(searcher.space_for(query).id) is not None:
        return
    look = asked_for()
    with st.container(key="closer", horizontal_alignment="center"):
        if look is None:
            st.button(
                "Look closer", icon=":material/zoom_in:", on_click=_begin, args=[searcher, query],
                help=f"Look for small things in parts of the first {LOOKED_AT} pictures. It takes seconds to minutes; "
                "`--tiles` when indexing does it for all of them, once.",
            )  # fmt: skip
        elif not is_shown:
            _progress(look)
        elif look.job is not None and look.job.error:
            message(look.job.error, role="alert")
        else:
            st.caption(f"Looked closer at {look.done} of the first {look.total} pictures.")


def _begin(searcher: Searcher, query: Query) -> None:
    look = CloserLook(page_state.text())
    given = services().uploads.pictures_of(query)

    def report(done: int, total: int) -> None:
        look.done, look.total = done, total

    def work(_: object) -> None:
        searcher.look_closer(query, pictures=given, report=report, is_stopped=look.stop.is_set)

    st.session_state[_NAME] = look
    look.job = _looking.job(id(look), work)


@st.fragment(run_every=_POLL_SECONDS)
def _progress(look: CloserLook) -> None:
    if look.job is None or not look.job.is_running:
        st.rerun()
    st.progress(look.done / max(1, look.total), f"Looking closer: {look.done} of {look.total} pictures")
    st.button("Stop", key="closer-stop", on_click=look.stop.set)
