"""The pages. Streamlit runs this script from top to bottom for every visitor and every click."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from search_ui.parts import page_state
from search_ui.runtime.services import services
from search_ui.views import compare, duplicates, library, map, search

# Drawn here: a browser would fetch Streamlit's `:material/...:` page icons from Google.
ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f766e"/>'
    '<circle cx="16" cy="16" r="8" fill="none" stroke="#fff" stroke-width="3"/>'
    '<circle cx="16" cy="16" r="2.5" fill="#fff"/></svg>'
)
STYLE: Final = Path(__file__).with_name("style.css").read_text(encoding="utf-8")

first = st.Page(search.page, title="Search", url_path="search", default=True)
pages = [
    first,
    st.Page(library.page, title="Library", url_path="library"),
    st.Page(duplicates.page, title="Duplicates", url_path="duplicates"),
    st.Page(map.page, title="Map", url_path="map"),
    st.Page(compare.page, title="Compare", url_path="compare"),
]
chosen = st.navigation(pages, position="top")
title = "Sightline" if chosen is first else f"{chosen.title} · Sightline"
st.set_page_config(title, page_icon=ICON, layout="wide")
st.logo(ICON, size="large")
st.html(f"<style>{STYLE}</style>")
page_state.switch_page(first)
if chosen is not first:
    page_state.leave()
chosen.run()
services().preload_async()
