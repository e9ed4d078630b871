"""The dialog of one picture: large, with what is known of it, why it was found, and what a person decides about it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

import streamlit as st

from search_ui.components.gallery import thumbnails
from search_ui.components.viewer import Picture, cutter, viewer
from search_ui.parts import favourite_events, page_state, photo_navigation, widget_keys
from search_ui.parts.messages import READONLY, attempt, guarded, note, quiet, refusal
from search_ui.parts.photo_facts import copies, fact_list, parts_table, place, title
from search_ui.parts.tiles import asked, tile
from search_ui.runtime.file_manager import FileManagerError, show_folder_of
from search_ui.runtime.services import services
from sightline.humanize import count, file_name
from sightline.media.crop import as_box, crop, crop_of
from sightline.query.parser import parse
from sightline.query.types import QueryError
from sightline.ranking.results import Found
from sightline.searcher import Searcher
from sightline.similar import similar
from store.library import Library
from store.paths import to_path
from store.tables.catalog import PhotoRow

MAX_DUPLICATES: Final = 60
# Up to this longer side the thumbnail, which is not enlarged, shows all there is.
_THUMBNAIL_SIDE: Final = 512
_KEY: Final = "viewer"

FoundOf = Callable[[int], Found | None]


def detail(
    searcher: Searcher, content_id: int, found: Found | None, order: Sequence[int] = (), found_of: FoundOf | None = None
) -> None:
    """Open the dialog of a picture.

    Args:
        searcher: of the library that holds it.
        content_id: the picture.
        found: how it was found; None where it was not searched for.
        order: content ids of the page in their order: what the arrow keys lead through.
        found_of: how each of them was found; None: only `found` is known.
    """
    if page_state.photo() != content_id:
        page_state.open_photo(content_id)
    _dialog(searcher, tuple(order), found_of or {content_id: found}.get)


# Drawn again when it closes: stars and filters follow what was decided in it.
@st.dialog("Picture", width="large", on_dismiss=page_state.close_photo)
@guarded
def _dialog(searcher: Searcher, order: Sequence[int], found_of: FoundOf) -> None:
    content_id = page_state.photo()
    if content_id is None or services().searcher() is not searcher:
        st.rerun()  # something else was asked for; or another library was put in the place of this one
    library = searcher.library
    attempt(lambda: favourite_events.heed(library, _KEY))
    refusal()
    photo = library.catalog.photos([content_id]).get(content_id)
    found = found_of(content_id)
    # Laid out by style.css: facts beside picture and strips, or between them where the window is narrow.
    with st.container(key="photo-dialog"):
        large, beside, below = (st.container(key=f"photo-{part}") for part in ("large", "beside", "below"))
    with large:
        _viewer(library, content_id, order)
    with beside:
        if photo is None:
            note("This picture is no longer where it was.")
            return
        title(photo)
        _marks(library, content_id)
        _actions(photo, content_id)
        fact_list(photo, found)
        if found is not None and found.parts:
            parts_table(found.parts)
        place(photo)
        copies(library, photo)
    with below:
        if found is not None and found.folded:
            _duplicates(library, found.folded)
        _similar(searcher, content_id)


# -- the picture ----------------------------------------------------------------------------------------------------


def _viewer(library: Library, content_id: int, order: Sequence[int]) -> None:
    places = photo_navigation.around(content_id, order)
    photos = library.catalog.photos([each.id for each in places])
    starred = library.marks.favourites_of(photos)
    viewer(
        [
            _picture(each, photos.get(each.id), is_favourite=each.id in starred)
            for each in places
            if each.id in photos or each.id == content_id
        ],
        content_id, key=_KEY,
        on_move=lambda: _if_id(_said("moved"), page_state.follow_to_photo),
        on_part=lambda: attempt(lambda: _take_part(library, _said("part"))),
    )  # fmt: skip


def _said(name: str) -> Any:
    return getattr(st.session_state[_KEY], name)


def _if_id(value: object, then: Callable[[int], object]) -> None:
    if isinstance(value, int) and value > 0:
        then(value)


def _picture(at: photo_navigation.Place, photo: PhotoRow | None, *, is_favourite: bool) -> Picture:
    """A picture as the viewer wants it; one that is not there any more without addresses."""
    if photo is None:
        return {
            "id": at.id, "name": "", "small": "", "large": "", "width": 1, "height": 1, "colour": "",
            "position": at.position, "favourite": False,
        }  # fmt: skip
    width, height, colour = photo.facts["width"], photo.facts["height"], photo.facts.get("colour")
    return {
        "id": at.id,
        "name": file_name(photo),
        "small": f"/thumb/{photo.hash.hex()}.jpg",
        "large": f"/preview/{photo.hash.hex()}.jpg" if max(width, height) > _THUMBNAIL_SIDE else "",
        "width": width,
        "height": height,
        "colour": "" if colour is None else f"#{colour:06x}",
        "position": at.position,
        "favourite": is_favourite,
    }


def _take_part(library: Library, part: Any) -> None:
    """Search with a part of a picture, beside what is asked for already."""
    if not isinstance(part, dict) or not isinstance(part.get("id"), int):
        raise QueryError("That is no part of a picture. Draw a rectangle inside one.")
    name = services().shelf.put(crop(library, part["id"], as_box(part.get("box"))))
    page_state.take_pictures([name])


@st.dialog("Search with a part of your picture", width="large")
@guarded
def crop_dropped(name: str) -> None:
    """The dialog that cuts a part out of a picture given to the page; the query then has the part in its place."""
    refusal()
    dropped = services().shelf.get(name)
    if dropped is None or st.session_state.pop("part_taken", False):
        st.rerun()
    width, height = dropped.size
    key = f"cutter-{name}"

    def take() -> None:
        part = st.session_state[key].part
        box = as_box(part.get("box") if isinstance(part, dict) else None)
        taken = services().shelf.put(crop_of(dropped.data, box))
        page_state.ask(page_state.text().replace(f"picture:{name}", f"picture:{taken}"))
        st.session_state["part_taken"] = True

    address = f"/picture/{name}.jpg"
    cutter(
        {"id": 1, "name": "your picture", "small": address, "large": "", "width": width, "height": height,
         "colour": "", "position": "", "favourite": False},
        key=key, on_part=lambda: attempt(take),
    )  # fmt: skip


# -- what a person decides ------------------------------------------------------------------------------------------


def _marks(library: Library, content_id: int) -> None:
    marks = library.marks
    is_favourite, tags = (
        content_id in marks.favourites_of([content_id]),
        marks.tags_of([content_id]).get(content_id, ()),
    )
    if library.readonly:
        quiet(READONLY)
        quiet(f"{'A favourite. ' if is_favourite else ''}Tags: {', '.join(tags) or 'none'}.")
        return
    of_favourite, of_tags = favourite_events.switch(content_id), f"tags-{content_id}"
    widget_keys.only([of_favourite, of_tags])
    favourite = widget_keys.key_showing(of_favourite, is_favourite, same=operator.eq)
    # A name that the library did not take goes again.
    chosen = widget_keys.key_showing(of_tags, list(tags), same=lambda a, b: set(a) == set(b))

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

    # With defaults: see `asking.filled`.
    st.toggle("Favourite", is_favourite, key=favourite, on_change=_if_shown, args=[favourite, change_favourite])
    st.multiselect(
        "Tags", [name for name, _ in marks.tags()], list(tags), key=chosen, accept_new_options=True,
        placeholder="Add a tag", on_change=_if_shown, args=[chosen, change_tags],
    )  # fmt: skip


def _if_shown(key: str, change: Callable[[], object]) -> None:
    """Heed a choice, unless it is that of a widget that is gone: Streamlit calls its handler too."""
    if widget_keys.is_shown(key):
        attempt(change)


def _actions(photo: PhotoRow, content_id: int) -> None:
    try:
        now = asked(parse(page_state.text())).get(content_id)
    except QueryError:
        now = None
    with st.container(horizontal=True, gap="small"):
        # As handlers: they run before the box is drawn again, which may not be changed after.
        for word, state, change in (("More", "liked", page_state.like), ("Less", "disliked", page_state.dislike)):
            said = f"No longer {word.lower()} like this" if now == state else f"{word} like this"
            kind: Literal["primary", "secondary"] = "primary" if state == "liked" else "secondary"
            # Under a key: what the button says changes with the click.
            st.button(said, key=f"make-{state}", type=kind, on_click=change, args=[content_id])
        # Not a button of Streamlit's: those read the whole file before anyone asks for it.
        st.html(f'<a class="download" href="/original/{content_id}" download>Download</a>', width="content")
        if services().manages:
            st.button("Open folder", key="open-folder", on_click=attempt, args=[lambda: open_folder(photo)])


def open_folder(photo: PhotoRow) -> None:
    """Show the folder of a photo in this machine's file manager, for who may act on this machine.

    Raises:
        FileManagerError: they may not, or it can't be shown.
    """
    if not services().manages:
        raise FileManagerError(
            "Folders are opened only for who sits at this machine. Start Sightline with --manage if that is you."
        )
    show_folder_of(to_path(photo.root, photo.path))


# -- other pictures -------------------------------------------------------------------------------------------------


def _duplicates(library: Library, folded: Sequence[int]) -> None:
    quiet(f"{count(len(folded), 'near-duplicate')} of it, folded into one place")
    _strip(library, folded[:MAX_DUPLICATES], "duplicates")
    st.button("Show them apart", on_click=page_state.unfold_duplicates)


def _similar(searcher: Searcher, content_id: int) -> None:
    try:
        space = searcher.space(parse(page_state.text()).space)
    except QueryError:
        space = searcher.space()
    ids = similar(searcher.library, space.id, content_id)
    if ids:
        quiet("Similar pictures")
        _strip(searcher.library, ids, "similar")


def _strip(library: Library, ids: Iterable[int], key: str) -> None:
    photos = library.catalog.photos(list(ids))
    starred = library.marks.favourites_of(photos)
    thumbnails(
        [tile(photos[id_], None, {}, starred) for id_ in ids if id_ in photos], key=key,
        on_open=lambda: _if_id(st.session_state[key].opened, page_state.open_photo),
    )  # fmt: skip
