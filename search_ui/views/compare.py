"""The Compare page: the same query with two models, side by side.

Its state is in the URL: `q`, `a`, `b`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from search_ui.components.ranks import Ranked, Side, ranks
from search_ui.parts.messages import caption, handler_error, message, named_library, run_handler
from search_ui.parts.page_frame import with_library
from search_ui.parts.picture_addresses import thumbnail_address
from search_ui.parts.result_text import matches_of
from search_ui.parts.run_banner import banner
from search_ui.parts.run_text import outcome
from search_ui.runtime.folder_input import presences
from search_ui.runtime.services import services
from sightline.humanize import count, file_name
from sightline.models.presets import DEMO, EVERYDAY, PRESETS
from sightline.query.parser import parse
from sightline.query.types import Query, QueryError
from sightline.rank_overlap import changes, formatted_change, jaccard, rank_biased_overlap, shared
from sightline.ranking.results import Hit, Result
from sightline.searcher import Searcher
from store.errors import SightlineError
from store.lock import is_indexing
from store.paths import to_path

LIMIT: Final = 50
DEPTHS: Final = (10, LIMIT)


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of the URL: a query, and the names of two models; empty for none."""

    q: str = ""
    a: str = ""
    b: str = ""

    def for_url(self) -> dict[str, str]:
        """Return the parameters of a URL."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}


def navigate(params: Params) -> None:
    """Go to another state of the page: a step that the browser's Back takes. A handler."""
    if params.for_url() != st.query_params.to_dict():
        st.query_params.from_dict(params.for_url())


@with_library
def page(searcher: Searcher) -> None:
    """Draw the page."""
    st.title("Compare", anchor=False)
    spaces = {space.name: space for space in searcher.library.catalog.spaces() if space.count}
    names = list(spaces)
    if len(names) < 2:
        _one_model(searcher, names)
        return
    banner()
    address = st.query_params.to_dict()
    default = searcher.space().name
    a = address["a"] if address.get("a") in spaces else default
    others = [name for name in names if name != a]
    b = address["b"] if address.get("b") in spaces else others[-1]
    params = Params(address.get("q", ""), a, b)
    _controls(params, names)
    if not params.q.strip():
        caption("Search for something, to see which pictures each model finds, and in what order.")
        return
    try:
        query = parse(params.q)
    except QueryError as error:
        message(str(error), role="alert")
        return
    if not query.groups:
        message("There is nothing to compare: filters alone find the same pictures with every model. Add some words.")
        return
    # Near-duplicates unfolded: each model folds others, and ranks would not mean the same.
    found = [_searched(searcher, replace(query, space=name, dedup=False)) for name in (a, b)]
    hits = [found_in.hits if isinstance(found_in, Result) else [] for found_in in found]
    results = [each for each in found if isinstance(each, Result)]
    if len(results) == len(found):
        _agreement(results)
    ranks(
        [_side(a, found[0], hits[0], hits[1], b), _side(b, found[1], hits[1], hits[0], a)],
        key="compare_ranks",
    )  # fmt: skip


def _one_model(searcher: Searcher, names: Sequence[str]) -> None:
    """Offer to index the same folders with a second model: by a button and by the command."""
    library = searcher.library
    message(f"This library has one model{f', {names[0]}' if names else ''}. Compare needs a second one.")
    handler_error()
    banner(follows="runs")
    run = services().runner.run
    # One that was done, and left one model, was about something else.
    if run is not None and run.state in ("stopped", "failed"):
        message(outcome(run), role="alert" if run.state == "failed" else "status")
    # Queries here are mostly of words.
    others = [each for each in PRESETS.values() if each.has_text and each.name not in (*names, DEMO)]
    others.sort(key=lambda each: (each not in EVERYDAY, each.gflops))
    about = {each.name: f"{each.name}: {each.purpose}; {each.download / 1000:.1f} GB to download" for each in others}
    st.selectbox("Second model", list(about), key="compare_other", format_func=about.__getitem__, width=560)
    other = str(st.session_state["compare_other"])
    roots = library.catalog.roots()
    if services().manages and not library.readonly:
        found = presences(roots)
        folders = [to_path(root.path) for root in roots if found[root.id] == "there"]
        is_busy = is_indexing(library.path) or (run is not None and run.is_running)
        st.button(
            "Index all folders with it", key="compare_index", type="primary", disabled=is_busy or not folders,
            on_click=run_handler, args=[lambda: services().runner.index(folders, space=_chosen(other))],
        )  # fmt: skip
        caption("It looks at each picture once. Searches use the model they have until it is done.")
        caption("The same in a terminal:")
    else:
        caption("Run this in a terminal:")
    quoted = [shlex.quote(root.display) for root in roots]
    st.code(f"python -m indexer {' '.join(quoted)} --space {other}{named_library()}", language=None, wrap_lines=True)


def _chosen(shown: str) -> str:
    """Return the second model chosen by now: a click may come with a choice that no run has seen."""
    chosen = str(st.session_state.get("compare_other") or shown)
    return chosen if chosen in PRESETS else shown


def _controls(params: Params, names: Sequence[str]) -> None:
    # Widgets show what the URL says: Back or a link may have changed it without them.
    st.session_state.update(compare_q=params.q, compare_a=params.a, compare_b=params.b)

    def change() -> None:
        navigate(Params(*(str(st.session_state[f"compare_{name}"]).strip() for name in ("q", "a", "b"))))

    st.text_input(
        "Search in both", key="compare_q", label_visibility="collapsed", icon=":material/search:", on_change=change,
        placeholder="Describe a picture: two red boats, snow on a roof …",
    )  # fmt: skip
    with st.container(horizontal=True, key="compare_at"):
        st.selectbox("Left", names, key="compare_a", on_change=change)
        st.selectbox("Right", names, key="compare_b", on_change=change)


def _searched(searcher: Searcher, query: Query) -> Result | str:
    """Return the first hits, or why there are none."""
    given = services().uploads.pictures_of(query)
    try:
        is_waiting = searcher.needs_model(query, given)
        with st.spinner(f"Loading the model {query.space} …") if is_waiting else nullcontext():
            return searcher.search(query, pictures=given, limit=LIMIT)
    except SightlineError as error:
        return str(error)


def _agreement(sides: Sequence[Result]) -> None:
    """Draw how many of the first hits are on both sides, and measures of it for those who want them."""
    mine, theirs = ([hit.photo.content_id for hit in side.hits] for side in sides)
    depths = [depth for depth in DEPTHS if depth == DEPTHS[0] or max(len(mine), len(theirs)) > DEPTHS[0]]
    parts = [f"of the first {depth}, **{shared(mine, theirs, depth)}** are on both sides" for depth in depths]
    st.markdown(f"{'; '.join(parts)}.".replace("of the", "Of the", 1))
    with st.expander("Measures"):
        jaccards = ", ".join(f"{jaccard(mine, theirs, depth):.2f} of the first {depth}" for depth in depths)
        left, right = (f"{side.seconds * 1000:.0f} ms" for side in sides)
        caption(
            f"Jaccard index: {jaccards}. Rank-biased overlap: {rank_biased_overlap(mine, theirs):.2f}. "
            f"Both are 1 where the sides agree. Time of the search: {left} left, {right} right."
        )


def _side(name: str, result: Result | str, mine: Sequence[Hit], theirs: Sequence[Hit], other: str) -> Side:
    if isinstance(result, str):
        return {"title": name, "about": "", "problem": result, "tiles": []}
    moved = changes([hit.photo.content_id for hit in mine], [hit.photo.content_id for hit in theirs])
    tiles = [_tile(hit, rank, change, other) for rank, (hit, change) in enumerate(zip(mine, moved, strict=True), 1)]
    return {
        "title": name,
        "about": matches_of(result),
        "problem": result.why_empty or "" if not mine else "",
        "tiles": tiles,
    }


def _tile(hit: Hit, rank: int, change: int | None, other: str) -> Ranked:
    if change is None:
        meaning = f"not among the first {LIMIT} with {other}"
    elif change:
        meaning = f"{count(abs(change), 'place')} {'higher' if change > 0 else 'lower'} than with {other}"
    else:
        meaning = f"the same rank as with {other}"
    return {
        "id": hit.photo.content_id,
        "src": thumbnail_address(hit.photo),
        "href": f"/?{urlencode({'q': f'like:{hit.photo.content_id}'})}",
        "name": file_name(hit.photo),
        "rank": rank,
        "change": formatted_change(change),
        "meaning": meaning,
        "way": "new" if change is None else "same" if change == 0 else "up" if change > 0 else "down",
    }
