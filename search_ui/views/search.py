"""The page that searches: a box for the query, what was understood, and the pictures that match.

What a visitor asks for is a text, see `search_ui.parts.page_state`; here it becomes chips, pictures, or a sentence
that says why there are none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import streamlit as st

from search_ui.components import event_queue
from search_ui.components.gallery import Section, gallery
from search_ui.components.query_input import intake
from search_ui.parts import favourite_events, page_state, photo_navigation, selection_bar
from search_ui.parts.facet_panel import panel
from search_ui.parts.messages import attempt, mistake, named_library, note, refusal, saved, status, waiting
from search_ui.parts.page_frame import with_library
from search_ui.parts.query_chips import chips
from search_ui.parts.result_text import headline
from search_ui.parts.run_banner import banner
from search_ui.parts.tiles import is_below_reached, sections, tile
from search_ui.runtime.services import services
from search_ui.views.photo import crop_dropped, detail
from sightline.jobs import Background, Job
from sightline.query.parser import parse
from sightline.query.types import MAX_PICTURE_BYTES, MAX_TERMS, Query, QueryError
from sightline.ranking.results import Hit, Result
from sightline.searcher import Searcher
from store.errors import SightlineError

# So long a model is waited for before the page says that it is being loaded, seconds.
PATIENCE: Final = 0.3
# Its own: no other work of the server may keep a search waiting.
_loading: Final = Background()


@with_library
def page(searcher: Searcher) -> None:
    """Draw the page."""
    page_state.begin()
    event_queue.heed("intake", st.session_state.get("intake", {}).get("moved"), _follow)
    for key in ("gallery", "viewer"):  # the viewer's once more: a run of the whole page takes the place of its own
        attempt(partial(favourite_events.heed, searcher.library, key))
    text = page_state.text()
    query: Query | None = None
    wrong: QueryError | None = None
    try:
        query = parse(text)
    except QueryError as error:
        wrong = error
    st.html('<h1 class="unseen">Sightline</h1>')
    search_bar(searcher, query)
    hits: Sequence[Hit] = ()
    # Both are always there: what moves in the page's tree is drawn anew.
    with st.container(key="body", horizontal=True, gap=None):
        beside, found = st.container(key="beside"), st.container(key="found")
    with beside:
        facets(searcher, query)
    with found:
        banner(searcher)
        refusal()
        try:
            if wrong is not None:
                mistake(text, wrong)
            else:
                hits = pictures(searcher, query or Query())
        except SightlineError as error:
            note(str(error), role="alert")
        status(searcher)
    selection_bar.bar(searcher, query or Query(), hits)
    dialogs(searcher, hits)


def _follow(said: Mapping[str, Any]) -> None:
    """Be where the browser went: `address`, by names."""
    if isinstance(said.get("address"), dict):
        page_state.go_to(said["address"])


# -- above the pictures ---------------------------------------------------------------------------------------------


def search_bar(searcher: Searcher, query: Query | None) -> None:
    """The box for the query, the saved ones, the way in for pictures, and what was understood; None: nothing."""
    with st.container(key="ask", horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(key="q"):
            st.text_input(
                "Search", page_state.filled(), key=page_state.box(), label_visibility="collapsed",
                icon=":material/search:",
                on_change=page_state.ask_box, args=[page_state.box()],
                placeholder="Describe a picture: two red boats, snow on a roof …",
            )  # fmt: skip
        st.button("Filters", icon=":material/tune:", key="filters", on_click=_turn, args=["filters_open"])
        saved(searcher.library)
    known = query or Query()
    intake(
        chips(searcher.library, known), key="intake", address=page_state.here(), max_bytes=MAX_PICTURE_BYTES,
        room=max(0, MAX_TERMS - len(known.terms)),
        on_pictures=lambda: page_state.take_pictures(_said("intake").pictures),
        on_remove=lambda: page_state.remove(_said("intake").removed),
        on_crop=lambda: st.session_state.update(to_crop=_said("intake").crop),
        leave_for=st.session_state.pop("leave_for", ""),
    )  # fmt: skip


def facets(searcher: Searcher, query: Query | None) -> None:
    """What the search can be narrowed by, where the visitor has that open."""
    if not st.session_state.get("filters_open") or query is None:
        return
    try:
        panel(searcher, query)
    except SightlineError as error:
        note(str(error), role="alert")


def _turn(name: str) -> None:
    st.session_state[name] = not st.session_state.get(name)


def _said(key: str) -> Any:
    return st.session_state[key]


# -- pictures -------------------------------------------------------------------------------------------------------


def pictures(searcher: Searcher, query: Query) -> Sequence[Hit]:
    """Draw what is asked for, or what was indexed last; returns what is shown, in its order."""
    searcher.space(query.space)  # raises where there is none of that name
    if query.is_empty:
        return newest(searcher, "Indexed last. Type above, or show a picture, to search.")
    if searcher.needs_model(query, services().shelf.pictures_of(query)):
        job = load(searcher, query)
        if job.error:
            note(job.error, role="alert")
            return ()
        if job.is_running:
            waiting(lambda: job.is_running)
            facts = replace(query, groups=())
            if facts.is_empty:
                return newest(searcher, "Indexed last.")
            return results(searcher, facts)
    return results(searcher, query)


def load(searcher: Searcher, query: Query) -> Job[None]:
    """Have the model loaded that a query needs; the job is still running where that takes long."""
    space = searcher.space(query.space)
    key = (searcher, space.key)

    def work(_: object) -> None:
        searcher.encoders.get(space)
        searcher.warm_up(space)

    job = _loading.job(key, work)
    if job.wait(PATIENCE):
        _loading.forget(key)  # whoever needs it again, since another model took its place, begins anew
    return job


def results(searcher: Searcher, query: Query) -> Sequence[Hit]:
    """Search, say what was found, draw it."""
    result = page_state.search(searcher, query)
    if result.why_empty is not None:
        note(result.why_empty)
    if not result.hits:
        return ()
    starred = searcher.library.marks.favourites_of(hit.photo.content_id for hit in result.hits)
    shown = sections(result, query, starred)
    said, _, numbers = headline(result, query).partition(". ")
    line(f"{said.removesuffix('.')}, in space {result.space}", shown, numbers)
    grid(searcher, shown)
    if page_state.unfolded() or not is_below_reached(result):
        more_button(is_more=result.more)
    return _reached(result)


def _reached(result: Result) -> Sequence[Hit]:
    """The hits that can be seen: those that are folded away are not gone through either."""
    return result.hits if page_state.unfolded() else [hit for hit in result.hits if hit.band != "below"]


def newest(searcher: Searcher, said: str) -> Sequence[Hit]:
    """The page before anything was asked for: what was indexed last."""
    count = page_state.shown()
    photos = searcher.recent(count + 1)
    if not photos:
        st.info("The library holds no pictures that are there now. Index a folder:")
        st.code(f"python -m indexer ./photos{named_library()}", language="bash")
        return ()
    starred = searcher.library.marks.favourites_of([photo.content_id for photo in photos])
    tiles = [tile(photo, None, {}, starred) for photo in photos[:count]]
    shown: list[Section] = [{"title": "", "fold": "", "tiles": tiles}]
    line(said, shown)
    grid(searcher, shown)
    more_button(is_more=len(photos) > count)
    return [Hit(0.0, "strong", (), photo) for photo in photos[:count]]


def line(said: str, above: Sequence[Section], more: str = "") -> None:
    """The one line over the pictures; on that of the grid's first title, where this is empty."""
    is_free = not above[0]["title"] and not above[0]["fold"]
    with st.container(key="over" if is_free else "above"):
        st.caption(said, help=more or None)


def grid(searcher: Searcher, sections: list[Section]) -> None:
    """The grid of pictures, wired to this page."""
    gallery(
        sections, key="gallery", query=page_state.text(), is_unfolded=page_state.unfolded(),
        selected=selection_bar.selected(), stamp=selection_bar.stamp(),
        focus=photo_navigation.home(),
        on_open=lambda: page_state.open_photo(int(_said("gallery").opened)),
        on_like=lambda: page_state.like(_said("gallery").liked),
        on_dislike=lambda: page_state.dislike(_said("gallery").disliked),
        may_star=not searcher.library.readonly,
        on_fold=lambda: page_state.fold(_said("gallery").fold == "open"),
        on_select=lambda: selection_bar.select(_said("gallery").selected),
    )  # fmt: skip


def more_button(*, is_more: bool) -> None:
    """Offers more where there are more; where there were, its place stays, so that the page does not jump up."""
    if not is_more and page_state.shown() == page_state.FIRST:
        return
    with st.container(key="more", horizontal_alignment="center"):
        if is_more and page_state.shown() >= page_state.MAX_SHOWN:
            st.caption(
                f"The page shows {page_state.MAX_SHOWN:,} pictures at most. A filter, such as a year, shows others."
            )
        elif is_more:
            st.button("Show more", on_click=page_state.show_more)
        else:
            st.html("<i></i>")  # Streamlit draws no container that is empty


def dialogs(searcher: Searcher, hits: Collection[Hit]) -> None:
    """The dialog that is asked for, if one is: of a picture, or of one to take a part of."""
    given = st.session_state.pop("to_crop", None)
    opened = page_state.photo()
    if opened is not None:
        known = {hit.photo.content_id: hit for hit in hits}
        detail(searcher, opened, known.get(opened), list(known), known.get)
    elif given is not None:
        crop_dropped(str(given))
