"""The dialog of one picture: larger, with what is known of it, why it was found, and what a person decides about it."""

from __future__ import annotations

from html import escape
from typing import Final, Literal

import streamlit as st

from search_ui import asking
from search_ui.gallery import thumbnails
from search_ui.language import parse
from search_ui.panels import READONLY, attempt, guarded, note, quiet, refusal
from search_ui.pictures import thumbnail
from search_ui.query import QueryError
from search_ui.results import Found, Part
from search_ui.searcher import Searcher
from search_ui.services import services
from search_ui.tiles import asked, tile
from search_ui.words import count, facts, number
from store.catalog import PhotoRow
from store.errors import LibraryError
from store.library import Library
from store.paths import display, to_bytes, to_path

MAX_DUPLICATES: Final = 60


# Drawn again when it closes: stars and filters follow what was decided in it.
@st.dialog("Picture", width="medium", on_dismiss="rerun")
@guarded
def detail(searcher: Searcher, content_id: int, found: Found | None) -> None:
    """One picture, larger, with what is known of it."""
    if services().searcher() is not searcher:
        st.rerun()  # another library was put in the place of this one
    if "opened" in st.session_state:
        st.rerun()  # a near-duplicate was opened: its dialog takes the place of this one
    refusal()
    library = searcher.library
    photo = library.catalog.photos([content_id]).get(content_id)
    if photo is None:
        note("This picture is no longer where it was.")
        return
    data = thumbnail(library, photo.hash)
    if data is None:
        note("The file of this picture changed or can't be read; the next indexing run will see to it.")
    else:
        with st.container(horizontal_alignment="center"):
            st.image(data)
    _feedback(content_id)
    _marks(library, content_id)
    # As code: names are not ours, and Markdown in them must stay text. It also brings a button to copy the path.
    st.code(display(to_bytes(to_path(photo.root, photo.path))), language=None, wrap_lines=True)
    table = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in _rows(photo, found))
    st.html(f'<dl class="facts">{table}</dl>')
    if found is not None and found.parts:
        _parts(found.parts)
    if found is not None and found.folded:
        _duplicates(library, found.folded)


def _rows(photo: PhotoRow, found: Found | None) -> list[tuple[str, str]]:
    rows = [*facts(photo), ("In a query", f"like:{photo.content_id}")]
    if found is not None and len(found.parts) > 1:
        rows.append(("Together", number(found)))
    return rows


def _feedback(content_id: int) -> None:
    try:
        now = asked(parse(asking.text())).get(content_id)
    except QueryError:
        now = None
    with st.container(horizontal=True):
        # As handlers: they run before the box is drawn again, which may not be changed after.
        for word, state, change in (("More", "liked", asking.like), ("Less", "disliked", asking.dislike)):
            said = f"No longer {word.lower()} like this" if now == state else f"{word} like this"
            kind: Literal["primary", "secondary"] = "primary" if state == "liked" else "secondary"
            # Under a key: what the button says changes with the click.
            if st.button(said, key=f"make-{state}", type=kind, on_click=change, args=[content_id]):
                st.rerun()


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
    favourite, chosen = f"favourite-{content_id}", f"tags-{content_id}"
    # Always what the library holds: a name that it did not take goes again.
    st.session_state[favourite], st.session_state[chosen] = is_favourite, list(tags)

    def is_still_there() -> None:
        if services().library() is not library:
            raise LibraryError("Another library was put in the place of this one; nothing was changed. Look again.")

    def change_tags() -> None:
        is_still_there()
        now = st.session_state[chosen]
        marks.change(
            [content_id],
            add=[name for name in now if name not in tags],
            remove=[name for name in tags if name not in now],
        )

    def change_favourite() -> None:
        is_still_there()
        marks.favourite([content_id], st.session_state[favourite])

    st.toggle("Favourite", key=favourite, on_change=attempt, args=[change_favourite])
    st.multiselect(
        "Tags", [name for name, _ in marks.tags()], key=chosen, accept_new_options=True, placeholder="Add a tag",
        on_change=attempt, args=[change_tags],
    )  # fmt: skip


def _parts(parts: tuple[Part, ...]) -> None:
    rows = "".join(
        f"<tr><th scope='row'>{escape(of.term)}</th><td>{of.cosine:.3f}</td><td>{of.score:+.2f}</td></tr>"
        for of in parts
    )
    head = "<tr><th scope='col'>Looked for</th><th scope='col'>Cosine</th><th scope='col'>Standard score</th></tr>"
    st.html(f'<table class="parts"><thead>{head}</thead><tbody>{rows}</tbody></table>')
    quiet(
        "A standard score of 0 is on the line from which a picture counts as a match; what is excluded should be below."
    )


def _duplicates(library: Library, folded: tuple[int, ...]) -> None:
    photos = library.catalog.photos(folded[:MAX_DUPLICATES])
    quiet(f"{count(len(folded), 'near-duplicate')} of it, folded into one place:")
    favourites = library.marks.favourites_of(photos)
    thumbnails(
        [tile(photos[id_], None, {}, favourites) for id_ in folded if id_ in photos], key="duplicates",
        on_open=lambda: st.session_state.update(opened=st.session_state["duplicates"].opened),
    )  # fmt: skip
    if st.button("Show them apart", on_click=asking.unfold_duplicates):
        st.rerun()
