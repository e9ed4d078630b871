"""The Duplicates page: copies and versions side by side, to choose which are not needed.

Its state is in the URL: `kind`, `alike`, `among`, `folder`, `page`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from search_ui.components import event_queue
from search_ui.components.groups import groups as show_groups
from search_ui.parts.duplicate_cards import card
from search_ui.parts.messages import caption, handler_error, message, run_handler
from search_ui.parts.page_frame import with_library
from search_ui.parts.run_banner import banner
from search_ui.parts.set_aside_changes import apply_clicks, set_aside_rest, undo, undo_steps
from search_ui.runtime.services import services
from sightline.duplicates import groups as duplicates
from sightline.duplicates.folders import folders_of, in_folder
from sightline.duplicates.groups import KINDS, Groups, Kind
from sightline.duplicates.steps import DEFAULT_STEP, DISTANCE_STEPS
from sightline.humanize import count, size
from sightline.jobs import Job, Report
from sightline.searcher import Searcher
from store.arrays import Ids
from store.errors import SightlineError
from store.library import Library
from store.lock import is_indexing

PAGE: Final = 20
# So many groups are marked with one press; loading more would keep the visitor waiting for seconds.
AT_ONCE: Final = 2_000
# The page waits so many seconds for a search of duplicates; after that it shows the progress.
PATIENCE: Final = 1.0
_KINDS: Final[Mapping[Kind, str]] = {"exact": "Exact copies", "near": "Near-duplicates", "burst": "Bursts"}
_ALIKE: Final = ("identical-looking", "nearly identical", "normal", "loose", "very loose")
_GROUPS: Final = "dup_groups"  # the key of their component


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of the URL; those that are wrong have their default."""

    kind: Kind = "exact"
    alike: int = DEFAULT_STEP
    among: str = ""
    folder: str = ""
    page: int = 1

    @classmethod
    def from_url(cls, given: Mapping[str, str]) -> Params:
        """Read the parameters of a URL."""
        kind: Kind = next((kind for kind in KINDS if kind == given.get("kind")), "exact")
        alike = _number(given.get("alike", ""), DEFAULT_STEP + 1, len(DISTANCE_STEPS)) - 1
        among, folder = given.get("among", ""), given.get("folder", "")
        return cls(kind, alike, among, folder, _number(given.get("page", ""), 1, 10**9))

    def for_url(self) -> dict[str, str]:
        """Return the parameters of a URL, without those that have their default."""
        default = Params()
        every = {
            "kind": self.kind, "alike": str(self.alike + 1), "among": self.among, "folder": self.folder,
            "page": str(self.page),
        }  # fmt: skip
        names = [name for name in every if getattr(self, name) != getattr(default, name)]
        return {name: every[name] for name in names if name != "alike" or self.kind == "near"}


def _number(text: str, default: int, largest: int) -> int:
    """Read a number of 1 to `largest`."""
    is_valid = text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= largest
    return int(text) if is_valid else default


def navigate(params: Params) -> None:
    """Go to another state of the page: a step that the browser's Back takes. A handler."""
    if params.for_url() != st.query_params.to_dict():
        st.query_params.from_dict(params.for_url())


@with_library
def page(searcher: Searcher) -> None:
    """Draw the page."""
    params = Params.from_url(st.query_params.to_dict())
    library = searcher.library
    st.title("Duplicates", anchor=False)
    banner()
    caption(
        "Nothing is deleted or moved here. Photos are only marked for removal, and the list of those marked can be "
        "exported."
    )
    where = _controls(params)
    handler_error()
    try:
        among = duplicates.selection_ids(library, params.among)
    except SightlineError as error:
        message(str(error), role="alert")
        among = None
    if params.among:
        with st.container(horizontal=True, vertical_alignment="center"):
            if among is not None:
                caption(f"Only in your selection of {count(len(among), 'picture')}.")
            st.button(
                "Look in all pictures", type="tertiary", on_click=navigate,
                args=[replace(params, among="", folder="", page=1)],
            )  # fmt: skip
        if among is None:
            return
    every = _groups(searcher, params, among)
    if every is None:
        return
    with where:
        groups = _in_folder(library, params, every)
    if not len(groups):
        message(_none(params))
    else:
        _list(library, params, groups)
    _bar(library, params, groups)


def _none(params: Params) -> str:
    among = f"in {params.folder}" if params.folder else "in the selection" if params.among else "in the library"
    if params.kind == "exact":
        return f"No exact copies {among}: no two files hold the same bytes."
    if params.kind == "burst":
        return f"No bursts {among}: no two similar photos were taken by one camera within seconds."
    looser = " Move the slider to the right for less similar ones." if params.alike < len(DISTANCE_STEPS) - 1 else ""
    return f"No two pictures {among} are this similar.{looser}"


def _controls(params: Params) -> DeltaGenerator:
    """Draw the controls; return the place of the choice of folders, which are known once the groups are."""
    # Widgets show what the URL says: Back or a link may have changed it without them.
    st.session_state["dup_kind"] = params.kind

    def change_kind() -> None:
        navigate(replace(params, kind=st.session_state["dup_kind"] or params.kind, page=1))

    def change_alike() -> None:
        navigate(replace(params, alike=_ALIKE.index(st.session_state["dup_alike"]), page=1))

    with st.container(horizontal=True, vertical_alignment="top", gap="medium", key="dup_controls"):
        st.segmented_control("Show", KINDS, key="dup_kind", format_func=_KINDS.__getitem__, on_change=change_kind)
        if params.kind == "near":
            st.session_state["dup_alike"] = _ALIKE[params.alike]
            st.select_slider("Similarity", _ALIKE, key="dup_alike", on_change=change_alike, width=420)
        return st.container(key="dup_where", width=320)


# -- finding them ---------------------------------------------------------------------------------------------------


def _groups(searcher: Searcher, params: Params, among: Ids | None) -> Groups | None:
    """Return the groups once they are found; until then show the progress, and return None."""
    library = searcher.library
    space = searcher.space()
    what: Hashable = (searcher, params.kind, "" if params.kind == "exact" else space.key, params.among)
    key: Hashable = ("duplicates", what, _generation(library, what))

    def work(report: Report) -> tuple[Groups, ...]:
        if params.kind == "exact":
            return (duplicates.exact(library, report, among=among),)
        if params.kind == "burst":
            return (duplicates.bursts(library, space, report, among=among),)
        return duplicates.near(library, space, report, among=among)

    job: Job[tuple[Groups, ...]] = services().background.job(key, work)
    if job.is_running:
        with st.spinner("Looking for duplicates …"):
            job.wait(PATIENCE)
    if job.is_running:
        _progress(job)
        return None
    if job.result is None:
        message(job.error, role="alert")
        st.button("Try again", on_click=services().background.forget, args=[key])
        return None
    return job.result[params.alike if params.kind == "near" else 0]


def _generation(library: Library, what: Hashable) -> int:
    """Return the generation to look at: the present one, but while an indexer runs the one before it.

    Each batch of the indexer makes another generation; a list that is made again with each would never be finished.
    """
    now = library.catalog.generation()
    known: tuple[Hashable, int] = st.session_state.get("dup_state", (what, now))
    if known == (what, now) or known[0] != what or not is_indexing(library.path):
        known = st.session_state["dup_state"] = (what, now)
    else:
        with st.container(horizontal=True, vertical_alignment="center"):
            caption("Indexing is running. This list is from before it started.")
            st.button("Refresh", type="tertiary", on_click=_look_again)
    return known[1]


@st.fragment(run_every=1.0)
def _progress(job: Job[Any]) -> None:
    if not job.is_running:
        st.rerun()
    st.progress(job.done, job.doing or "Waiting for other work to end")


# -- of one folder --------------------------------------------------------------------------------------------------


def _in_folder(library: Library, params: Params, groups: Groups) -> Groups:
    """Draw a choice of folders; return the groups with a picture in the chosen one, or all."""
    known: tuple[Groups | None, list[str]] = st.session_state.get("dup_folders", (None, []))
    if known[0] is not groups:
        known = st.session_state["dup_folders"] = (groups, folders_of(library, groups))
    folders = known[1] if params.folder in ("", *known[1]) else [params.folder, *known[1]]
    if len(folders) > 1 or params.folder:
        st.session_state["dup_folder"] = params.folder
        st.selectbox(
            "Folder", ["", *folders], key="dup_folder", format_func=lambda name: name or "All folders",
            on_change=lambda: navigate(replace(params, folder=st.session_state["dup_folder"] or "", page=1)),
        )  # fmt: skip
    return in_folder(library, groups, params.folder)


# -- showing them ---------------------------------------------------------------------------------------------------


def _list(library: Library, params: Params, groups: Groups) -> None:
    pages = -(-len(groups) // PAGE)
    number = min(params.page, pages)
    if groups.is_cut:
        caption("There are too many similar pictures to list them all: only the most similar are shown.")
    if params.kind == "burst":
        caption("The photos of a burst were taken within seconds. They are different: none is a copy of another.")
    loaded = duplicates.load_groups(library, groups, (number - 1) * PAGE, PAGE)
    if event_queue.pending(_GROUPS, _clicks()):  # a further click ended the handler
        run_handler(partial(apply_clicks, library, _GROUPS, loaded, _clicks()))
        loaded = duplicates.load_groups(library, groups, (number - 1) * PAGE, PAGE)
    with st.container(horizontal=True, vertical_alignment="center", key="dup_totals"):
        freed = f" · {'' if params.kind == 'exact' else 'at least '}{size(int(groups.freeable.sum()))} could be freed"
        totals = f"**{count(len(groups), 'group')}** · {count(int(groups.photos.sum()), 'photo')}"
        st.markdown(totals if params.kind == "burst" else totals + freed)
        if not library.readonly and params.kind != "burst":
            where = " on this page" if pages > 1 else ""
            st.button(
                f"Mark the rest for removal{where}",
                key="dup_all",
                on_click=_change,
                args=[params, partial(set_aside_rest, library, loaded)],
            )
            # Copies are the same bytes, whether they were looked at or not. Near-duplicates are to be seen first.
            if pages > 1 and params.kind == "exact" and len(groups) <= AT_ONCE:
                st.button(
                    f"Mark the rest in all {len(groups):,} groups", key="dup_everywhere",
                    on_click=_change, args=[params, partial(_mark_all, library, groups)],
                )  # fmt: skip
        elif library.readonly:
            caption("This library is read-only here: marks can be seen, but not changed.")
    show_groups(
        [card(group, are_copies=params.kind != "burst") for group in loaded], key=_GROUPS, is_readonly=library.readonly,
        on_change=lambda: _change(params, lambda: apply_clicks(library, _GROUPS, loaded, _clicks())),
    )  # fmt: skip
    if pages > 1:
        # Under another key for each page: its value can't be set in the session without a warning in the log.
        key = f"dup_page-{number}"

        def turn() -> None:
            navigate(replace(params, page=st.session_state[key]))

        with st.container(horizontal_alignment="center"):
            st.pagination(pages, default=number, key=key, on_change=turn)


def _bar(library: Library, params: Params, groups: Groups) -> None:
    """Draw the bar at the foot: what is marked for removal in all, Undo, and the lists to export."""
    aside = duplicates.set_aside(library)
    steps = undo_steps(library)
    with st.container(horizontal=True, vertical_alignment="center", key="dup_bar"):
        total = f"{count(len(aside.paths), 'photo')} marked for removal, {size(aside.size)}"
        caption(f"{total if aside.paths else 'Nothing is marked for removal'}. No file was touched.")
        if steps and not library.readonly:
            st.button("Undo", key="dup_take_back", on_click=_change, args=[params, partial(undo, library)])
        with st.popover("Export", disabled=not len(groups) and not aside.paths):
            _exports(library, params, groups, aside)


def _exports(library: Library, params: Params, groups: Groups, aside: duplicates.SetAside) -> None:
    # Made when they are params for, not at each drawing: a list may have a million lines.
    name = f"duplicates-{params.kind}"
    caption("Every photo in this list, whether it is to be kept or removed, and why.")
    st.download_button(
        "CSV", lambda: duplicates.csv_lines(duplicates.group_records(library, groups)), f"{name}.csv", "text/csv",
        on_click="ignore", disabled=not len(groups),
    )  # fmt: skip
    st.download_button(
        "JSON lines", lambda: duplicates.json_lines(duplicates.group_records(library, groups)), f"{name}.jsonl",
        "application/jsonl", on_click="ignore", disabled=not len(groups),
    )  # fmt: skip
    caption("All photos of the library that are marked for removal, one path per line.")
    st.download_button(
        "Paths", aside.as_lines, "marked-for-removal.txt", "text/plain", on_click="ignore", disabled=not aside.paths
    )
    if aside.shared:
        caption(
            f"{count(aside.shared, 'photo')} left out: the same file has another name that is not marked, such as a "
            "link to it. Removing one name would free nothing."
        )
    if aside.with_breaks:
        caption(
            f"{count(aside.with_breaks, 'path')} with a line break in the name left out; CSV and JSON lines have all."
        )


def _change(params: Params, change: Callable[[], object]) -> None:
    """Change marks, and stay at what is shown: a quick click comes with the URL of before. A handler."""
    navigate(params)
    run_handler(change)


def _mark_all(library: Library, groups: Groups) -> None:
    set_aside_rest(library, duplicates.load_groups(library, groups, 0, len(groups)))


def _clicks() -> Any:
    return st.session_state.get(_GROUPS, {}).get("changed")


def _look_again() -> None:
    st.session_state.pop("dup_state", None)
