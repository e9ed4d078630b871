"""The run at work as who manages this machine sees it: the strip, Stop, how the last one ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from search_ui.components.live import live
from search_ui.parts import run_text
from search_ui.parts.live_state import live_state
from search_ui.parts.messages import caption, handler_error, message, run_handler
from search_ui.runtime.index_runs import Run
from search_ui.runtime.services import services
from sightline.humanize import count

NOT_HERE: Final = (
    "This page does not act on the machine that Sightline runs on, because others may reach it. Who started it can "
    "allow that with --manage."
)


def act(action: Callable[[], object]) -> None:
    """Act on this machine, where that is allowed; where it fails, the next drawing says so."""
    if not services().manages:
        st.session_state["refused"] = NOT_HERE
        return
    run_handler(action)


def panel() -> bool:
    """Draw a failed click, the run at work or how the last one ended; return whether one is at work.

    The page is drawn again when a run begins or ends, or pictures came to a library without any.
    """
    run = services().runner.run
    state = live_state(services())
    is_own = run is not None and run.is_running
    # Always two, full or empty: Streamlit makes anew what moves on the page, and loses what was typed into it.
    with st.container(key="lib_said"):
        handler_error()
    with st.container(key="lib_run"):
        live(state, key="live", follows="runs")
        if run is not None and is_own:
            _stop(run)
        elif state["run"] is not None:
            caption("This run was started in a terminal, or by another program, and can be stopped there.")
        elif run is not None:
            _ended(run)
    return state["run"] is not None


def _stop(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if services().manages:
            again = run.state == "stopping"
            st.button(
                "Stop at once" if again else "Stop", key="lib_stop", on_click=act, icon=":material/stop_circle:",
                args=[lambda: services().runner.stop(run, at_once=again)],
            )  # fmt: skip
        if run.state == "stopping":
            caption("Stopping. What was done is kept either way.")
        elif run.folders:
            caption(", ".join(run.folders[:3]) + (" …" if len(run.folders) > 3 else ""))


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
                "They are meant to be gone: forget them", key="prune_doubted", on_click=act,
                args=[lambda: services().runner.index(run.places, emptied=True)],
            )  # fmt: skip
        if run_text.is_mendable(run):
            st.button("Repair", key="lib_repair", on_click=act, args=[lambda: services().runner.verify(repair=True)])
        st.button("Dismiss", key="lib_dismiss", type="tertiary", on_click=act, args=[services().runner.dismiss])
    if run.log and run.state != "done":
        with st.expander("Log"):
            st.code("\n".join(run.log), language=None, wrap_lines=True)
