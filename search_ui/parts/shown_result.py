"""The result of a query, down to where the page shows it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from search_ui.parts import page_state
from search_ui.runtime.metrics import metrics
from search_ui.runtime.services import services
from sightline.query.types import MAX_HITS, Query
from sightline.ranking.handicap import Looks
from sightline.ranking.results import Result
from sightline.searcher import Searcher


def search(searcher: Searcher, query: Query, looks: Looks = "tiles", looked_at: int = 0) -> Result:
    """Return the result of a query down to `shown_count`; the last one where nothing changed since.

    Args:
        searcher: of the library.
        query: what is looked for.
        looks: see `Searcher.search`.
        looked_at: how many hits a closer look has seen.

    Raises:
        QueryError, SpaceError: see `Searcher.search`.
    """
    # The searcher too: there is another one for each library that was ever put here.
    now = searcher.library.catalog.state(), searcher.space_for(query).key
    state = (searcher, query, page_state.shown_count(), looks, looked_at, *now)
    if st.session_state.get("result_of") != state:
        found = _searched(searcher, query, page_state.shown_count(), looks)
        metrics().observe_search(found.seconds)
        st.session_state.update(result=found, result_of=state)
    result: Result = st.session_state["result"]
    return result


def _searched(searcher: Searcher, query: Query, count: int, looks: Looks) -> Result:
    given = services().uploads.pictures_of(query)
    result = searcher.search(query, pictures=given, limit=min(count, MAX_HITS), looks=looks)
    for offset in range(MAX_HITS, count, MAX_HITS):
        if result.more:
            most = min(count - offset, MAX_HITS)
            page = searcher.search(query, pictures=given, limit=most, offset=offset, looks=looks)
            if page.generation != result.generation:
                break  # an indexer was at work: what follows belongs to another order
            result = replace(result, hits=[*result.hits, *page.hits], more=page.more)
    return result
