"""The pages. Streamlit runs this script from top to bottom for every visitor and every click."""

from __future__ import annotations

from typing import Final

import streamlit as st

from search_ui.navigation import MARK, PAGES
from search_ui.parts import page_state
from search_ui.runtime.services import services
from search_ui.views import compare, duplicates, library, map, search

DRAWN: Final = (search.page, library.page, duplicates.page, map.page, compare.page)

pages = [
    st.Page(drawn, title=link.title, url_path=link.path, default=not place)
    for place, (drawn, link) in enumerate(zip(DRAWN, PAGES, strict=True))
]
first = pages[0]
# The bar with the pages stands in the page that the server sends, see `search_ui.server.index_page`.
chosen = st.navigation(pages, position="hidden")
title = "Sightline" if chosen is first else f"{chosen.title} · Sightline"
st.set_page_config(title, page_icon=MARK, layout="wide")
with st.container(key="pages"):  # not seen: what the bar presses
    for page in pages:
        st.page_link(page)
page_state.switch_page(first)
if chosen is not first:
    page_state.leave()
chosen.run()
services().preload_async()
