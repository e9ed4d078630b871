"""The state of the Search page, in session and URL: the text of the query, and the open picture.

The text holds the whole query: pictures of the library (`like:`), dropped ones (`picture:`), filters and options. So a
reload, a shared link and a saved search ask for the same. Handlers only change the state; drawing follows from it.

What is typed is the browser's until it is sent. A draft, typed and not sent, is told when the box loses the focus: what
changes the query then changes the draft, which is what the visitor sees.

The URL is written here, and read when a session begins. Where Back and Forward lead, the browser tells: a run can't
know, see docs/internals/streamlit.md. Other pages open Search by `open_search` and `open_photo_in_search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from search_ui.components import event_queue
from search_ui.parts.rising_numbers import next_number
from sightline.query.edits import disliked, liked, without
from sightline.query.parser import explain, parse, to_text
from sightline.query.types import MAX_TERMS, Picture, Query, QueryError

# More than a wide screen of small pictures; the next ones come in larger steps.
FIRST: Final = 120
STEP: Final = 240
# A browser keeps up with so many pictures. Who wants more is better served by a filter, or by the command line.
MAX_SHOWN: Final = 3_000

BOX: Final = "query_input"
"""The key of the component that holds the box."""
_OPEN: Final = "open_in_search"  # session keys: where a handler wants to go
_REDIRECT: Final = "redirect"


# -- session and URL ------------------------------------------------------------------------------------------------


def init_session() -> None:
    """Give a new session the state that its URL names, and one that comes from another page."""
    if "query" not in st.session_state:
        draft, version = st.session_state.get("draft"), box_version()
        _restore(st.query_params.to_dict())
        if draft is not None:  # still in the box
            st.session_state.update(draft=draft, box=version)


def leave() -> None:
    """Forget the query, for another page is drawn: what comes back has a URL. A draft stays."""
    st.session_state.pop("query", None)


def receive() -> None:
    """Apply what the box has sent. At the beginning of a run, and of handlers that change what it changes."""
    event_queue.apply(BOX, _sent(), _apply)


def _sent() -> Any:
    return st.session_state.get(BOX, {}).get("sent")


def _apply(event: Mapping[str, Any]) -> None:
    if isinstance(event.get("address"), dict):
        _navigate(event["address"])
    if isinstance(event.get("draft"), str):
        st.session_state["draft"] = event["draft"].strip()
    if isinstance(event.get("text"), str):
        _ask(event["text"].strip())
    if isinstance(event.get("pictures"), list):
        _add_images([str(name) for name in event["pictures"]])


def _navigate(params: Mapping[str, Any]) -> None:
    """Follow the browser to another URL, given by its parameters `q`, `photo`, `shown`, `below`."""
    if _normalized(params) != current_url_params():
        _restore(params)


def _ask(typed: str) -> None:
    """Search for what the box holds."""
    is_new = typed != text()
    st.session_state.update(query=typed, draft=None)
    if is_new:
        _show_first_page()


def current_url_params() -> dict[str, str]:
    """Return the parameters of the URL of the present state, without those that have their default."""
    every = {
        "q": text(),
        "photo": str(open_photo_id() or ""),
        "shown": "" if shown_count() == FIRST else str(shown_count()),
        "below": "open" if is_unfolded() else "",
    }
    return {name: value for name, value in every.items() if value}


def reset() -> None:
    """Forget the state: the next drawing takes it from the URL."""
    for name in ("query", "draft", "k", "unfolded", "photo"):
        st.session_state.pop(name, None)


def _restore(params: Mapping[str, Any]) -> None:
    own = _normalized(params)
    _fill_box(own.get("q", ""))
    st.session_state.update(
        photo=_id(own.get("photo", "")), k=int(own.get("shown", FIRST)), unfolded="below" in own,
        address=_history_params(own), opening=next_number(opening()),
    )  # fmt: skip


def _history_params(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that make a step of Back. How far down the page goes makes none."""
    return {name: value for name, value in params.items() if name in ("q", "photo")}


def _normalized(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters as `current_url_params` would give them, whatever someone wrote into a URL."""
    given = {name: str(params.get(name) or "") for name in ("q", "photo", "shown", "below")}
    count = min(_id(given["shown"]) or FIRST, MAX_SHOWN)
    opened = _id(given["photo"])
    own = {
        "q": given["q"].strip(),
        "photo": "" if opened is None else str(opened),
        "shown": "" if count == FIRST else str(count),
        "below": "open" if given["below"] == "open" else "",
    }
    return {name: value for name, value in own.items() if value}


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0 else None


def _write_url() -> None:
    params = _history_params(current_url_params())
    # Compared with what was written last, not with `st.query_params`, which does not hear of Back.
    if params != st.session_state.get("address"):
        st.session_state["address"] = params
        st.query_params.from_dict(params)  # all at once, so that it is one step


# -- from page to page ----------------------------------------------------------------------------------------------


def open_search(query: str) -> None:
    """Open the Search page with a query, from any other page. A handler, or before `st.rerun`."""
    st.session_state[_OPEN] = {"q": query}


def open_photo_in_search(content_id: int) -> None:
    """Open a picture on the Search page, from any other page. A handler, or before `st.rerun`."""
    st.session_state[_OPEN] = {"photo": str(content_id)}


def switch_page(search_page: StreamlitPage) -> None:
    """Go where a handler wanted to go, which it can't do itself. Called before a page is drawn."""
    params = st.session_state.pop(_OPEN, None)
    if params is not None:
        reset()
        st.switch_page(search_page, query_params=params)


def open_url(url: str) -> None:
    """Go from the Search page to another one, with parameters. A handler.

    The browser goes there: `st.switch_page` with parameters adds a step to the history that Back can't leave.
    """
    st.session_state[_REDIRECT] = url


def pop_redirect() -> str:
    """Return where `open_url` wants to go, once; empty for nowhere."""
    return str(st.session_state.pop(_REDIRECT, ""))


# -- the state ------------------------------------------------------------------------------------------------------


def text() -> str:
    """Return the text of the query, as it was typed and sent."""
    return str(st.session_state.get("query", ""))


def box_version() -> int:
    """Return how often the page put a text into the box, which then takes the text of the query."""
    return int(st.session_state.get("box", 0))


def _fill_box(text: str) -> None:
    st.session_state.update(query=text.strip(), draft=None, box=box_version() + 1)


def shown_count() -> int:
    """Return how many hits the page shows at most."""
    return int(st.session_state.get("k", FIRST))


def is_unfolded() -> bool:
    """Whether hits below the relevance threshold are shown too."""
    return bool(st.session_state.get("unfolded"))


def open_photo_id() -> int | None:
    """Return the content id of the picture that is open; None where none is."""
    opened: int | None = st.session_state.get("photo")
    return opened


def opening() -> int:
    """Return the number of the last opening of a picture: the browser may have closed it already."""
    return int(st.session_state.get("opening", 0))


def open_photo(content_id: int) -> None:
    """Open a picture: the URL then leads to it, and Back closes it. A handler."""
    receive()
    st.session_state.update(photo=content_id, opening=next_number(opening()))
    _write_url()


def follow_to_photo(content_id: int) -> None:
    """Note that another picture is open, which the browser has put into the URL already. A handler."""
    st.session_state["photo"] = content_id
    st.session_state["address"] = {**st.session_state.get("address", {}), "photo": str(content_id)}


def close_photo() -> None:
    """Close the picture that is open. A handler: of a dialog, as its `on_dismiss`."""
    # Where Back closed it the browser says both, and Forward may have opened it again since.
    has_moved = any("address" in event for event in event_queue.pending(BOX, _sent()))
    receive()
    if not has_moved and open_photo_id() is not None:
        st.session_state["photo"] = None
        _write_url()


def set_query(text: str, *, unfolded: bool = False) -> None:
    """Replace the query, and show its first page. A handler."""
    receive()
    _fill_box(text)
    _show_first_page(unfolded=unfolded)


def _show_first_page(*, unfolded: bool = False) -> None:
    st.session_state.update(k=FIRST, unfolded=unfolded, photo=None)
    _write_url()


def change(made: Callable[[Query], Query], *, unfolded: bool = False) -> None:
    """Replace the query by `made` of it, or of the draft; where that fails, the page says why. A handler."""
    receive()
    _change(made, unfolded=unfolded)


def _change(made: Callable[[Query], Query], *, unfolded: bool = False) -> None:
    draft = st.session_state.get("draft")
    shown = text() if draft is None else draft
    try:
        changed = to_text(made(parse(shown)))
    except QueryError as error:
        # Too many terms, or a draft that can't be read: the page says so beside what it draws.
        st.session_state["refused"] = str(error)
        _ask(shown)
    else:
        _fill_box(changed)
        _show_first_page(unfolded=unfolded)


def add_images(names: Sequence[str]) -> None:
    """Add uploaded pictures to the query, as many as it takes, none twice. A handler."""
    receive()
    _add_images(names)


def _add_images(names: Sequence[str]) -> None:
    def added(query: Query) -> Query:
        new = [name for name in names if Picture(name) not in {term.subject for term in query.terms}]
        free = MAX_TERMS - len(query.terms)
        if len(new) > free:
            st.session_state["refused"] = (
                f"A query takes {MAX_TERMS} terms: {free} of the {len(new)} pictures were added. Take something out, "
                "and add the others."
            )
        return query.with_pictures(new[:free])

    _change(added)


def clear_filters() -> None:
    """Remove all filters from the query. A handler."""
    change(lambda query: replace(query, filters=()))


def like(content_id: int) -> None:
    """Ask for more like a picture of the library; no longer, where the query does already. A handler."""
    change(lambda query: liked(query, content_id), unfolded=is_unfolded())


def dislike(content_id: int) -> None:
    """Ask for less like a picture of the library; no longer, where the query does already. A handler."""
    change(lambda query: disliked(query, content_id), unfolded=is_unfolded())


def unfold_duplicates() -> None:
    """Show near-duplicates one by one. A handler."""
    change(lambda query: replace(query, dedup=False))


def remove(parts: Sequence[tuple[str, int]]) -> None:
    """Remove parts of the query by their texts: it may have changed since they were drawn. A handler.

    Args:
        parts: the text of each, and how many parts of this text are to be left. So it does not matter whether the first
            of two quick clicks was applied already when the second arrives.
    """

    def removed(query: Query) -> Query:
        for part, left in parts:
            texts = [line.text for line in explain(query)]
            while texts.count(part) > left:
                query = without(query, texts.index(part))
                texts.remove(part)
        return query

    change(removed)


def correct(wrong: str, start: int, end: int, right: str) -> None:
    """Replace what is wrong in a query, from `start` to `end`. A handler."""
    set_query(wrong[:start] + right + wrong[end:])


def show_more() -> None:
    """Show a page more of the same query. A handler."""
    receive()
    st.session_state["k"] = min(shown_count() + STEP, MAX_SHOWN)


def set_unfolded(is_open: bool) -> None:
    """Show, or fold away, the hits below the relevance threshold. A handler."""
    receive()
    st.session_state["unfolded"] = is_open
