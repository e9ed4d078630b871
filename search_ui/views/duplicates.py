"""The page of duplicates: copies and versions side by side, to choose what is superfluous. It touches no file.

What it shows is in the address: `kind`, `alike`, `among`, `page`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import streamlit as st

from search_ui.components import event_queue
from search_ui.components.groups import groups as show_groups
from search_ui.parts.duplicate_cards import card
from search_ui.parts.messages import attempt, note, quiet, refusal
from search_ui.parts.page_frame import with_library
from search_ui.runtime.services import services
from sightline.duplicates import groups as duplicates
from sightline.duplicates.groups import ALIKE, KINDS, USUAL, Group, Groups, Kind
from sightline.humanize import count, size
from sightline.jobs import Job, Report
from sightline.searcher import Searcher
from store.errors import SightlineError
from store.library import Library
from store.lock import is_indexing
from store.vectors.index import Ids

PAGE: Final = 20
# What takes no longer than this, in seconds, is waited for; of longer work the page shows how far it is.
PATIENCE: Final = 1.0
_KINDS: Final[Mapping[Kind, str]] = {"exact": "Exact copies", "near": "Near-duplicates"}
_ALIKE: Final = ("identical-looking", "nearly identical", "alike", "less alike", "similar")
_GROUPS: Final = "dup_groups"  # the key of their component
_UNDONE: Final = 50  # steps that can be taken back


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what it says wrong is taken for what is usual."""

    kind: Kind = "exact"
    alike: int = USUAL
    among: str = ""
    page: int = 1

    @classmethod
    def of(cls, address: Mapping[str, str]) -> Asked:
        """From the parameters of an address."""
        kind: Kind = "near" if address.get("kind") == "near" else "exact"
        alike = _number(address.get("alike", ""), USUAL + 1, len(ALIKE)) - 1
        return cls(kind, alike, address.get("among", ""), _number(address.get("page", ""), 1, 10**9))

    def address(self) -> dict[str, str]:
        """As the parameters of an address, without what is usual."""
        usual = Asked()
        said = {"kind": self.kind, "alike": str(self.alike + 1), "among": self.among, "page": str(self.page)}
        names = [name for name in said if getattr(self, name) != getattr(usual, name)]
        return {name: said[name] for name in names if name != "alike" or self.kind == "near"}


def _number(text: str, usual: int, most: int) -> int:
    """A number of 1 to `most` from an address."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most else usual


def go(asked: Asked) -> None:
    """Ask for something else; a step that the browser's Back takes."""
    if asked.address() != st.query_params.to_dict():
        st.query_params.from_dict(asked.address())


@with_library
def page(searcher: Searcher) -> None:
    """Draw the page."""
    asked = Asked.of(st.query_params.to_dict())
    library = searcher.library
    st.title("Duplicates", anchor=False)
    quiet(
        "Nothing is deleted or moved here. Setting a photo aside is a mark in the library, and the list of those marks "
        "can be exported."
    )
    _controls(asked)
    refusal()
    try:
        among = duplicates.chosen(library, asked.among)
    except SightlineError as error:
        note(str(error), role="alert")
        among = None
    if asked.among:
        with st.container(horizontal=True, vertical_alignment="center"):
            if among is not None:
                quiet(f"Among {count(len(among), 'picture')} that you selected.")
            st.button("Look among all pictures", type="tertiary", on_click=go, args=[Asked(asked.kind, asked.alike)])
        if among is None:
            return
    groups = _groups(searcher, asked, among)
    if groups is None:
        return
    if not len(groups):
        note(_none(asked))
    else:
        _list(library, asked, groups)
    _bar(library, asked, groups)


def _none(asked: Asked) -> str:
    among = "of the selection" if asked.among else "of the library"
    if asked.kind == "exact":
        return f"Every picture {among} is there once: no two files hold the same bytes."
    looser = " Move the slider to the right for looser groups." if asked.alike < len(ALIKE) - 1 else ""
    return f"No two pictures {among} are this alike.{looser}"


def _controls(asked: Asked) -> None:
    # Widgets show what the address says: it may have changed without them, by Back or by a link.
    st.session_state["dup_kind"] = asked.kind

    def change_kind() -> None:
        go(Asked(st.session_state["dup_kind"] or asked.kind, asked.alike, asked.among))

    def change_alike() -> None:
        go(Asked(asked.kind, _ALIKE.index(st.session_state["dup_alike"]), asked.among))

    with st.container(horizontal=True, vertical_alignment="top", gap="medium", key="dup_controls"):
        st.segmented_control("Which", KINDS, key="dup_kind", format_func=_KINDS.__getitem__, on_change=change_kind)
        if asked.kind == "near":
            st.session_state["dup_alike"] = _ALIKE[asked.alike]
            st.select_slider("How alike", _ALIKE, key="dup_alike", on_change=change_alike, width=420)


# -- finding them ---------------------------------------------------------------------------------------------------


def _groups(searcher: Searcher, asked: Asked, among: Ids | None) -> Groups | None:
    """The groups, once they are found; until then the page shows how far that is, and there are none."""
    library = searcher.library
    space = searcher.space()
    what: Hashable = (searcher, asked.kind, space.key if asked.kind == "near" else "", asked.among)
    key: Hashable = ("duplicates", what, _generation(library, what))

    def work(report: Report) -> tuple[Groups, ...]:
        if asked.kind == "exact":
            return (duplicates.exact(library, report, among=among),)
        return duplicates.near(library, space, report, among=among)

    job: Job[tuple[Groups, ...]] = services().background.job(key, work)
    if job.is_running:
        with st.spinner("Looking for duplicates …"):
            job.wait(PATIENCE)
    if job.is_running:
        _progress(job)
        return None
    if job.result is None:
        note(job.error, role="alert")
        st.button("Try again", on_click=services().background.forget, args=[key])
        return None
    return job.result[asked.alike if asked.kind == "near" else 0]


def _generation(library: Library, what: Hashable) -> int:
    """The state of the library to look at: the present one, but while an indexer is at work the one of before.

    Each of its batches makes another state, and a list that is made anew with each is never finished, or read.
    """
    now = library.catalog.generation()
    known: tuple[Hashable, int] = st.session_state.get("dup_state", (what, now))
    if known == (what, now) or known[0] != what or not is_indexing(library.path):
        known = st.session_state["dup_state"] = (what, now)
    else:
        with st.container(horizontal=True, vertical_alignment="center"):
            quiet("An indexing run is going on; this list is of before.")
            st.button("Look again", type="tertiary", on_click=_look_again)
    return known[1]


@st.fragment(run_every=1.0)
def _progress(job: Job[Any]) -> None:
    if not job.is_running:
        st.rerun()
    st.progress(job.done, job.doing or "Waiting for other work to end")


# -- showing them ---------------------------------------------------------------------------------------------------


def _list(library: Library, asked: Asked, groups: Groups) -> None:
    pages = -(-len(groups) // PAGE)
    number = min(asked.page, pages)
    if groups.is_cut:
        quiet(f"So many pictures are alike that only those of a cosine of {groups.floor:.4f} and more are shown.")
    loaded = duplicates.load(library, groups, (number - 1) * PAGE, PAGE)
    if event_queue.unheard(_GROUPS, _said()):  # a further click ended the handler that was to heed it
        attempt(partial(heed, library, loaded, _said()))
        loaded = duplicates.load(library, groups, (number - 1) * PAGE, PAGE)
    with st.container(horizontal=True, vertical_alignment="center", key="dup_totals"):
        freed = f"{'at least ' if asked.kind == 'near' else ''}{size(int(groups.freeable.sum()))} could be freed"
        st.markdown(f"**{count(len(groups), 'group')}** · {count(int(groups.photos.sum()), 'photo')} · {freed}")
        if not library.readonly:
            where = " on this page" if pages > 1 else ""
            st.button(
                f"Set aside all but the suggestions{where}",
                key="dup_all",
                on_click=attempt,
                args=[partial(rest, library, loaded)],
            )
        else:
            quiet("This library is read-only here: what is set aside can be seen, but not changed.")
    show_groups(
        [card(group) for group in loaded], key=_GROUPS, is_readonly=library.readonly,
        on_change=lambda: attempt(lambda: heed(library, loaded, _said())),
    )  # fmt: skip
    if pages > 1:
        # Under another key for each page: its value can't be set in the session without a warning in the log.
        key = f"dup_page-{number}"

        def turn() -> None:
            go(Asked(asked.kind, asked.alike, asked.among, st.session_state[key]))

        with st.container(horizontal_alignment="center"):
            st.pagination(pages, default=number, key=key, on_change=turn)


def _bar(library: Library, asked: Asked, groups: Groups) -> None:
    """What is set aside in all, the way back, and the lists to take along."""
    aside = duplicates.set_aside(library)
    undo = _steps(library)
    with st.container(horizontal=True, vertical_alignment="center", key="dup_bar"):
        said = (
            f"{count(len(aside.paths), 'photo')} set aside, {size(aside.size)}"
            if aside.paths
            else "Nothing is set aside"
        )
        quiet(f"{said}. No file was touched.")
        if undo and not library.readonly:
            st.button("Undo", key="dup_take_back", on_click=attempt, args=[partial(take_back, library)])
        with st.popover("Export", disabled=not len(groups) and not aside.paths):
            _exports(library, asked, groups, aside)


def _exports(library: Library, asked: Asked, groups: Groups, aside: duplicates.Aside) -> None:
    # Made when they are asked for, not at each drawing: a list may have a million lines.
    name = f"duplicates-{asked.kind}"
    quiet("Every photo of this list: keep, set aside, or undecided, and why.")
    st.download_button(
        "CSV", lambda: duplicates.csv_lines(duplicates.listed(library, groups)), f"{name}.csv", "text/csv",
        on_click="ignore", disabled=not len(groups),
    )  # fmt: skip
    st.download_button(
        "JSON lines", lambda: duplicates.json_lines(duplicates.listed(library, groups)), f"{name}.jsonl",
        "application/jsonl", on_click="ignore", disabled=not len(groups),
    )  # fmt: skip
    quiet("What is set aside in the whole library, a path a line.")
    st.download_button(
        "Paths", aside.as_lines, "set-aside.txt", "text/plain", on_click="ignore", disabled=not aside.paths
    )
    if aside.with_breaks:
        quiet(
            f"{count(aside.with_breaks, 'path')} with a line break in the name left out; CSV and JSON lines have all."
        )


def _said() -> Any:
    return st.session_state.get(_GROUPS, {}).get("changed")


def _look_again() -> None:
    st.session_state.pop("dup_state", None)


# -- changes --------------------------------------------------------------------------------------------------------


def heed(library: Library, groups: Sequence[Group], changes: Any) -> None:
    """Do what was clicked, as the component tells it, and nothing twice.

    A group that is no longer as it was, and so would keep another photo, is left alone.

    Raises:
        SightlineError: it can't be changed; the clicks are then forgotten.
    """
    steps = _steps(library)

    def do(said: dict[str, Any]) -> None:
        if "group" in said:
            of = [group for group in groups if group.suggestion.kept.photo_id == said["group"]]
            _change(library, _rest(of), steps)
        else:
            _change(library, {int(said["photo"]): bool(said["yes"])}, steps)

    event_queue.heed(_GROUPS, changes, do)


def rest(library: Library, groups: Sequence[Group]) -> None:
    """Set aside all photos of groups but the one to keep, and favourites.

    Raises:
        SightlineError: it can't be changed.
    """
    _change(library, _rest(groups), _steps(library))


def take_back(library: Library) -> None:
    """Take back the last change that this visitor made.

    Raises:
        SightlineError: it can't be changed.
    """
    if steps := _steps(library):
        # Only once it is done: what fails can be tried again.
        _set(library, steps[-1])
        steps.pop()


def _steps(library: Library) -> list[dict[int, bool]]:
    """What this visitor's changes changed: for each, whether its photos were set aside before it.

    To be had before anything is changed: at any use of the session, Streamlit may end a handler for the next click.
    """
    of, steps = st.session_state.get("dup_undo", (None, []))
    if of is not library:  # in another library the same ids are other photos
        steps = []
        st.session_state["dup_undo"] = (library, steps)
    kept: list[dict[int, bool]] = steps
    return kept


def _rest(groups: Sequence[Group]) -> dict[int, bool]:
    kept = {group.suggestion.kept.photo_id: False for group in groups}
    return kept | {id_: True for group in groups for id_ in group.rest}


def _change(library: Library, wanted: Mapping[int, bool], steps: list[dict[int, bool]]) -> None:
    """Set photos aside, or no longer, and note what they were."""
    aside = library.marks.set_aside_of(wanted)
    before = {id_: not yes for id_, yes in wanted.items() if (id_ in aside) != yes}
    if before:
        _set(library, {id_: not was for id_, was in before.items()})
        steps.append(before)
        del steps[:-_UNDONE]


def _set(library: Library, wanted: Mapping[int, bool]) -> None:
    services().require_same_library(library)
    for yes in (True, False):
        if ids := [id_ for id_, each in wanted.items() if each is yes]:
            library.marks.set_aside(ids, yes)
