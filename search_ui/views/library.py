"""The Library page: what there is at a glance, the next sensible thing, and below it everything else.

The page acts on this machine only where the server may, see `Services.manages`. Elsewhere, and in a library that is
read-only, it shows the commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.parts import add_folder, library_lists, model_choice, run_panel, small_things, walk_form, watch_switch
from search_ui.parts.first_run import first_run
from search_ui.parts.library_overview import Step, figures, next_step
from search_ui.parts.maintenance import maintenance
from search_ui.parts.messages import WRONG, caption, escape_markdown, message
from search_ui.parts.run_panel import NOT_HERE, act
from search_ui.runtime.folder_input import Presence, presences
from search_ui.runtime.services import services
from sightline.humanize import count
from store.errors import LibraryError, SightlineError
from store.library import Library
from store.paths import to_path
from store.remote import has_library
from store.tables import library_reports
from store.tables.records import RootState, SpaceState
from store.tables.space_choice import lacking

READONLY: Final = "This library is read-only here, so nothing can be indexed into it. What it holds can be seen."
RUNS: Final = 6
_OTHER: Final = "other_space"  # key of the choice of another model
_PARTS: Final = "other_parts"  # and of its parts of pictures
_OPENED: Final = "lib_opened"  # what the large button opened: "add", "failures" or nothing


def page() -> None:
    """Draw the page."""
    st.title("Library", anchor=False)
    try:
        library = services().library()
        if not library.catalog.roots() and not library.readonly:
            first_run(heading="Nothing is indexed yet")
        else:
            _page(library)
    except LibraryError as error:
        is_there = has_library(services().path)
        first_run(str(error) if is_there else "", heading="Index a folder" if is_there else "Nothing is indexed yet")
    except DatabaseError:
        st.error(WRONG)
    except SightlineError as error:
        message(str(error), role="alert")


def _page(library: Library) -> None:
    is_busy = run_panel.panel()  # first: what is read after it is at least as new
    catalog = library.catalog
    counts, roots, default = catalog.counts(), catalog.roots(), catalog.default_space()
    held = sorted(catalog.spaces(), key=lambda space: default is None or space.id != default.id)
    behind, there, disk = lacking(catalog), presences(roots), library.disk_use()
    acts = services().manages and not library.readonly
    with st.container(key="lib_hero", border=True):
        figures(counts, len(roots), len(held), sum(disk.values()), behind.get(default.id, 0) if default else 0)
        if acts and not is_busy:
            _next(next_step(roots, there, held, behind, counts.failed), _present(roots, there))
    if not services().manages:
        message(NOT_HERE)
    elif library.readonly:
        message(READONLY)
    if counts.failed and st.session_state.get(_OPENED) == "failures":
        _failures(library, counts.failed)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _folders(library, roots, there, held, acts=acts, is_busy=is_busy)
    with right:
        st.subheader("Models", anchor=False)
        library_lists.spaces(library, held, default, behind)
        if acts:
            _models(_present(roots, there), held, behind, is_busy=is_busy)
    if counts.failed and st.session_state.get(_OPENED) != "failures":
        _failures(library, counts.failed)
    with st.expander("Disk use", icon=":material/hard_drive:"):
        library_lists.disk(library, disk)
    with st.expander("Last runs", icon=":material/history:"):
        library_lists.runs(library_reports.runs(catalog, RUNS))
    if acts:
        asked = bool(st.session_state.get("lib_asked"))
        with st.expander("Maintenance", icon=":material/build:", expanded=asked):
            maintenance(library, roots, there, missing=counts.missing, is_busy=is_busy)
    library_lists.commands(roots, opened=not acts)


def _present(roots: Sequence[RootState], there: Mapping[int, Presence]) -> list[Path]:
    return [to_path(root.path) for root in roots if there[root.id] == "there"]


def _next(step: Step, present: Sequence[Path]) -> None:
    """Draw the large button."""
    with st.container(key="lib_next", horizontal=True, vertical_alignment="center", gap="medium"):
        st.button(
            escape_markdown(step.label), key="lib_next_button", type="primary", on_click=_do, args=[step, present]
        )
        caption(step.why)


def _do(step: Step, present: Sequence[Path]) -> None:
    if step.what in ("add", "failures"):
        st.session_state[_OPENED] = step.what
    else:
        _index(present, step.model or None)


def _failures(library: Library, failed: int) -> None:
    st.subheader("Files that could not be read", anchor=False)
    library_lists.failures(library, failed)


# -- folders --------------------------------------------------------------------------------------------------------


def _folders(
    library: Library, roots: Sequence[RootState], there: Mapping[int, Presence], held: Sequence[SpaceState], *,
    acts: bool, is_busy: bool,
) -> None:  # fmt: skip
    st.subheader("Folders", anchor=False)
    present = _present(roots, there)
    with st.container(key="lib_roots"):
        for root in roots:
            with st.container(horizontal=True, vertical_alignment="top", gap="small", key=f"lib_root_{root.id}"):
                with st.container(gap="xsmall"):
                    library_lists.root(root, there[root.id])
                    watch_switch.draw(library, root)
                if not acts:
                    continue
                with st.container(width="content", gap="xsmall"):  # one above the other, for narrow windows
                    st.button(
                        "Index again", key=f"again_{root.id}", disabled=is_busy or there[root.id] != "there",
                        help=escape_markdown(f"Check {root.display} for new, changed and missing files"),
                        on_click=_index, args=[[to_path(root.path)], None],
                    )  # fmt: skip
                    _options(root, is_busy=is_busy or there[root.id] != "there")
        if acts and len(roots) > 1:
            st.button(
                f"Index all {len(present)} that are there" if len(present) < len(roots) else f"Index all {len(roots)}",
                key="again_all", disabled=is_busy or not present, on_click=_index, args=[present, None],
            )  # fmt: skip
    if not acts:
        return
    is_open = st.session_state.get(_OPENED) == "add" or add_folder.offered_folder(roots) is not None
    # Under another key once it is opened from elsewhere: Streamlit keeps an expander as its user left it.
    with st.expander(
        "Add a folder", icon=":material/create_new_folder:", expanded=is_open, key=f"lib_adding_{is_open}"
    ):
        add_folder.form(roots, held, is_busy=is_busy)


def _options(root: RootState, *, is_busy: bool) -> None:
    """Draw how a folder is walked, to change it."""
    key = walk_form.key_of(root)
    with st.popover("What is taken", key=f"{key}_popover"):
        walk_form.draw(key, root.options)
        caption("Kept with the folder: every later run takes and leaves out the same.")
        st.button("Index like this", key=f"{key}_index", disabled=is_busy, on_click=_index_like, args=[root])


def _index_like(root: RootState) -> None:
    walk = walk_form.chosen(walk_form.key_of(root), root.options)
    act(lambda: services().runner.index([to_path(root.path)], walk=walk))


# -- models ---------------------------------------------------------------------------------------------------------


def _models(
    present: Sequence[Path], held: Sequence[SpaceState], behind: Mapping[int, int], *, is_busy: bool
) -> None:  # fmt: skip
    for space in held:
        if behind.get(space.id) and present:
            st.button(
                escape_markdown(f"Bring {space.name} up to date"), key=f"lib_model_{space.id}", disabled=is_busy,
                help=f"Look at {count(behind[space.id], 'picture')} with it", on_click=_index,
                args=[present, space.model],
            )  # fmt: skip
    if not present:
        return
    with st.expander("Index everything with another model", icon=":material/layers:", key="lib_spaces"):
        caption(
            "Another model has to look at each picture once. Until it has, searches use the old one; so they do if "
            "it reads no words. Later runs bring both up to date."
        )
        model_choice.choose(_OTHER, held, has_default=False)
        small_things.draw(_PARTS, held)
        st.button("Index all with it", key="index_space", disabled=is_busy, on_click=_index_in, args=[present])


# -- handlers -------------------------------------------------------------------------------------------------------


def _index(folders: Sequence[Path], space: str | None) -> None:
    act(lambda: services().runner.index(folders, space=space))


def _index_in(folders: Sequence[Path]) -> None:
    def index() -> None:
        # The model chosen by now: the click may come with a choice that no run of the script has seen.
        services().runner.index(folders, space=model_choice.chosen(_OTHER), tiles=small_things.chosen(_PARTS))
        small_things.reset(_PARTS)

    act(index)
