"""Messages, saved searches, the state of the library.

Names and texts are foreign. Streamlit renders most texts as Markdown, which makes links even of escaped addresses: so
they go through `st.html` escaped, `st.code`, tables, or `escape_markdown` for buttons, which know no links.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import string
from collections.abc import Callable
from html import escape
from typing import Final, ParamSpec

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.parts import page_state
from search_ui.runtime.services import services
from sightline.humanize import ago, count
from sightline.query.parser import parse
from sightline.query.types import Picture, QueryError
from sightline.records import saved_text
from sightline.searcher import Searcher
from store.errors import SightlineError
from store.library import Library
from store.lock import is_indexing
from store.paths import display, to_bytes, to_path
from store.remote import shown
from store.tables.filters import abbreviated
from store.tables.marks import MarksError

MAX_FAILURES: Final = 200
WRONG: Final = "The library's database can't be read just now. Reload the page; if it stays so, restore a backup."
READONLY: Final = "This library is read-only here: tags, favourites and saved searches can be seen, but not changed."
_P = ParamSpec("_P")
# So much of the text on each side of a mistake is shown.
_AROUND: Final = 60


def escape_markdown(text: str) -> str:
    """Return Markdown that shows a text as it is, for labels."""
    return "".join(f"\\{char}" if char in string.punctuation else char for char in " ".join(text.split()))


def message(text: str, *, role: str = "status") -> None:
    """Show a message; an `alert` where something is wrong."""
    st.html(f'<div class="note {role}" role="{role}">{escape(text)}</div>')


def caption(text: str) -> None:
    """Show an explanation, in small print."""
    st.html(f'<div class="quiet">{escape(text)}</div>')


def syntax_error(text: str, error: QueryError) -> None:
    """Show what is wrong with a query, where, and a button that corrects it."""
    message(str(error), role="alert")
    if error.start is None or error.end is None:
        return
    start, end = error.start, error.end
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    # A mistake may have no extent: something is missing there.
    word = escape(text[start:end][: 2 * _AROUND]) or "&nbsp;"
    cut = "…" if start > _AROUND else "", "…" if len(text) > end + _AROUND else ""
    place = f"{cut[0]}{escape(before)}<mark>{word}</mark>{escape(after)}{cut[1]}"
    st.html(f'<div class="mistake">{place}</div>')
    if error.suggestion is not None:
        st.button(
            f"Change it to {escape_markdown(error.suggestion)}", key="suggestion", on_click=page_state.correct,
            args=[text, start, end, error.suggestion],
        )  # fmt: skip


def run_handler(change: Callable[[], object]) -> None:
    """Run what a click asks for; where it fails, the next drawing says so, see `handler_error`."""
    try:
        change()
    except SightlineError as error:
        st.session_state["refused"] = str(error)
    except DatabaseError:
        st.session_state["refused"] = "That could not be saved just now: the library's database is busy. Try again."


def catch_errors(draw: Callable[_P, None]) -> Callable[_P, None]:
    """Make a drawing function show its errors: for dialogs, which the page does not draw."""

    @functools.wraps(draw)
    def drawn(*arguments: _P.args, **named: _P.kwargs) -> None:
        try:
            draw(*arguments, **named)
        except DatabaseError:
            st.error(WRONG)
        except SightlineError as error:
            message(str(error), role="alert")

    return drawn


def model_loading(is_running: Callable[[], bool]) -> None:
    """Say that the model is loading, and what works meanwhile; draw the page again once it is loaded."""

    @st.fragment(run_every=1.0)
    def look() -> None:
        if not is_running():
            st.rerun()
        message(
            "Loading the model that reads words and pictures: a few seconds, once. Filters and browsing already work."
        )

    look()


def handler_error() -> None:
    """Show why the last click failed, once."""
    refused = st.session_state.pop("refused", None)
    if refused is not None:
        message(refused, role="alert")


# -- saved searches -------------------------------------------------------------------------------------------------


def saved_searches(library: Library) -> None:
    """Draw the list of saved searches, and a form that saves the present one, behind a button."""
    # Closed after going somewhere: under another key it is another popover.
    with st.popover("Saved", icon=":material/bookmark:", key=f"saved-{st.session_state.get('went', 0)}"):
        if library.readonly:
            caption(READONLY)
        else:
            _save_form(library)
        searches = library.marks.saved_searches()
        if not searches:
            caption("No search is saved yet.")
        for search in searches:
            # By name: the second of two quick clicks must not fall on the next search, which has moved up by then.
            key = hashlib.sha256(search.name.encode()).hexdigest()
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    escape_markdown(search.name), key=f"go-{key}", type="tertiary", on_click=_go, args=[search.query]
                )
                if not library.readonly:
                    st.button(
                        "Delete", key=f"delete-{key}", type="tertiary", help=escape_markdown(f"Delete {search.name}"),
                        on_click=run_handler, args=[lambda name=search.name: library.marks.delete_search(name)],
                    )  # fmt: skip
            caption(search.query)


def _save_form(library: Library) -> None:
    try:
        query = parse(page_state.text())
    except QueryError:
        caption("What the box holds can't be searched for, so it can't be saved.")
        return
    if query.is_empty:
        caption("Search for something first: then it can be saved here, under a name.")
        return
    with st.form("save", clear_on_submit=True, border=False):
        st.text_input("Name of this search", key="save_as")
        if any(isinstance(term.subject, Picture) for term in query.terms):
            caption("It has a dropped picture in it, which is gone when Sightline is started again.")
        st.form_submit_button("Save", on_click=_save, args=[library])


def _save(library: Library) -> None:
    def save() -> None:
        name = st.session_state["save_as"]
        if name in [search.name for search in library.marks.saved_searches()]:
            raise MarksError(
                f"There is a saved search {abbreviated(name)} already. Choose another name, or delete that one."
            )
        library.marks.save_search(name, saved_text(parse(page_state.text())))

    run_handler(save)


def _go(text: str) -> None:
    st.session_state["went"] = st.session_state.get("went", 0) + 1
    page_state.set_query(text)


# -- the library ----------------------------------------------------------------------------------------------------


@st.dialog("Files that could not be read", width="large")
@catch_errors
def failures(searcher: Searcher) -> None:
    """Draw the dialog of the files that could not be read, with the reasons."""
    rows = searcher.library.catalog.failures()
    st.caption("They are tried again when they change. Everything else can be searched.")
    st.dataframe(
        [{"File": display(to_bytes(to_path(row.root, row.path))), "Why": row.reason} for row in rows[:MAX_FAILURES]],
        hide_index=True,
    )
    if len(rows) > MAX_FAILURES:
        st.caption(f"The first {MAX_FAILURES} of {len(rows):,}.")


def status_line(searcher: Searcher) -> None:
    """Draw a line on the state of the library."""
    space = searcher.space()
    counts = searcher.library.catalog.counts(space.id)
    last = searcher.library.catalog.last_run()
    ended = last["finished_at"] if last else None
    parts = [count(counts.pictures, "picture"), f"model {space.name}"]
    if ended and not is_indexing(searcher.library.path):
        parts.append(f"indexed {ago(ended)}")
    if counts.missing:
        parts.append(f"{count(counts.missing, 'file')} missing")
    with st.container(key="status", horizontal=True, vertical_alignment="center"):
        caption(" · ".join(parts))
        if counts.failed and st.button(f"{count(counts.failed, 'file')} could not be read", type="tertiary"):
            failures(searcher)


def named_library() -> str:
    """Return the option that names this library to the indexer; empty where it is the default one."""
    return f" --library {shlex.quote(shown(services().path))}" if "SIGHTLINE_LIBRARY" in os.environ else ""
