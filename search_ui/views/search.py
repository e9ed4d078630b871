"""The Search page: the query, how it was understood, and the pictures that match.

Its state is a text, see `search_ui.parts.page_state`. Here the text becomes chips, pictures, or a sentence
that says why there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import streamlit as st

from search_ui.components.gallery import Section, Timed, gallery
from search_ui.components.query_chips import query_chips
from search_ui.components.query_input import query_input
from search_ui.parts import closer_look, favourite_events, page_state, photo_navigation, selection_bar, sorting
from search_ui.parts.facet_panel import panel
from search_ui.parts.messages import (
    caption,
    handler_error,
    message,
    model_loading,
    named_library,
    run_handler,
    saved_searches,
    status_line,
    syntax_error,
)
from search_ui.parts.page_frame import with_library
from search_ui.parts.query_chips import chips
from search_ui.parts.result_text import about, headline
from search_ui.parts.run_banner import search_banner
from search_ui.parts.shown_result import search
from search_ui.parts.tiles import is_folding, sections, tile
from search_ui.runtime.services import services
from search_ui.runtime.timelines import MAX_PICTURES, Timeline
from search_ui.views.photo import crop_dropped, detail
from sightline.jobs import Background, Job
from sightline.query.parser import parse
from sightline.query.types import MAX_PICTURE_BYTES, MAX_TERMS, Query, QueryError
from sightline.ranking.results import Hit, Result
from sightline.searcher import Searcher
from store.errors import SightlineError

# Seconds to wait for a model before the page says that it is loading.
PATIENCE: Final = 0.3
# Its own: no other work of the server may keep a search waiting.
_loading: Final = Background()


@dataclass(frozen=True, slots=True)
class Found:
    """What the page shows, in its order: hits, or a timeline of more than are read at once."""

    hits: Sequence[Hit] = ()
    timeline: Timeline | None = None

    @property
    def order(self) -> list[int]:
        """The content ids of all that is shown."""
        return [hit.photo.content_id for hit in self.hits] if self.timeline is None else self.timeline.ids.tolist()

    def of(self, ids: Sequence[int]) -> Mapping[int, tuple[Hit, int]]:
        """Return how pictures were found and their places from 1 on, without those that are not shown."""
        if self.timeline is not None:
            return self.timeline.hits_of(ids)
        wanted = set(ids)
        ranked = ((hit.photo.content_id, hit, rank) for rank, hit in enumerate(self.hits, 1))
        return {id_: (hit, rank) for id_, hit, rank in ranked if id_ in wanted}


@with_library
def page(searcher: Searcher) -> None:
    """Draw the page."""
    page_state.init_session()
    page_state.receive()
    for key in ("gallery", "viewer"):  # the viewer's once more: a run of the whole page takes the place of its own
        run_handler(partial(favourite_events.apply_events, searcher.library, key))
    selection_bar.receive(st.session_state.get("gallery", {}).get("selected"))
    text = page_state.text()
    query: Query | None = None
    wrong: QueryError | None = None
    try:
        query = parse(text)
    except QueryError as error:
        wrong = error
    with st.container(key="title"):
        st.html('<h1 class="unseen">Sightline</h1>')
    search_bar(searcher, query)
    shown = Found()
    # Both are always there: what moves in the page's tree is drawn anew.
    with st.container(key="body", horizontal=True, gap=None):
        beside, found = st.container(key="beside"), st.container(key="found")
    with beside:
        facets(searcher, query)
    with found:
        status_line(searcher)
        search_banner()
        handler_error()
        try:
            if wrong is not None:
                syntax_error(text, wrong)
            else:
                shown = pictures(searcher, query or Query())
        except SightlineError as error:
            message(str(error), role="alert")
    selection_bar.bar(searcher, query or Query(), shown.of)
    dialogs(searcher, shown)


# -- above the pictures ---------------------------------------------------------------------------------------------


def search_bar(searcher: Searcher, query: Query | None) -> None:
    """Draw the box, the saved searches and the chips; `query` None: the text can't be read."""
    known = query or Query()
    with st.container(key="ask", horizontal=True, vertical_alignment="top", gap="xsmall"):
        query_input(
            key=page_state.BOX, address=page_state.current_url_params(), version=page_state.box_version(),
            max_bytes=MAX_PICTURE_BYTES, room=max(0, MAX_TERMS - len(known.terms)), redirect=page_state.pop_redirect(),
        )  # fmt: skip
        st.button("Filters", icon=":material/tune:", key="filters", on_click=_toggle, args=["filters_open"])
        saved_searches(searcher.library)
    with st.container(key="understood"):
        if understood := chips(searcher.library, known):
            query_chips(
                understood, key="query_chips",
                on_remove=lambda: page_state.remove(_events("query_chips").removed),
                on_crop=lambda: st.session_state.update(to_crop=_events("query_chips").crop),
            )  # fmt: skip
        else:
            st.html("<i></i>")  # Streamlit draws no container that is empty


def facets(searcher: Searcher, query: Query | None) -> None:
    """Draw the facets, where the visitor has them open."""
    if not st.session_state.get("filters_open") or query is None:
        return
    try:
        panel(searcher, query)
    except SightlineError as error:
        message(str(error), role="alert")


def _toggle(name: str) -> None:
    st.session_state[name] = not st.session_state.get(name)


def _events(key: str) -> Any:
    return st.session_state[key]


# -- pictures -------------------------------------------------------------------------------------------------------


def pictures(searcher: Searcher, query: Query) -> Found:
    """Draw the hits, or what was indexed last; returns what is shown."""
    searcher.space_for(query)  # raises where there is none of that name
    if query.is_empty:
        return newest(searcher, "Indexed last. Type above, or show a picture, to search.")
    if searcher.needs_model(query, services().uploads.pictures_of(query)):
        job = load(searcher, query)
        if job.error:
            message(job.error, role="alert")
            return facts_alone(searcher, query)
        if job.is_running:
            model_loading(lambda: job.is_running)
            return facts_alone(searcher, query)
    return results(searcher, query)


def facts_alone(searcher: Searcher, query: Query) -> Found:
    """Draw what needs no model: what passes the filters, or what was indexed last."""
    facts = replace(query, groups=())
    return newest(searcher, "Indexed last.") if facts.is_of_all else results(searcher, facts)


def load(searcher: Searcher, query: Query) -> Job[None]:
    """Load the model that a query needs; the job is still running where that takes long."""
    space = searcher.space_for(query)
    key = (searcher, space.key)

    def work(_: object) -> None:
        searcher.encoders.get(space)
        searcher.warm_up(space)

    job = _loading.job(key, work)
    if job.wait(PATIENCE):
        _loading.forget(key)  # so that it is loaded again where another model took its place
    return job


def results(searcher: Searcher, query: Query) -> Found:
    """Search, say what was found, draw it."""
    is_closer = closer_look.has_ended()
    looked_at = closer_look.seen() if is_closer else 0
    result = search(searcher, query, "closer" if looked_at else "tiles", looked_at)
    timeline = sorting.timeline_of(searcher, query, result)
    if result.note is not None:
        message(result.note)
    if result.why_empty is not None:
        message(f"{result.why_empty} Closest pictures:" if result.hits else result.why_empty)
    for hint in result.hints:
        caption(hint)
    if not result.hits:
        if query.filters:
            st.button("Clear filters", key="clear-filters", on_click=page_state.clear_filters)
        return Found()
    if timeline is not None:
        line(headline(result, query), about(result, query))
        grid(searcher, query, sorting.timed(timeline))
        if result.strong + result.maybe > MAX_PICTURES:
            most_shown(MAX_PICTURES)
        return Found(timeline=timeline)
    starred = searcher.library.marks.favourites_of(hit.photo.content_id for hit in result.hits)
    shown = sections(result, query, starred)
    if result.why_empty is None:
        line(headline(result, query), about(result, query), above=shown)
    grid(searcher, query, shown)
    if page_state.is_unfolded() or not is_folding(result):
        more_button(is_more=result.more)
    closer_look.draw(searcher, query, is_shown=is_closer)
    return Found(_visible(result))


def _visible(result: Result) -> Sequence[Hit]:
    """Return the hits that are not folded away: those that the arrow keys lead through."""
    if page_state.is_unfolded() or not is_folding(result):
        return result.hits
    return [hit for hit in result.hits if hit.band != "below"]


def newest(searcher: Searcher, headline: str) -> Found:
    """Draw the page without a query: what was indexed last."""
    count = page_state.shown_count()
    photos = searcher.recent(count + 1)
    if not photos:
        st.info("The library holds no pictures that are there now. Index a folder:")
        st.code(f"python -m indexer ./photos{named_library()}", language="bash")
        return Found()
    starred = searcher.library.marks.favourites_of([photo.content_id for photo in photos])
    tiles = [tile(photo, None, {}, starred) for photo in photos[:count]]
    shown: list[Section] = [{"title": "", "fold": "", "tiles": tiles}]
    line(headline, above=shown)
    grid(searcher, Query(), shown)
    more_button(is_more=len(photos) > count)
    return Found([Hit(0.0, "strong", (), photo) for photo in photos[:count]])


def line(text: str, more: str = "", *, above: Sequence[Section] = ()) -> None:
    """Draw the line over the pictures; in the place of the first section's title, where that is empty."""
    is_free = bool(above) and not above[0]["title"] and not above[0]["fold"]
    with st.container(key="over" if is_free else "above"):
        st.caption(text, help=more or None)


def grid(searcher: Searcher, query: Query, shown: list[Section] | Timed) -> None:
    """Draw the grid, wired to this page."""
    gallery(
        shown, key="gallery", query=page_state.text(), is_unfolded=page_state.is_unfolded(),
        selected=selection_bar.selected(), stamp=selection_bar.stamp(),
        focus=photo_navigation.return_focus(),
        on_open=lambda: page_state.open_photo(int(_events("gallery").opened)),
        on_like=lambda: page_state.like(_events("gallery").liked),
        on_dislike=lambda: page_state.dislike(_events("gallery").disliked),
        may_star=not searcher.library.readonly,
        on_fold=lambda: page_state.set_unfolded(_events("gallery").fold == "open"),
        sorting=sorting.sorting(query), on_sort=lambda: sorting.sort_by(_events("gallery").sorted),
    )  # fmt: skip


def more_button(*, is_more: bool) -> None:
    """Draw a button where there are more. Its place stays, so that the page does not jump."""
    if not is_more and page_state.shown_count() == page_state.FIRST:
        return
    with st.container(key="more", horizontal_alignment="center"):
        if is_more and page_state.shown_count() >= page_state.MAX_SHOWN:
            most_shown(page_state.MAX_SHOWN)
        elif is_more:
            st.button("Show more", on_click=page_state.show_more)
        else:
            st.html("<i></i>")  # Streamlit draws no container that is empty


def most_shown(limit: int) -> None:
    """Say that there are more pictures than the page shows."""
    st.caption(f"The page shows {limit:,} pictures at most. A filter, such as a year, shows others.")


def dialogs(searcher: Searcher, found: Found) -> None:
    """Open the dialog that is asked for, if any: of a picture, or of one to cut a part out of."""
    given = st.session_state.pop("to_crop", None)
    opened = page_state.open_photo_id()
    if opened is not None:
        detail(searcher, opened, found.order, lambda ids: {id_: hit for id_, (hit, _) in found.of(ids).items()})
    elif given is not None:
        crop_dropped(str(given))
