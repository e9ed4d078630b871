"""The form that adds a folder of pictures: the folder, the model, how it is walked, one button."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

from search_ui.parts import model_choice, small_things, walk_form
from search_ui.parts.messages import caption, escape_markdown, message
from search_ui.parts.run_panel import act
from search_ui.runtime.folder_input import FolderError, count_pictures, folder, subfolders, suggestions
from search_ui.runtime.services import services
from sightline.humanize import count
from store.errors import LibraryError
from store.paths import display, to_bytes, to_path
from store.tables.records import RootState, SpaceState
from store.walk_options import WalkOptions

_FOLDER: Final = "lib_folder"  # keys of the widgets
_MODEL: Final = "add_space"
_WALK: Final = "walk_added"
_PARTS: Final = "add_parts"
_BROWSED: Final = "lib_browsed"  # the folder whose folders are offered


def form(roots: Sequence[RootState], held: Sequence[SpaceState], *, is_busy: bool) -> None:
    """Draw the form."""
    offered = offered_folder(roots)
    typed = st.text_input(
        "Folder of pictures", st.session_state.get(_FOLDER) or (str(offered) if offered else ""), key=_FOLDER,
        placeholder=str(Path.home() / "Pictures"), help="Its path on the machine that Sightline runs on",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="lib_suggested"):
        for number, each in enumerate(suggestions()):
            st.button(
                escape_markdown(_shown(each)), key=f"suggested_{number}", on_click=_take, args=[each],
                icon=":material/folder:",
            )  # fmt: skip
        with st.popover("Choose a folder …", key="lib_browse", icon=":material/folder_open:"):
            _browse(typed)
    pictures = _checked(typed, roots)
    model_choice.choose(_MODEL, held, has_default=True, pictures=pictures)
    small_things.draw(_PARTS, held)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # Never disabled by an empty input: the click that ends the typing would hit a button that is still disabled.
        st.button("Index this folder", key="lib_add", type="primary", disabled=is_busy, on_click=_index)
        with st.popover("What is taken", key="walk_added_popover", type="tertiary"):
            walk_form.draw(_WALK, WalkOptions())


def offered_folder(roots: Sequence[RootState]) -> Path | None:
    """Return the folder that the form proposes: none that is in the library."""
    offered = services().offered
    if offered is None or any(offered.is_relative_to(to_path(root.path)) for root in roots):
        return None
    return offered


def _checked(typed: str, roots: Sequence[RootState]) -> int:
    """Say what is wrong with a folder, or what it holds; returns how many pictures to tell times for."""
    with st.container(key="lib_checked"):
        if not typed.strip():
            return model_choice.SOME
        try:
            found = folder(typed, roots, services().path)
        except FolderError as error:
            message(str(error), role="alert")
            return model_choice.SOME
        pictures, is_all = count_pictures(found.path)
        told = count(pictures, "picture") if is_all else f"More than {count(pictures, 'picture')}"
        caption(f"{found.note} {told} in it." if pictures or not is_all else f"{found.note} No pictures in it yet.")
        return pictures or model_choice.SOME


def _shown(path: Path) -> str:
    home = Path.home()
    name = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return display(to_bytes(Path(name)))


# -- choosing by clicks -----------------------------------------------------------------------------------------------


def _browse(typed: str) -> None:
    """Draw the folders of a folder, to go into them or to take it."""
    at = Path(st.session_state.get(_BROWSED) or _start(typed))
    caption(display(to_bytes(at)))
    with st.container(horizontal=True, gap="small"):
        st.button("Up", key="browse_up", on_click=_go, args=[at.parent], icon=":material/arrow_upward:")
        st.button("Take this folder", key="browse_take", type="primary", on_click=_take, args=[at])
    with st.container(height=260, key="lib_browsed_folders", border=False, gap="xxsmall"):
        inner = subfolders(at)
        for number, each in enumerate(inner):
            st.button(
                escape_markdown(each.name), key=f"browse_{zlib.crc32(to_bytes(each)):08x}_{number}", type="tertiary",
                on_click=_go, args=[each], icon=":material/folder:",
            )  # fmt: skip
        if not inner:
            caption("No folders in it.")


def _start(typed: str) -> Path:
    try:
        return folder(typed, [], services().path).path
    except FolderError:
        return Path.home()


def _go(place: Path) -> None:
    st.session_state[_BROWSED] = str(place)


def _take(place: Path) -> None:
    st.session_state[_FOLDER] = str(place)
    st.session_state.pop(_BROWSED, None)


# -- handlers ---------------------------------------------------------------------------------------------------------


def _index() -> None:
    def index() -> None:
        try:
            roots = services().library().catalog.roots()
        except LibraryError:
            roots = []
        found = folder(st.session_state.get(_FOLDER, ""), roots, services().path)
        walk = walk_form.chosen(_WALK, WalkOptions())
        # The model chosen by now: the click may come with a choice that no run of the script has seen.
        services().runner.index(
            [found.path], space=model_choice.chosen(_MODEL), walk=walk, tiles=small_things.chosen(_PARTS)
        )
        small_things.reset(_PARTS)
        # The first one is offered again, where the run is stopped before it has begun the library.
        services().offered = None if roots else found.path
        st.session_state[_FOLDER] = "" if roots else str(found.path)

    act(index)
