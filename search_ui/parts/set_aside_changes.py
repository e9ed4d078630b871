"""Photos that a visitor sets aside on the Duplicates page, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from search_ui.components import event_queue
from search_ui.runtime.services import services
from sightline.duplicates.groups import Group
from store.library import Library

_UNDO_STEPS: Final = 50


def apply_clicks(library: Library, key: str, groups: Sequence[Group], clicks: Any) -> None:
    """Apply the clicks that the component under a key sent, each once.

    A group that changed meanwhile, and so would keep another photo, is left alone.

    Raises:
        SightlineError: a change failed; all clicks are then dropped.
    """
    steps = undo_steps(library)

    def handle(click: dict[str, Any]) -> None:
        if "group" in click:
            clicked = [group for group in groups if group.suggestion.kept.photo_id == click["group"]]
            _change(library, _all_but_suggestions(clicked), steps)
        else:
            _change(library, dict.fromkeys(_names(groups, int(click["photo"])), bool(click["yes"])), steps)

    event_queue.apply(key, clicks, handle)


def set_aside_rest(library: Library, groups: Sequence[Group]) -> None:
    """Set aside all photos of groups but the one to keep, and favourites.

    Raises:
        SightlineError: it can't be changed.
    """
    _change(library, _all_but_suggestions(groups), undo_steps(library))


def undo(library: Library) -> None:
    """Undo the last change that this visitor made.

    Raises:
        SightlineError: it can't be changed.
    """
    if steps := undo_steps(library):
        # Removed only once it is done: what fails can be tried again.
        _set(library, steps[-1])
        steps.pop()


def undo_steps(library: Library) -> list[dict[int, bool]]:
    """Return this visitor's changes: for each, whether its photos were set aside before it.

    To be called before anything is changed: at any use of the session Streamlit may end a handler for the next click.
    """
    of, steps = st.session_state.get("dup_undo", (None, []))
    if of is not library:  # in another library the same ids are other photos
        steps = []
        st.session_state["dup_undo"] = (library, steps)
    kept: list[dict[int, bool]] = steps
    return kept


def _all_but_suggestions(groups: Sequence[Group]) -> dict[int, bool]:
    kept = {id_: False for group in groups for id_ in group.suggestion.kept.photo_ids}
    return kept | {id_: True for group in groups for id_ in group.rest}


def _names(groups: Sequence[Group], photo_id: int) -> tuple[int, ...]:
    """The photos that are the same file as one: they are set aside together."""
    versions = (version for group in groups for version in group.versions)
    return next((version.photo_ids for version in versions if photo_id in version.photo_ids), (photo_id,))


def _change(library: Library, wanted: Mapping[int, bool], steps: list[dict[int, bool]]) -> None:
    """Set photos aside, or no longer, and note what they were."""
    aside = library.marks.set_aside_of(wanted)
    before = {id_: not yes for id_, yes in wanted.items() if (id_ in aside) != yes}
    if before:
        _set(library, {id_: not was for id_, was in before.items()})
        steps.append(before)
        del steps[:-_UNDO_STEPS]


def _set(library: Library, wanted: Mapping[int, bool]) -> None:
    services().require_same_library(library)
    for yes in (True, False):
        if ids := [id_ for id_, each in wanted.items() if each is yes]:
            library.marks.set_aside(ids, yes)
