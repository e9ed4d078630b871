"""A page of three buttons: the first one's handler takes its time before that of the second has its turn."""

from __future__ import annotations

import time

import streamlit as st

from search_ui.handlers import whole

SECONDS = 2.0


def heed() -> None:
    st.session_state["heeded"] = st.session_state.get("heeded", 0) + 1


st.button("Slow", on_click=time.sleep, args=[SECONDS])
st.button("Heed", on_click=whole(heed))
st.button("Other")
st.text(f"heeded: {st.session_state.get('heeded', 0)}")
time.sleep(SECONDS)
st.text("at rest")
