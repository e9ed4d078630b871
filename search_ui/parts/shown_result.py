"""The result of a query, down to where the page shows it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from search_ui.parts import page_state
from search_ui.runtime.metrics import metrics
from search_ui.runtime.services import services
from sightline.query.types import MAX_HITS, Query
from sightline.ranking.results import Result
from sightline.searcher import Searcher


def search(searcher: Searcher, query: Query) -> Result:
    """Return the result of a query down to `shown_count`; the last one where nothing changed since.

    Raises:
        QueryError, SpaceError: see `Searcher.search`.
    """
    # The searcher too: there is another one for each library that was ever put here.
    state = (searcher, query, page_state.shown_count(), searcher.library.catalog.state(), searcher.space_for(query).key)
    if st.session_state.get("result_of") != state:
        found = _searched(searcher, query, page_state.shown_count())
        metrics().observe_search(found.seconds)
        st.session_state.update(result=found, result_of=state)
    result: Result = st.session_state["result"]
    return result


def _searched(searcher: Searcher, query: Query, count: int) -> Result:
    given = services().uploads.pictures_of(query)
    result = searcher.search(query, pictures=given, limit=min(count, MAX_HITS))
    for offset in range(MAX_HITS, count, MAX_HITS):
        if result.more:
            page = searcher.search(query, pictures=given, limit=min(count - offset, MAX_HITS), offset=offset)
            if page.generation != result.generation:
                break  # an indexer was at work: what follows belongs to another order
            result = replace(result, hits=[*result.hits, *page.hits], more=page.more)
    return result
