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
from search_ui.parts.messages import caption, message, named_library
from search_ui.parts.page_frame import with_library
from search_ui.parts.picture_addresses import thumbnail_address
from search_ui.parts.run_banner import banner
from search_ui.runtime.services import services
from sightline.humanize import count, file_name, number
from sightline.models.presets import DEMO, PRESETS
from sightline.query.parser import parse
from sightline.query.types import Query, QueryError
from sightline.rank_overlap import changes, formatted_change, jaccard, rank_biased_overlap, shared
from sightline.ranking.results import Hit, Result
from sightline.searcher import Searcher
from store.errors import SightlineError

LIMIT: Final = 50
DEPTHS: Final = (10, LIMIT)


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of the URL: a query, and the names of two spaces; empty for none."""

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
    banner()
    spaces = {space.name: space for space in searcher.library.catalog.spaces() if space.count}
    names = list(spaces)
    if len(names) < 2:
        _one_space(searcher, names)
        return
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
    if all(isinstance(each, Result) for each in found):
        _overlap(*([hit.photo.content_id for hit in each] for each in hits))
    ranks(
        [_side(a, found[0], hits[0], hits[1], b), _side(b, found[1], hits[1], hits[0], a)],
        key="compare_ranks",
    )  # fmt: skip


def _one_space(searcher: Searcher, names: Sequence[str]) -> None:
    message("This library has one model. Compare takes two: index the same folders with another one, beside the first.")
    other = min((preset for preset in PRESETS.values() if preset.name not in (*names, DEMO)), key=lambda p: p.gflops)
    folders = [shlex.quote(root.display) for root in searcher.library.catalog.roots()]
    command = f"python -m indexer {' '.join(folders)} --space {other.name}{named_library()}"
    st.code(command, language=None, wrap_lines=True)
    caption(
        f"This model is {other.purpose}; {other.download:,} MB are downloaded once. Searches then use the new model; "
        "space:NAME in a query takes the other. For other models: python -m indexer spaces"
    )


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
        with st.spinner(f"Loading the model of {query.space} …") if is_waiting else nullcontext():
            return searcher.search(query, pictures=given, limit=LIMIT)
    except SightlineError as error:
        return str(error)


def _overlap(mine: Sequence[int], theirs: Sequence[int]) -> None:
    parts = [
        f"of the first {depth}, **{shared(mine, theirs, depth)}** are in both "
        f"(Jaccard {jaccard(mine, theirs, depth):.2f})"
        for depth in DEPTHS
        if depth == DEPTHS[0] or max(len(mine), len(theirs)) > DEPTHS[0]
    ]
    agreed = f"rank-biased overlap **{rank_biased_overlap(mine, theirs):.2f}**"
    st.markdown(f"{'; '.join(parts)}; {agreed}.".replace("of the", "Of the", 1))


def _side(name: str, result: Result | str, mine: Sequence[Hit], theirs: Sequence[Hit], other: str) -> Side:
    if isinstance(result, str):
        return {"title": name, "about": "", "problem": result, "tiles": []}
    moved = changes([hit.photo.content_id for hit in mine], [hit.photo.content_id for hit in theirs])
    took = f"{count(result.strong, 'match', 'matches')} in {result.seconds * 1000:.0f} ms"
    tiles = [_tile(hit, rank, change, other) for rank, (hit, change) in enumerate(zip(mine, moved, strict=True), 1)]
    return {"title": name, "about": took, "problem": result.why_empty or "" if not mine else "", "tiles": tiles}


def _tile(hit: Hit, rank: int, change: int | None, other: str) -> Ranked:
    if change is None:
        meaning = f"not among the first {LIMIT} in {other}"
    elif change:
        meaning = f"{count(abs(change), 'place')} {'higher' if change > 0 else 'lower'} than in {other}"
    else:
        meaning = f"the same rank as in {other}"
    return {
        "id": hit.photo.content_id,
        "src": thumbnail_address(hit.photo),
        "href": f"/?{urlencode({'q': f'like:{hit.photo.content_id}'})}",
        "name": file_name(hit.photo),
        "rank": rank,
        "change": formatted_change(change),
        "meaning": meaning,
        "way": "new" if change is None else "same" if change == 0 else "up" if change > 0 else "down",
        "score": number(hit),
    }
