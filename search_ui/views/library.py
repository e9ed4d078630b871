"""The Library page: folders, models, failures, disk use and runs, and what can be done with them.

The page acts on this machine only where the server may, see `Services.manages`. Elsewhere, and in a library that is
read-only, it shows the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.parts import library_lists, run_text, walk_form
from search_ui.parts.messages import WRONG, caption, escape_markdown, handler_error, message, run_handler
from search_ui.parts.run_banner import EACH, PREPARING, STARTING, line, strip
from search_ui.runtime.folder_input import FolderError, Presence, folder, presences
from search_ui.runtime.index_runs import Run
from search_ui.runtime.services import services
from sightline.humanize import count
from sightline.models.presets import PRESETS
from store import progress
from store.errors import LibraryError, SightlineError
from store.library import DATABASE, Library
from store.lock import is_indexing
from store.paths import to_path
from store.tables import library_reports
from store.tables.records import RootState, SpaceState
from store.walk_options import WalkOptions

NOT_HERE: Final = (
    "This page does not act on the machine that Sightline runs on, because others may reach it. Who started it can "
    "allow that with --manage."
)
READONLY: Final = "This library is read-only here, so nothing can be indexed into it. What it holds can be seen."
RUNS: Final = 6
_ADDED: Final = "add_space"  # keys of the two select boxes
_OTHER: Final = "other_space"
_WALK: Final = "walk_added"  # key of the form of a folder to add


def page() -> None:
    """Draw the page."""
    st.title("Library", anchor=False)
    try:
        library = services().library()
    except LibraryError as error:
        _first(error)
        return
    try:
        _page(library)
    except DatabaseError:
        st.error(WRONG)
    except SightlineError as error:
        message(str(error), role="alert")


def _page(library: Library) -> None:
    catalog = library.catalog
    counts, roots = catalog.counts(), catalog.roots()
    held, default = catalog.spaces(), catalog.default_space()
    acts = services().manages and not library.readonly
    parts = [count(counts.pictures, "picture"), f"in {count(counts.photos, 'file')}"]
    parts += [f"{counts.missing:,} missing"] if counts.missing else []
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    caption(" · ".join([f"{parts[0]} {parts[1]}", *parts[2:]]))
    if not services().manages:
        message(NOT_HERE)
    elif library.readonly:
        message(READONLY)
    is_busy = _run_state()
    there = presences(roots)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _folders(roots, there, held, acts=acts, is_busy=is_busy)
        if acts:
            _maintenance(library, roots, there, missing=counts.missing, is_busy=is_busy)
    with right:
        st.subheader("Models", anchor=False)
        library_lists.spaces(library, held, default)
        st.subheader("Disk use", anchor=False)
        library_lists.disk(library)
        st.subheader("Last runs", anchor=False)
        library_lists.runs(library_reports.runs(library.catalog, RUNS))
    if counts.failed:
        st.subheader("Files that could not be read", anchor=False)
        library_lists.failures(library, counts.failed)
    library_lists.commands(roots, opened=not acts)


def _first(reason: LibraryError) -> None:
    """Draw the page without a library that can be opened: a form for the first folder."""
    is_busy = _run_state()
    is_there = (services().path / DATABASE).is_file()
    if is_there:
        message(str(reason), role="alert")
    if services().manages:
        st.subheader("Index a folder" if is_there else "Nothing is indexed yet", anchor=False)
        caption("Give Sightline a folder of pictures. They stay where they are, and nothing leaves this computer.")
        _add([], [], is_busy=is_busy)
    else:
        message(NOT_HERE)
    library_lists.commands([], opened=True)


# -- the run at work ------------------------------------------------------------------------------------------------


def _run_state() -> bool:
    """Draw why the last click failed, the run at work or how the last one ended. Whether one is at work."""
    path, run = services().path, services().runner.run
    shown = run if run is not None and run.is_running else None
    is_busy = shown is not None or is_indexing(path)
    # Always two, full or empty: Streamlit makes anew what moves on the page, and loses what was typed into it.
    with st.container(key="lib_said"):
        handler_error()
    with st.container(key="lib_run"):
        st.fragment(_watch, run_every=EACH / 2)(path, shown, was_busy=is_busy)
    return is_busy


def _watch(path: Path, shown: Run | None, *, was_busy: bool) -> None:
    run = services().runner.run
    is_own = run is not None and run.is_running
    state = progress.read(path)
    is_busy = is_own or state is not None or is_indexing(path)
    if is_busy != was_busy or (is_own and run is not shown):
        st.rerun()  # it began, or is over: what the page lists has changed
    if state is not None:
        line(state)
    elif is_own and run is not None and run.what == "verify":
        strip("Verifying the library", "", None)
    elif is_busy:
        strip(STARTING, PREPARING, None)
    if is_own and run is not None:
        _stop(run)
    elif is_busy:
        caption("This run was started in a terminal, or by another program, and can be stopped there.")
    elif run is not None:
        _ended(run)


def _stop(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if services().manages:
            again = run.state == "stopping"
            st.button(
                "Stop at once" if again else "Stop", key="lib_stop", on_click=_act,
                args=[lambda: services().runner.stop(run, at_once=again)],
            )  # fmt: skip
        if run.state == "stopping":
            caption("Stopping after the batch at hand. What was committed is safe either way.")
        elif run.folders:
            shown = ", ".join(run.folders[:3]) + (" …" if len(run.folders) > 3 else "")
            caption(shown)


def _ended(run: Run) -> None:
    message(run_text.outcome(run), role="alert" if run.state == "failed" else "status")
    for finding in run.results if run.what == "verify" else []:
        caption(f"{finding.get('part', '')}: {finding.get('text', '')}")
    if not services().manages:
        return  # neither the log, which has paths of this machine, nor a way to dismiss it for others
    for doubt in run.doubted:
        where = doubt.get("path", "a folder whose name is no text")
        caption(f"{where}: {count(doubt['photos'], 'file')} not forgotten, {doubt['reason']}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.doubted:
            st.button(
                "They are meant to be gone: forget them", key="prune_doubted", on_click=_act,
                args=[lambda: services().runner.index(run.places, emptied=True)],
            )  # fmt: skip
        if run_text.is_mendable(run):
            st.button("Repair", key="lib_repair", on_click=_act, args=[lambda: services().runner.verify(repair=True)])
        st.button("Dismiss", key="lib_dismiss", type="tertiary", on_click=_act, args=[services().runner.dismiss])
    if run.log and run.state != "done":
        with st.expander("Log"):
            st.code("\n".join(run.log), language=None, wrap_lines=True)


# -- folders --------------------------------------------------------------------------------------------------------


def _folders(
    roots: Sequence[RootState], there: dict[int, Presence], held: Sequence[SpaceState], *, acts: bool, is_busy: bool
) -> None:  # fmt: skip
    st.subheader("Folders", anchor=False)
    present = [to_path(root.path) for root in roots if there[root.id] == "there"]
    with st.container(key="lib_roots"):
        for root in roots:
            with st.container(horizontal=True, vertical_alignment="top", gap="small", key=f"lib_root_{root.id}"):
                library_lists.root(root, there[root.id])
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
    with st.expander("Add a folder", icon=":material/create_new_folder:", expanded=not roots, key="lib_adding"):
        _add(roots, held, is_busy=is_busy)
    if present:
        with st.expander("Index everything with another model", icon=":material/layers:", key="lib_spaces"):
            caption(
                "Another model has to look at each picture once. Until it has, searches use the old one; so they do if "
                "it reads no words. Later runs bring both up to date."
            )
            _space(_OTHER, held, has_default=False)
            st.button("Index all with it", key="index_space", disabled=is_busy, on_click=_index_in, args=[present])


def _options(root: RootState, *, is_busy: bool) -> None:
    """Draw how a folder is walked, to change it."""
    key = walk_form.key_of(root)
    with st.popover("What is taken", key=f"{key}_popover"):
        walk_form.draw(key, root.options)
        caption("Kept with the folder: every later run takes and leaves out the same.")
        st.button("Index like this", key=f"{key}_index", disabled=is_busy, on_click=_index_like, args=[root])


def _add(roots: Sequence[RootState], held: Sequence[SpaceState], *, is_busy: bool) -> None:
    text = st.text_input(
        "Folder of pictures", key="lib_folder", placeholder=str(Path.home() / "Pictures"),
        help="Its path on the machine that Sightline runs on",
    )  # fmt: skip
    with st.container(key="lib_checked"):
        if text.strip():
            try:
                caption(folder(text, roots, services().path).note)
            except FolderError as error:
                message(str(error), role="alert")
    _space(_ADDED, held, has_default=True)
    with st.popover("What is taken", key="walk_added_popover"):
        walk_form.draw(_WALK, WalkOptions())
    # Never disabled by an empty input: the click that ends the typing would hit a button that is still disabled.
    st.button("Index this folder", key="lib_add", type="primary", disabled=is_busy, on_click=_index_typed)


def _space(key: str, held: Sequence[SpaceState], *, has_default: bool) -> None:
    """Draw a choice of models, as `--space` takes them: those of the library, and the presets."""
    own = {space.model: f"{space.name}: in this library" for space in held if space.count}
    current = "current model" if len(own) == 1 else "all models of the library"
    default = {"": current if own else "recommended"} if has_default else {}
    named = {
        preset.name: f"{preset.name}: {preset.purpose}"
        + (f"; {preset.download / 1000:.1f} GB to download once" if preset.download else "")
        for preset in PRESETS.values()
        if preset.name not in own and preset.model not in own
    }
    options = {**default, **own, **named}
    st.selectbox("Model", list(options), key=key, format_func=lambda each: options.get(each, each))


# -- maintenance -------------------------------------------------------------------------------------------------------


def _maintenance(
    library: Library, roots: Sequence[RootState], there: dict[int, Presence], *, missing: int, is_busy: bool
) -> None:  # fmt: skip
    st.subheader("Maintenance", anchor=False)
    prunable = [root for root in roots if there[root.id] == "there" and root.missing]
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Verify", key="lib_verify", disabled=is_busy, on_click=_act, args=[services().runner.verify],
            help="Check the database, the vectors and the thumbnails",
        )  # fmt: skip
        if prunable:
            st.button("Forget what is missing …", key="lib_prune", disabled=is_busy, on_click=_confirm, args=[True])
    if missing and not prunable:
        caption("The files that are missing lie in folders that are not there now. They are kept.")
    if st.session_state.get("lib_asked") and prunable:
        with st.container(border=True, key="lib_confirm"):
            message(run_text.forgets(library, prunable), role="alert")
            with st.container(horizontal=True, gap="small"):
                st.button("Keep them", key="prune_no", on_click=_confirm, args=[False])
                st.button(
                    "Forget them", key="prune_yes", type="primary", disabled=is_busy, on_click=_index,
                    args=[[to_path(root.path) for root in prunable], None, True],
                )  # fmt: skip


def _confirm(yes: bool) -> None:
    st.session_state["lib_asked"] = yes


# -- handlers -------------------------------------------------------------------------------------------------------


def _act(action: Callable[[], object]) -> None:
    """Act on this machine, where that is allowed; where it fails, the next drawing says so."""
    if not services().manages:
        st.session_state["refused"] = NOT_HERE
        return
    run_handler(action)


def _index(folders: Sequence[Path], space: str | None, prune: bool = False) -> None:
    _confirm(False)
    _act(lambda: services().runner.index(folders, space=space, prune=prune))


def _chosen(key: str) -> str | None:
    """Return the model chosen by now: the click may come with a choice that no run of the script has seen."""
    return st.session_state.get(key) or None


def _index_like(root: RootState) -> None:
    walk = walk_form.chosen(walk_form.key_of(root), root.options)
    _act(lambda: services().runner.index([to_path(root.path)], walk=walk))


def _index_in(folders: Sequence[Path]) -> None:
    _index(folders, _chosen(_OTHER))


def _index_typed() -> None:
    def index() -> None:
        try:
            roots = services().library().catalog.roots()
        except LibraryError:
            roots = []
        found = folder(st.session_state.get("lib_folder", ""), roots, services().path)
        walk = walk_form.chosen(_WALK, WalkOptions())
        services().runner.index([found.path], space=_chosen(_ADDED), walk=walk)
        st.session_state["lib_folder"] = ""

    _act(index)
