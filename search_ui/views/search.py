"""The page that searches: a box for the query, what was understood, and the pictures that match.

What a visitor asks for is a text, see `search_ui.asking`; here it becomes chips, pictures, or a sentence that says why
there are none.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import streamlit as st

from search_ui import asking
from search_ui.detail import detail
from search_ui.frame import with_library
from search_ui.gallery import Chip, Section, gallery, intake
from search_ui.language import explain, parse
from search_ui.panels import mistake, named_library, note, refusal, saved, status
from search_ui.query import MAX_PICTURE_BYTES, Group, Like, Picture, Query, QueryError, Term
from search_ui.results import Found
from search_ui.searcher import Searcher
from search_ui.services import services
from search_ui.tiles import is_below_reached, sections, tile
from search_ui.words import headline
from store.errors import SightlineError


@with_library
def page(searcher: Searcher) -> None:
    """Draw the page."""
    asking.begin()
    text = asking.text()
    query: Query | None = None
    wrong: QueryError | None = None
    try:
        query = parse(text)
    except QueryError as error:
        wrong = error
    search_bar(searcher, query)
    refusal()
    shown: dict[int, Found] = {}
    try:
        if wrong is not None:
            mistake(text, wrong)
        elif query is None or query.is_empty:
            searcher.space(query.space if query else None)  # says so where there is none of that name
            newest(searcher)
        else:
            shown = results(searcher, query)
    except SightlineError as error:
        note(str(error), role="alert")
    status(searcher, searcher.library.catalog.counts(searcher.space().id))
    gallery_said: Any = st.session_state.get("gallery", {})
    opened = st.session_state.pop("opened", None) or gallery_said.get("opened")
    if opened is not None:
        detail(searcher, int(opened), shown.get(int(opened)))


# -- the query ------------------------------------------------------------------------------------------------------


def search_bar(searcher: Searcher, query: Query | None) -> None:
    """The box for the query, the saved ones, the way in for pictures, and what was understood; None: nothing."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text_input(
            "Search", key="q", label_visibility="collapsed", icon=":material/search:", on_change=asking.ask_box,
            placeholder="Describe a picture: two red boats, snow on a roof …",
        )  # fmt: skip
        saved(searcher.library)
    intake(
        chips(searcher, query) if query is not None else [], key="intake", max_bytes=MAX_PICTURE_BYTES,
        on_picture=lambda: asking.take_picture(st.session_state["intake"].picture),
        on_remove=lambda: asking.remove(st.session_state["intake"].removed),
    )  # fmt: skip


def chips(searcher: Searcher, query: Query) -> list[Chip]:
    """The parts of a query as it was understood, pictures with their thumbnails."""
    made: list[Chip] = []
    for number, line in enumerate(explain(query)):
        group = query.groups[number] if number < len(query.groups) else None
        made.append(
            {
                "part": line.text,
                "label": line.text if group is None else _group_label(group),
                "kind": _kind(line.kind),
                "meaning": f"{line.kind}: {line.meaning}",
                "pictures": [] if group is None else [src for term in group.any_of if (src := _src(searcher, term))],
            }
        )
    return made


def _kind(kind: str) -> str:
    """How a chip looks: what is wanted, what is not, and facts, which hold or do not."""
    return {"exclude": "without", "only": "fact", "not": "fact", "option": "fact"}.get(kind, "wanted")


def _group_label(group: Group) -> str:
    """A group as it prints; a dropped picture, whose name says nothing, by what it is."""
    terms = [term.printed(excluded=group.excluded) for term in group.any_of]
    for number, term in enumerate(group.any_of):
        if isinstance(term.subject, Picture):
            terms[number] = terms[number].replace(f"{term.subject}", "your picture")
    return " OR ".join(terms)


def _src(searcher: Searcher, term: Term) -> str:
    """The address of a picture's thumbnail; empty for words, and for a picture that is not there."""
    match term.subject:
        case Like(content_id):
            content_hash = searcher.library.catalog.hash_of(content_id)
            return f"/thumb/{content_hash.hex()}.jpg" if content_hash else ""
        case Picture(name):
            return f"/picture/{name}.jpg" if services().shelf.get(name) is not None else ""
    return ""


# -- pictures -------------------------------------------------------------------------------------------------------


def results(searcher: Searcher, query: Query) -> dict[int, Found]:
    """Search, say what was found, draw it. Returns the hits by content id."""
    loading = searcher.needs_model(query, services().shelf.pictures_of(query))
    said = "Loading the model: only the first search waits for it …" if loading else "Searching …"
    with st.spinner(said) if loading else nullcontext():
        result = asking.search(searcher, query)
    if result.why_empty is not None:
        note(result.why_empty)
    if not result.hits:
        return {}
    st.caption(headline(result, query))
    shown = {hit.photo.content_id: hit for hit in result.hits}
    grid(sections(result, query, searcher.library.marks.favourites_of(shown)))
    if asking.unfolded() or not is_below_reached(result):
        more_button(is_more=result.more)
    return shown


def newest(searcher: Searcher) -> None:
    """The page before anything was asked for: what was indexed last."""
    count = asking.shown()
    photos = searcher.recent(count + 1)
    if not photos:
        st.info("The library holds no pictures that are there now. Index a folder:")
        st.code(f"python -m indexer ./photos{named_library()}", language="bash")
        return
    st.caption("Indexed last. Type above, or show a picture, to search.")
    favourites = searcher.library.marks.favourites_of([photo.content_id for photo in photos])
    grid([{"title": "", "fold": "", "tiles": [tile(photo, None, {}, favourites) for photo in photos[:count]]}])
    more_button(is_more=len(photos) > count)


def grid(sections: list[Section]) -> None:
    """The grid of pictures, wired to this page."""
    gallery(
        sections, key="gallery", is_unfolded=asking.unfolded(), on_open=lambda: None,
        on_like=lambda: asking.like(st.session_state["gallery"].liked),
        on_dislike=lambda: asking.dislike(st.session_state["gallery"].disliked),
        on_fold=lambda: asking.fold(st.session_state["gallery"].fold == "open"),
    )  # fmt: skip


def more_button(*, is_more: bool) -> None:
    """Offers more where there are more."""
    if is_more and asking.shown() >= asking.MAX_SHOWN:
        st.caption(f"The page shows {asking.MAX_SHOWN:,} pictures at most. A filter, such as a year, shows others.")
    elif is_more:
        with st.container(horizontal_alignment="center"):
            st.button("Show more", on_click=asking.show_more)
