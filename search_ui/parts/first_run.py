"""The page of someone who has indexed nothing yet: a form, then the run, until pictures are there.

A library that is made elsewhere, such as by a command, is noticed: the page is drawn again then.
"""

from __future__ import annotations

import streamlit as st

from search_ui.parts import add_folder, run_panel
from search_ui.parts.library_lists import commands
from search_ui.parts.messages import caption, message
from search_ui.runtime.services import services


def first_run(reason: str = "", *, heading: str = "Nothing to search yet") -> None:
    """Draw the form of the first folder and the commands that do the same; while a run is on, the run.

    Args:
        reason: why the library can't be used, where there is one; empty where there is none, or no picture in it.
        heading: over the form.
    """
    may = services().manages
    runner = services().runner.run
    is_own = runner is not None and runner.is_running
    st.subheader("Indexing your pictures" if is_own else heading, anchor=False)
    is_busy = run_panel.panel()
    if reason:
        message(reason, role="alert")
    if is_busy:
        caption("Pictures appear here as soon as the first ones are indexed. You can search while the rest follows.")
        return
    caption("Choose a folder of pictures. They stay where they are, and nothing leaves this computer.")
    if may:
        with st.container(key="first_form"):
            add_folder.form([], [], is_busy=is_busy)
    else:
        message(run_panel.NOT_HERE)
    commands([], opened=not may)
