"""The maintenance of a library: verifying it, and forgetting what is missing, once that is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from search_ui.parts import run_text
from search_ui.parts.messages import caption, message
from search_ui.parts.run_panel import act
from search_ui.runtime.folder_input import Presence
from search_ui.runtime.services import services
from store.library import Library
from store.paths import to_path
from store.tables.records import RootState

_ASKED = "lib_asked"


def maintenance(
    library: Library, roots: Sequence[RootState], there: Mapping[int, Presence], *, missing: int, is_busy: bool
) -> None:  # fmt: skip
    """Draw the buttons."""
    prunable = [root for root in roots if there[root.id] == "there" and root.missing]
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Verify", key="lib_verify", disabled=is_busy, on_click=act, args=[services().runner.verify],
            help="Check the database, the vectors and the thumbnails",
        )  # fmt: skip
        if prunable:
            st.button("Forget what is missing …", key="lib_prune", disabled=is_busy, on_click=_ask, args=[True])
    if missing and not prunable:
        caption("The files that are missing lie in folders that are not there now. They are kept.")
    if st.session_state.get(_ASKED) and prunable:
        with st.container(border=True, key="lib_confirm"):
            message(run_text.forgets(library, prunable), role="alert")
            with st.container(horizontal=True, gap="small"):
                st.button("Keep them", key="prune_no", on_click=_ask, args=[False])
                st.button(
                    "Forget them", key="prune_yes", type="primary", disabled=is_busy, on_click=_prune, args=[prunable]
                )


def _ask(yes: bool) -> None:
    st.session_state[_ASKED] = yes


def _prune(roots: Sequence[RootState]) -> None:
    _ask(False)
    act(lambda: services().runner.index([to_path(root.path) for root in roots], prune=True))
