"""The dialog that teaches a word by pictures that are selected, improves it, or deletes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from search_ui.parts import page_state
from search_ui.parts.concept_group import named
from search_ui.parts.messages import caption, catch_errors, message
from search_ui.runtime.services import services
from sightline.concepts import concept_record, forget, teach
from sightline.humanize import count
from sightline.query.types import Query, Taught
from sightline.searcher import Searcher

SIDES: Final = ("Examples: they show it", "Counter-examples: they do not", "Neither: they teach it no more")
ADVICE: Final = (
    "Eight pictures that show it and eight that do not are a good start; best are those that are taken for it. "
    "Pictures of the library chosen at random count as \u201cprobably not\u201d, and much less."
)


def open_dialog(searcher: Searcher, query: Query, ids: Sequence[int]) -> None:
    """Open the dialog for these pictures, with the word that the query asks for."""
    # Under other keys each time: what was typed before must not come back.
    st.session_state["teach_opened"] = st.session_state.get("teach_opened", 0) + 1
    st.session_state.pop("taught", None)
    dialog(searcher, named(query) or "", list(ids))


@st.dialog("Teach a word", on_dismiss="rerun")  # what was taught may be shown behind it
@catch_errors
def dialog(searcher: Searcher, name: str, ids: Sequence[int]) -> None:
    """Draw the dialog."""
    opened = st.session_state["teach_opened"]
    known = [concept.name for concept in searcher.library.concepts.all()]
    typed = st.text_input("Word", name, key=f"teach-name-{opened}", placeholder="A name, such as ours-boat").strip()
    side = st.radio(f"{count(len(ids), 'picture')} selected", SIDES, key=f"teach-side-{opened}")
    caption(f"Words that you taught: {', '.join(known)}." if known else ADVICE)
    concept = searcher.library.concepts.find(typed)
    with st.container(horizontal=True, gap="small"):
        is_saved = st.button("Save", type="primary", key="teach-save")
        is_deleted = concept is not None and st.button("Delete this word", type="tertiary", key="teach-delete")
    if is_deleted and concept is not None:
        services().require_same_library(searcher.library)
        forget(searcher, concept.name)
        st.rerun()
    if is_saved:
        services().require_same_library(searcher.library)
        sides: list[Sequence[int]] = [ids if side == each else () for each in SIDES]
        st.session_state["taught"] = teach(searcher, typed, sides[0], sides[1], without=sides[2])
    taught: dict[str, Any] | None = st.session_state.get("taught")
    if taught is not None and concept is None:
        concept = searcher.library.concepts.find(typed)
    if concept is None:
        return
    record = taught or concept_record(searcher, concept)
    for space in record["spaces"]:
        message(f"{record['name']}: {space['sure']} ({space['space']}).")
    if taught is not None:
        if taught["note"]:
            message(f"Kept, but not learnt: {taught['note']}", role="alert")
        if st.button(f"Search for {taught['name']}", icon=":material/search:", key="teach-search"):
            page_state.set_query(f"{Taught(taught['name'])}")
            st.rerun()
