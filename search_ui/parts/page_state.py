"""What a visitor of the page asks for: the text of the query and the picture that is open, in session and address.

The text is all there is: pictures of the library (`like:`), dropped ones (`picture:`), filters and options stand in it.
So a reload, a shared link and a saved search ask for the same. Handlers only change it; drawing follows from it.

The address is written here, and read when a session begins. Where Back and Forward lead, the browser tells: a run
can't know, since the address that comes with a click may be older than what was written last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from search_ui.runtime.metrics import metrics
from search_ui.runtime.services import services
from sightline.query.edits import disliked, liked, without
from sightline.query.parser import explain, parse, to_text
from sightline.query.types import MAX_HITS, MAX_TERMS, Picture, Query, QueryError
from sightline.ranking.results import Result
from sightline.searcher import Searcher

# More than a wide screen of small pictures; the next ones come in larger steps.
FIRST: Final = 120
STEP: Final = 240
# A browser keeps up with so many pictures; who wants more is better served by a filter, or by the command line.
MAX_SHOWN: Final = 3_000


def begin() -> None:
    """Give a new session what its address says. `?like=ID` is how links were written before there was a language."""
    if box() in st.session_state:
        return
    address = st.query_params.to_dict()
    text, like = address.get("q", ""), _id(address.get("like", ""))
    if like is not None:
        text = f"{text} like:{like}".strip()
    _be_at({**address, "q": text})


def go_to(address: Mapping[str, Any]) -> None:
    """Follow the browser to another address, given by the values of its query: `q`, `photo`, `shown`, `below`."""
    if _own(address) != here():
        _be_at(address)


def here() -> dict[str, str]:
    """The address of what is asked for now, by name; what has its usual value is left out."""
    every = {
        "q": text(),
        "photo": str(photo() or ""),
        "shown": "" if shown() == FIRST else str(shown()),
        "below": "open" if unfolded() else "",
    }
    return {name: value for name, value in every.items() if value}


def _be_at(address: Mapping[str, Any]) -> None:
    own = _own(address)
    _put_in_box(own.get("q", ""))
    st.session_state.update(
        photo=_id(own.get("photo", "")), k=int(own.get("shown", FIRST)), unfolded="below" in own,
        address=_steps(own),
    )  # fmt: skip


def _steps(address: Mapping[str, str]) -> dict[str, str]:
    """What of an address is a step that Back takes. How far down the page goes is none: the browser notes it."""
    return {name: value for name, value in address.items() if name in ("q", "photo")}


def _own(address: Mapping[str, Any]) -> dict[str, str]:
    """What `here` would say at an address: whatever others wrote there becomes something that can be asked for."""
    given = {name: str(address.get(name) or "") for name in ("q", "photo", "shown", "below")}
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


def forget() -> None:
    """Ask for what the address says at the next drawing, from its first picture on."""
    for name in (box(), "k", "unfolded", "photo"):
        st.session_state.pop(name, None)


def text() -> str:
    """The text of the query, as it was typed."""
    return str(st.session_state.get(box()) or "").strip()


def box() -> str:
    """The key of the box that holds the text of the query: another one whenever the page puts a text into it.

    A click elsewhere that was on its way meanwhile still brings what the old box held. Under the same key that would be
    somebody's typing; so it is of a box that is no longer there.
    """
    return f"q-{st.session_state.get('box', 0)}"


def _put_in_box(text: str) -> None:
    st.session_state.update(box=st.session_state.get("box", 0) + 1, filled=text)
    st.session_state[box()] = text


def filled() -> str:
    """What the page put into the box last: its default, too.

    Streamlit tells a browser once that a text was put there, and drops that word when a new run begins before it was
    sent. A box without a default then comes up empty, and says so with the next click.
    """
    return str(st.session_state.get("filled", ""))


def shown() -> int:
    """How many hits the page goes down to."""
    return int(st.session_state.get("k", FIRST))


def unfolded() -> bool:
    """Whether hits below the relevance line are shown too."""
    return bool(st.session_state.get("unfolded"))


def photo() -> int | None:
    """The content id of the picture that is open; None where none is."""
    opened: int | None = st.session_state.get("photo")
    return opened


def open_photo(content_id: int) -> None:
    """Open a picture: the address then leads to it, and Back closes it. A handler."""
    st.session_state["photo"] = content_id
    _write()


def follow_to_photo(content_id: int) -> None:
    """Be at another open picture, which the browser has put into the address already. A handler."""
    st.session_state["photo"] = content_id
    st.session_state["address"] = {**st.session_state.get("address", {}), "photo": str(content_id)}


def close_photo() -> None:
    """Close the picture that is open. A handler: of a dialog, as its `on_dismiss`."""
    if photo() is not None:
        st.session_state["photo"] = None
        _write()


def ask(text: str, *, unfolded: bool = False) -> None:
    """Go to another query, at its first page."""
    _put_in_box(text)
    _begin_anew(unfolded=unfolded)


def _begin_anew(*, unfolded: bool = False) -> None:
    st.session_state.update(k=FIRST, unfolded=unfolded, photo=None)
    _write()


def _write() -> None:
    address = _steps(here())
    # Not what Streamlit takes for the address: it does not hear of Back.
    if address != st.session_state.get("address"):
        st.session_state["address"] = address
        st.query_params.from_dict(address)  # all at once, so that it is one step


def ask_box(typed: str) -> None:
    """Ask for what was typed into the box of this key. A handler."""
    # Another handler of the same run may have made a query of that text already, and of its own change.
    if typed == box():
        _begin_anew()


def take_pictures(names: Sequence[str]) -> None:
    """Add pictures that were put on the server's shelf, as many as a query takes; those that it has are not added."""

    def taken(query: Query) -> Query:
        new = [name for name in names if Picture(name) not in {term.subject for term in query.terms}]
        free = MAX_TERMS - len(query.terms)
        if len(new) > free:
            st.session_state["refused"] = (
                f"A query takes {MAX_TERMS} terms: {free} of the {len(new)} pictures were added. Take something out, "
                "and add the others."
            )
        return query.with_pictures(new[:free])

    change(taken)


def like(content_id: int) -> None:
    """More like a picture of the library; no longer, where the query asks for it already."""
    change(lambda query: liked(query, content_id), unfolded=unfolded())


def dislike(content_id: int) -> None:
    """Less like a picture of the library; no longer, where the query asks for it already."""
    change(lambda query: disliked(query, content_id), unfolded=unfolded())


def unfold_duplicates() -> None:
    """Show near-duplicates one by one."""
    change(lambda query: replace(query, dedup=False))


def remove(parts: Sequence[tuple[str, int]]) -> None:
    """Take parts out, by their texts: what the box holds may have changed since they were drawn.

    Args:
        parts: the text of each, and how many parts of this text are to be left. So it does not matter whether the first
            of two quick clicks was heard already when the second is.
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
    """Put something else in the place of a mistake."""
    ask(wrong[:start] + right + wrong[end:])


def show_more() -> None:
    """A page more of the same query."""
    st.session_state["k"] = min(shown() + STEP, MAX_SHOWN)


def fold(is_open: bool) -> None:
    """Show, or fold away, what lies below the relevance line."""
    st.session_state["unfolded"] = is_open


def search(searcher: Searcher, query: Query) -> Result:
    """The result of a query down to `shown`; the session's last one where neither it nor the library changed since.

    Raises:
        QueryError, SpaceError: see `Searcher.search`.
    """
    # The searcher too: there is another one for each library that was ever put here.
    state = (searcher, query, shown(), searcher.library.catalog.state(), searcher.space(query.space).key)
    if st.session_state.get("result_of") != state:
        found = _searched(searcher, query, shown())
        metrics().observe_search(found.seconds)
        st.session_state.update(result=found, result_of=state)
    result: Result = st.session_state["result"]
    return result


def _searched(searcher: Searcher, query: Query, count: int) -> Result:
    given = services().shelf.pictures_of(query)
    result = searcher.search(query, pictures=given, limit=min(count, MAX_HITS))
    for offset in range(MAX_HITS, count, MAX_HITS):
        if result.more:
            page = searcher.search(query, pictures=given, limit=min(count - offset, MAX_HITS), offset=offset)
            if page.generation != result.generation:
                break  # an indexer was at work: what follows belongs to another order
            result = replace(result, hits=[*result.hits, *page.hits], more=page.more)
    return result


def change(made: Callable[[Query], Query], *, unfolded: bool = False) -> None:
    """Ask for the present query as `made` changes it; where that can't be, the page says why. A handler."""
    try:
        ask(to_text(made(parse(text()))), unfolded=unfolded)
    except QueryError as error:
        # Too many terms, or a text typed in the meantime that can't be read: the page says so beside what it draws.
        st.session_state["refused"] = str(error)
