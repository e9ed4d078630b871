"""What a visitor of the page asks for: the text of the query, in the session and the address, and what changes it.

The text is all there is: pictures of the library (`like:`), dropped ones (`picture:`), filters and options stand in it.
So a reload, a shared link and a saved search ask for the same. Handlers only change it; drawing follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import streamlit as st

from search_ui.api.metrics import metrics
from search_ui.language import disliked, explain, liked, parse, to_text, without
from search_ui.query import MAX_HITS, Query, QueryError
from search_ui.results import Result
from search_ui.searcher import Searcher
from search_ui.services import services

PAGE: Final = 60
# A browser keeps up with so many pictures; who wants more is better served by a filter, or by the command line.
MAX_SHOWN: Final = 3_000


def begin() -> None:
    """Give a new session the text of its address. `?like=ID` is how links were written before there was a language."""
    if "q" in st.session_state:
        return
    text, like = st.query_params.get("q", ""), st.query_params.get("like", "")
    if like.isascii() and like.isdigit() and len(like) < 19 and int(like) > 0:
        text = f"{text} like:{int(like)}".strip()
    st.session_state["q"] = text


def forget() -> None:
    """Ask for what the address says at the next drawing, from its first picture on."""
    for name in ("q", "k", "unfolded"):
        st.session_state.pop(name, None)


def text() -> str:
    """The text of the query, as it was typed."""
    return str(st.session_state.get("q") or "").strip()


def shown() -> int:
    """How many hits the page goes down to."""
    return int(st.session_state.get("k", PAGE))


def unfolded() -> bool:
    """Whether hits below the relevance line are shown too."""
    return bool(st.session_state.get("unfolded"))


def ask(text: str, *, unfolded: bool = False) -> None:
    """Go to another query, at its first page."""
    st.session_state.update(q=text, k=PAGE, unfolded=unfolded)
    address = {"q": text.strip()} if text.strip() else {}
    if address != st.query_params.to_dict():
        # All at once: each change of the address is a step that the browser's Back takes.
        st.query_params.from_dict(address)


def ask_box() -> None:
    """Ask for what the box holds now."""
    ask(st.session_state["q"])


def take_picture(name: str) -> None:
    """Add a picture that was put on the server's shelf."""
    ask(f"{text()} picture:{name}".strip())


def like(content_id: int) -> None:
    """More like a picture of the library; no longer, where the query asks for it already."""
    _change(lambda query: liked(query, content_id), unfolded=unfolded())


def dislike(content_id: int) -> None:
    """Less like a picture of the library; no longer, where the query asks for it already."""
    _change(lambda query: disliked(query, content_id), unfolded=unfolded())


def unfold_duplicates() -> None:
    """Show near-duplicates one by one."""
    _change(lambda query: replace(query, dedup=False))


def remove(part: str) -> None:
    """Take a part out, by its text: what the box holds may have changed since the parts were drawn."""

    def removed(query: Query) -> Query:
        parts = [line.text for line in explain(query)]
        return without(query, parts.index(part)) if part in parts else query

    _change(removed)


def correct(wrong: str, start: int, end: int, right: str) -> None:
    """Put something else in the place of a mistake."""
    ask(wrong[:start] + right + wrong[end:])


def show_more() -> None:
    """A page more of the same query."""
    st.session_state["k"] = min(shown() + PAGE, MAX_SHOWN)


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
        metrics().searched(found.seconds)
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


def _change(change: Callable[[Query], Query], *, unfolded: bool = False) -> None:
    try:
        ask(to_text(change(parse(text()))), unfolded=unfolded)
    except QueryError as error:
        # Too many terms, or a text typed in the meantime that can't be read: the page says so beside what it draws.
        st.session_state["refused"] = str(error)
