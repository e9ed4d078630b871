"""The dialog of one picture: large, with its facts, why it was found, its tags, and similar pictures."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import streamlit as st

from search_ui.components.gallery import thumbnails
from search_ui.components.viewer import cutter, viewer
from search_ui.parts import closer_look, favourite_events, page_state, photo_navigation, widget_keys
from search_ui.parts.messages import READONLY, caption, catch_errors, handler_error, message, run_handler
from search_ui.parts.photo_facts import copies, fact_list, place, title, why, words
from search_ui.parts.photo_navigation import Neighbour
from search_ui.parts.tiles import found_by, preferences_of, tile
from search_ui.parts.viewer_pictures import viewer_picture
from search_ui.runtime.file_manager import FileManagerError, show_folder_of_photo
from search_ui.runtime.services import services
from sightline.humanize import count
from sightline.media.crop import as_box, crop, crop_of
from sightline.query.parser import parse
from sightline.query.types import QueryError, Words
from sightline.ranking.results import Hit
from sightline.searcher import Searcher
from sightline.similar import similar
from sightline.where.explain import words_of
from store.addresses import is_address
from store.library import Library
from store.paths import to_path
from store.tables.catalog import PhotoRow
from store.tables.tiles import Box

MAX_DUPLICATES: Final = 60
_KEY: Final = "viewer"

HitsOf = Callable[[Sequence[int]], Mapping[int, Hit]]
"""How pictures were found, by content id; without those that the search does not show."""


def detail(searcher: Searcher, content_id: int, order: Sequence[int], hits_of: HitsOf) -> None:
    """Open the dialog of a picture.

    Args:
        searcher: of the library that holds it.
        content_id: the picture.
        order: content ids of the page, in the order of the arrow keys.
        hits_of: how they were found.
    """
    if page_state.open_photo_id() != content_id:
        page_state.open_photo(content_id)
    _dialog(searcher, tuple(order), hits_of)


# Drawn again when it closes: stars and filters follow what was decided in it.
@st.dialog("Picture", width="large", on_dismiss=page_state.close_photo)
@catch_errors
def _dialog(searcher: Searcher, order: Sequence[int], hits_of: HitsOf) -> None:
    content_id = page_state.open_photo_id()
    if content_id is None or services().searcher() is not searcher:
        st.rerun()  # something else was asked for; or another library was put in the place of this one
    library = searcher.library
    run_handler(lambda: favourite_events.apply_events(library, _KEY))
    handler_error()
    photo = library.catalog.photos([content_id]).get(content_id)
    around = photo_navigation.neighbours(content_id, order)
    hits = hits_of([each.id for each in around])
    hit = hits.get(content_id)
    # Laid out by style.css: facts beside picture and strips, or between them where the window is narrow.
    with st.container(key="photo-dialog"):
        large, beside, below = (st.container(key=f"photo-{part}") for part in ("large", "beside", "below"))
    with large:
        _viewer(library, content_id, around, hits, _words() if hit is not None and hit.band != "below" else "")
    with beside:
        if photo is None:
            message("This picture is no longer where it was.")
            return
        title(photo)
        _marks(library, content_id)
        _actions(photo, content_id)
        fact_list(photo)
        words(photo)
        place(photo)
        copies(library, photo)
        why(photo, hit)
    with below:
        if hit is not None and hit.folded:
            _duplicates(library, hit.folded)
        _similar(searcher, content_id)


# -- the picture ----------------------------------------------------------------------------------------------------


def _words() -> str:
    """The query of the page, if pictures are found by words of it."""
    text = page_state.text()
    try:
        return text if words_of(parse(text)) else ""
    except QueryError:
        return ""


def _viewer(
    library: Library, content_id: int, around: Sequence[Neighbour], hits: Mapping[int, Hit], said: str
) -> None:  # fmt: skip
    photos = library.catalog.photos([each.id for each in around])
    starred = library.marks.favourites_of(photos)
    # Where the library has tiles, they tell.
    parts = {each.id: _part_of(hits.get(each.id)) for each in around} if said and closer_look.seen() else {}
    pictures = [
        viewer_picture(
            each.id,
            photos.get(each.id),
            position=each.position,
            is_favourite=each.id in starred,
            found=found_by(hits.get(each.id)),
            part=parts.get(each.id),
        )
        for each in around
        if each.id in photos or each.id == content_id
    ]
    viewer(
        pictures, content_id, key=_KEY, opening=page_state.opening(), words=said,
        on_move=lambda: _if_id(_event("moved"), page_state.follow_to_photo),
        on_part=lambda: run_handler(lambda: _take_part(library, _event("part"))),
    )  # fmt: skip


def _part_of(hit: Hit | None) -> Box | None:
    """The tile that a hit was found in by all words of the query; None where there is no such one."""
    if hit is None:
        return None
    parts = zip(parse(page_state.text()).terms, hit.parts, strict=True)
    found = {part.box for term, part in parts if isinstance(term.subject, Words) and not part.excluded}
    return found.pop() if len(found) == 1 else None


def _event(name: str) -> Any:
    return getattr(st.session_state[_KEY], name)


def _if_id(value: object, then: Callable[[int], object]) -> None:
    if isinstance(value, int) and value > 0:
        then(value)


def _take_part(library: Library, part: Any) -> None:
    """Add a part of a picture to the query."""
    if not isinstance(part, dict) or not isinstance(part.get("id"), int):
        raise QueryError("That is no part of a picture. Draw a rectangle inside one.")
    name = services().uploads.put(crop(library, part["id"], as_box(part.get("box"))))
    page_state.add_images([name])


@st.dialog("Search with a part of your picture", width="large")
@catch_errors
def crop_dropped(name: str) -> None:
    """Draw the dialog that cuts a part out of an uploaded picture; the part takes its place in the query."""
    handler_error()
    dropped = services().uploads.get(name)
    if dropped is None or st.session_state.pop("part_taken", False):
        st.rerun()
    width, height = dropped.size
    key = f"cutter-{name}"

    def take() -> None:
        part = st.session_state[key].part
        box = as_box(part.get("box") if isinstance(part, dict) else None)
        taken = services().uploads.put(crop_of(dropped.data, box))
        page_state.set_query(page_state.text().replace(f"picture:{name}", f"picture:{taken}"))
        st.session_state["part_taken"] = True

    address = f"/picture/{name}.jpg"
    cutter(
        {"id": 1, "name": "your picture", "small": address, "large": "", "tiles": "", "width": width,
         "height": height, "colour": "", "position": "", "favourite": False, "found": None, "part": ""},
        key=key, on_part=lambda: run_handler(take),
    )  # fmt: skip


# -- tags and favourites -----------------------------------------------------------------------------------------------


def _marks(library: Library, content_id: int) -> None:
    marks = library.marks
    is_favourite, tags = (
        content_id in marks.favourites_of([content_id]),
        marks.tags_of([content_id]).get(content_id, ()),
    )
    if library.readonly:
        caption(READONLY)
        caption(f"{'A favourite. ' if is_favourite else ''}Tags: {', '.join(tags) or 'none'}.")
        return
    favourite_name, tags_name = favourite_events.toggle_name(content_id), f"tags-{content_id}"
    widget_keys.set_visible([favourite_name, tags_name])
    favourite = widget_keys.key_for_value(favourite_name, is_favourite, same=operator.eq)
    # A name that the library did not take disappears again.
    chosen = widget_keys.key_for_value(tags_name, list(tags), same=lambda a, b: set(a) == set(b))

    def change_tags() -> None:
        services().require_same_library(library)
        now = st.session_state[chosen]
        marks.change(
            [content_id],
            add=[name for name in now if name not in tags],
            remove=[name for name in tags if name not in now],
        )

    def change_favourite() -> None:
        services().require_same_library(library)
        marks.favourite([content_id], st.session_state[favourite])

    # With defaults too: a value in the session is sent once. See docs/internals/streamlit.md.
    st.toggle("Favourite", is_favourite, key=favourite, on_change=_if_current, args=[favourite, change_favourite])
    st.multiselect(
        "Tags", [name for name, _ in marks.tags()], list(tags), key=chosen, accept_new_options=True,
        placeholder="Add a tag", on_change=_if_current, args=[chosen, change_tags],
    )  # fmt: skip


def _if_current(key: str, change: Callable[[], object]) -> None:
    """Apply a change, unless it is stale: Streamlit calls handlers of widgets that are gone, too."""
    if widget_keys.is_current(key):
        run_handler(change)


def _actions(photo: PhotoRow, content_id: int) -> None:
    try:
        now = preferences_of(parse(page_state.text())).get(content_id)
    except QueryError:
        now = None
    with st.container(horizontal=True, gap="small"):
        # As handlers: they run before the box is drawn again, which may not be changed after.
        for word, state, change in (("More", "liked", page_state.like), ("Less", "disliked", page_state.dislike)):
            text = f"No longer {word.lower()} like this" if now == state else f"{word} like this"
            kind: Literal["primary", "secondary"] = "primary" if state == "liked" else "secondary"
            # Under a key: what the button says changes with the click.
            st.button(text, key=f"make-{state}", type=kind, on_click=change, args=[content_id])
        # Not a button of Streamlit's: those read the whole file before anyone asks for it.
        st.html(f'<a class="download" href="/original/{content_id}" download>Download</a>', width="content")
        if services().manages and not is_address(to_path(photo.root)):
            st.button("Open folder", key="open-folder", on_click=run_handler, args=[lambda: open_folder(photo)])


def open_folder(photo: PhotoRow) -> None:
    """Show the folder of a photo in this machine's file manager.

    Raises:
        FileManagerError: the visitor may not act on this machine, or it can't be shown.
    """
    if not services().manages:
        raise FileManagerError(
            "Folders are opened only for users of this machine. Start Sightline with --manage if that is you."
        )
    show_folder_of_photo(services().library().catalog, photo)


# -- other pictures -------------------------------------------------------------------------------------------------


def _duplicates(library: Library, folded: Sequence[int]) -> None:
    caption(f"{count(len(folded), 'near-duplicate')} of it, shown as one picture")
    _strip(library, folded[:MAX_DUPLICATES], "duplicates")
    st.button("Show them separately", on_click=page_state.unfold_duplicates)


def _similar(searcher: Searcher, content_id: int) -> None:
    try:
        space = searcher.space_for(replace(parse(f"like:{content_id}"), space=parse(page_state.text()).space))
    except QueryError:
        space = searcher.space()
    ids = similar(searcher.library, space.id, content_id)
    if ids:
        caption("Similar pictures" if space.id == searcher.space().id else f"Similar by {space.name}")
        _strip(searcher.library, ids, "similar")


def _strip(library: Library, ids: Iterable[int], key: str) -> None:
    photos = library.catalog.photos(list(ids))
    starred = library.marks.favourites_of(photos)
    thumbnails(
        [tile(photos[id_], None, {}, starred) for id_ in ids if id_ in photos], key=key,
        on_open=lambda: _if_id(st.session_state[key].opened, page_state.open_photo),
    )  # fmt: skip
