"""The bar of the selection: marks, exports, and searches that begin with these pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from search_ui.components.tag_field import tag_field
from search_ui.parts import page_state, teaching
from search_ui.parts.messages import caption, catch_errors, message, run_handler
from search_ui.parts.rising_numbers import next_number
from search_ui.parts.tiles import preferences_of
from search_ui.runtime.services import services
from search_ui.runtime.zip_registry import zip_registry
from sightline.humanize import count, size
from sightline.media.export import Exported, export, inside_roots
from sightline.query.edits import liked
from sightline.query.types import MAX_TERMS, Query
from sightline.ranking.results import Hit
from sightline.records import CSV_HEADER, csv_line, csv_row, file_name, shown
from sightline.searcher import Searcher
from store.disk_errors import disk_sentence
from store.errors import LibraryError
from store.library import Library
from store.paths import display
from store.tables.catalog import PhotoRow
from store.vectors.engine import VectorEngine

NO_COPIES: Final = (
    "Copying to a folder is off here, since others may reach this page. Start Sightline with --manage, or use the ZIP."
)
# Lines of a report, or of a list of paths, that are shown.
_MOST: Final = 200


# -- what is selected -----------------------------------------------------------------------------------------------


def selected() -> list[int]:
    """Return the content ids of the selection in the present result, in its order."""
    of, ids = st.session_state.get("selected", ("", []))
    if of != page_state.text():
        # For good: the grid forgets it too.
        st.session_state.pop("selected", None)
        return []
    return list(ids)


def receive(sent: Any) -> None:
    """Take over the selection that the grid has. At the beginning of a run.

    Args:
        sent: the grid's `.selected`, see `gallery`. What is of another result, or of before `clear`, is left out.
    """
    match sent:
        case {"query": str(of), "stamp": int(known), "ids": list(ids)} if of == page_state.text() and known >= stamp():
            st.session_state["selected"] = (of, [id_ for id_ in ids if isinstance(id_, int)])


def clear() -> None:
    """Clear the selection. A handler."""
    st.session_state["selected"] = (page_state.text(), [])
    st.session_state["selection_stamp"] = next_number(stamp())


def stamp() -> int:
    """Return the number of the last clearing from here: the grid follows when it rises."""
    return int(st.session_state.get("selection_stamp", 0))


# -- the bar --------------------------------------------------------------------------------------------------------


HitsOf = Callable[[Sequence[int]], Mapping[int, tuple[Hit, int]]]
"""Gives how pictures were found, and their places on the page from 1 on; without those that it does not show."""


def bar(searcher: Searcher, query: Query, hits_of: HitsOf) -> None:
    """Draw the bar, if anything is selected.

    Args:
        searcher: of the library.
        query: the present one.
        hits_of: what the page shows of the pictures that are selected.
    """
    ids = selected()
    if not ids:
        return
    library = searcher.library
    favourites = library.marks.favourites_of(ids)
    with st.container(key="selection", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<div class="picked" role="status">{len(ids):,} selected</div>', width="content")
        if not library.readonly:
            is_all = len(favourites) == len(ids)
            st.button(
                "No favourites" if is_all else "Favourite", icon=":material/star:", key="select-favourite",
                help="Make them favourites no longer" if is_all else "Make them favourites",
                on_click=run_handler,
                args=[lambda: services().require_same_library(library).marks.favourite(ids, not is_all)],
            )  # fmt: skip
            if st.button("Tags", icon=":material/sell:", key="select-tags"):
                # Under other keys each time: what was typed before must not come back.
                st.session_state["tags_opened"] = st.session_state.get("tags_opened", 0) + 1
                tags(library, ids)
            if st.button("Teach", icon=":material/school:", key="select-teach", help="Teach a word by these pictures"):
                teaching.open_dialog(searcher, query, ids)
        if st.button("Export", icon=":material/download:", key="select-export"):
            export_dialog(searcher, ids, hits_of)
        if not library.readonly:
            st.button(
                "Duplicates", icon=":material/filter_none:", key="select-duplicates", disabled=len(ids) < 2,
                help="Find duplicates among them", on_click=run_handler, args=[lambda: find_duplicates(library, ids)],
            )  # fmt: skip
        st.button(
            "Search", icon=":material/search:", key="select-search", help="Search for pictures like all of them",
            on_click=run_handler, args=[lambda: search_with(searcher, query, ids)],
        )  # fmt: skip
        st.button("Clear", icon=":material/close:", key="select-clear", type="tertiary", on_click=clear)


def find_duplicates(library: Library, ids: Sequence[int]) -> None:
    """Open the Duplicates page for these pictures alone. A handler.

    Raises:
        MarksError, LibraryError: the selection can't be kept.
    """
    address = {"among": services().require_same_library(library).marks.keep_set(ids), "kind": "near"}
    page_state.open_url(f"/duplicates?{urlencode(address)}")


def search_with(searcher: Searcher, query: Query, ids: Sequence[int]) -> None:
    """Add these pictures to the query; where not all fit, those nearest to their mean. A handler.

    Raises:
        QueryError: not even one fits.
    """
    new = [id_ for id_ in ids if preferences_of(query).get(id_) != "liked"]
    # One that is disliked takes no more place than it has; at least one, so that a full query says that it is full.
    room = max(1, MAX_TERMS - len(query.terms) + sum(id_ in preferences_of(query) for id_ in new))
    if len(new) > room:
        index = searcher.library.vectors.get(searcher.space_for(query).id)
        new = nearest_to_mean(index, new, room)
        st.session_state["refused"] = (
            f"A search takes {MAX_TERMS} terms: of the {len(ids):,} pictures it has the {room} that are most like all "
            "of them."
        )
    for id_ in new:
        query = liked(query, id_)
    page_state.set_query(str(query))


def nearest_to_mean(index: VectorEngine, ids: Sequence[int], number: int) -> list[int]:
    """Return the `number` contents nearest to the mean of all by cosine, in their order.

    Contents without a vector in the index come last.
    """
    there = set(index.ids[np.isin(index.ids, ids)].tolist())
    known = [id_ for id_ in ids if id_ in there]
    best = known
    if len(known) > number:
        vectors = index.vectors_of(np.array(known, np.int64))
        best = [known[place] for place in np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")]
    chosen = set([*best, *(id_ for id_ in ids if id_ not in there)][:number])
    return [id_ for id_ in ids if id_ in chosen]


# -- tags -----------------------------------------------------------------------------------------------------------


@st.dialog("Tags")
@catch_errors
def tags(library: Library, ids: Sequence[int]) -> None:
    """Draw the dialog that adds and removes tags."""
    there = Counter(tag for of in library.marks.tags_of(ids).values() for tag in of)
    caption(f"Of {count(len(ids), 'picture')}.")
    opened = st.session_state.get("tags_opened", 0)
    add = tag_field("Add", [name for name, _ in library.marks.tags()], key=f"tags-add-{opened}")
    remove = st.multiselect(
        "Remove", list(there), key=f"tags-remove-{opened}", disabled=not there,
        placeholder="Choose" if there else "None of them has a tag",
        format_func=lambda name: f"{name} ({there[name]:,})",
    )  # fmt: skip
    # Never disabled: what was typed last comes with the click.
    if st.button("Save", type="primary"):
        if add or remove:
            services().require_same_library(library).marks.change(ids, add=add, remove=remove)
        st.rerun()


# -- exports --------------------------------------------------------------------------------------------------------


@st.dialog("Export", width="medium")
@catch_errors
def export_dialog(searcher: Searcher, ids: Sequence[int], hits_of: HitsOf) -> None:
    """Draw the dialog that exports pictures: as files, and as lists."""
    library = searcher.library
    photos = _photos(library, ids, hits_of)
    caption(f"{count(len(photos), 'picture')}, {size(sum(photo.facts['size'] for photo in photos))}.")
    with st.container(horizontal=True, gap="small"):
        address = escape(zip_registry().offer(library, ids))
        st.html(f'<a class="download" href="{address}" download>ZIP of the files</a>', width="content")
        st.download_button(
            "CSV",
            lambda: table(library, ids, hits_of),
            "sightline.csv",
            "text/csv",
            key="export-csv",
            on_click="ignore",
        )
        st.download_button(
            "Paths", lambda: b"".join(file_name(photo) + b"\n" for photo in photos), "sightline.txt", "text/plain",
            key="export-paths", on_click="ignore",
        )  # fmt: skip
    st.code(
        "\n".join(shown(photo) for photo in photos),
        language=None,
        wrap_lines=True,
        height=160 if len(photos) > 4 else "content",
    )
    if services().manages:
        _to_folder(library, photos)
    else:
        caption(NO_COPIES)


def table(library: Library, ids: Sequence[int], hits_of: HitsOf) -> bytes:
    """Return pictures as CSV in UTF-8, with the columns and ranks of the command line's `--csv`.

    One that the page does not show any more has rank 0.
    """
    places = dict(hits_of(ids))
    gone = library.catalog.photos([id_ for id_ in ids if id_ not in places])
    places |= {id_: (Hit(0.0, "strong", (), photo), 0) for id_, photo in gone.items()}
    known_tags, favourites = library.marks.tags_of(ids), library.marks.favourites_of(ids)
    rows = [
        csv_row(*places[id_], tags=known_tags.get(id_, ()), favourite=id_ in favourites) for id_ in ids if id_ in places
    ]
    return "".join(f"{csv_line(row)}\n" for row in (CSV_HEADER, *rows)).encode("utf-8", "backslashreplace")


def _photos(library: Library, ids: Sequence[int], hits_of: HitsOf) -> list[PhotoRow]:
    """Return the photos that the page shows of pictures: filters choose between copies."""
    found = {id_: hit.photo for id_, (hit, _) in hits_of(ids).items()}
    found |= library.catalog.photos([id_ for id_ in ids if id_ not in found])
    return [found[id_] for id_ in ids if id_ in found]


def _to_folder(library: Library, photos: Sequence[PhotoRow]) -> None:
    typed = st.text_input("Copy to a folder of this machine", key="copy-to", placeholder="/home/me/chosen").strip()
    if not typed:
        return
    folder = Path(typed).expanduser()
    if not folder.is_absolute():
        message("Write the whole path of the folder, as in /home/me/chosen or ~/chosen.", role="alert")
        return
    for root in inside_roots(library, folder):
        text = f"This folder lies in {display(os.fsencode(root))}, which is indexed: the copies will be, too."
        message(text, role="alert")
    caption("Leave this open until it is done: closing it, or another click, ends the copying. What was copied stays.")
    if st.button(f"Copy {count(len(photos), 'file')}", key="copy", type="primary"):
        copy(library, photos, folder)


def copy(library: Library, photos: Sequence[PhotoRow], folder: Path) -> None:
    """Copy photos to a folder of this machine, and show the result. No file there is replaced.

    Raises:
        LibraryError: this server may not act on the machine, or shows another library by now.
    """
    if not services().manages:
        raise LibraryError(NO_COPIES)
    services().require_same_library(library)
    done: list[Exported] = []
    progress = st.progress(0.0, "Copying …")
    try:
        for each in export(library, photos, folder):
            done.append(each)
            progress.progress(len(done) / len(photos), f"Copying … {len(done):,} of {len(photos):,}")
    except OSError as error:
        said = disk_sentence(error) or f"The folder can't be written: {error.strerror or error}."
        message(said, role="alert")
        return
    progress.empty()
    outcomes = Counter(each.outcome for each in done)
    there = f", {outcomes['there']:,} there already" if outcomes["there"] else ""
    failed = [each for each in done if each.outcome == "failed"]
    wrong = f", {len(failed):,} failed" if failed else ""
    message(f"{count(outcomes['written'], 'file')} copied{there}{wrong}.", role="alert" if failed else "status")
    if failed:
        lines = [f"{display(os.fsencode(each.source))}: {each.reason}" for each in failed[:_MOST]]
        st.code("\n".join(lines), language=None)
