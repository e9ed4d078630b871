"""Searches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from starlette.responses import Response

from search_ui.runtime.metrics import metrics
from search_ui.runtime.services import services
from search_ui.server.api.operations import Call, Operation, Parameter, answer
from search_ui.server.api.problems import Problem, of_space
from search_ui.server.api.schemas import GENERATION, LIMIT, OFFSET, QUERY
from sightline.query.parser import explain, parse, to_text
from sightline.query.types import Query, QueryError
from sightline.ranking.results import Hit
from sightline.records import record
from store.errors import SpaceError
from store.library import Library


def _search(call: Call) -> Response:
    searcher = services().searcher()
    query = parse(call["q"]).with_pictures(tuple(call.pictures))
    try:
        result = searcher.search(
            query,
            pictures={**services().uploads.pictures_of(query), **call.pictures},
            limit=call["limit"],
            offset=call["offset"],
        )
    except SpaceError as error:
        raise of_space(error, searcher.space(query.space), searcher.encoders) from error
    except QueryError as error:
        if searcher.library.catalog.default_space() is None:
            raise Problem(503, str(error)) from error
        raise
    _unmoved(call["generation"], result.generation)
    metrics().searched(result.seconds)
    return answer(
        {
            "query": to_text(query),
            "understood": understood(query),
            "space": result.space,
            "generation": result.generation,
            "total": result.total,
            "strong": result.strong,
            "maybe": result.maybe,
            "offset": result.offset,
            "more": result.more,
            "seconds": round(result.seconds, 6),
            "why_empty": result.why_empty,
            "hits": _records(searcher.library, result.hits, result.offset),
        }
    )


def understood(query: Query) -> list[dict[str, str]]:
    """What Sightline took a query to mean, part by part."""
    return [{"kind": line.kind, "text": line.text, "meaning": line.meaning} for line in explain(query)]


def _records(library: Library, hits: Iterable[Hit], offset: int) -> list[dict[str, Any]]:
    found = list(hits)
    ids = [hit.photo.content_id for hit in found]
    tags, favourites = library.marks.tags_of(ids), library.marks.favourites_of(ids)
    return [
        record(hit, rank, tags=tags.get(id_, ()), favourite=id_ in favourites)
        for rank, (hit, id_) in enumerate(zip(found, ids, strict=True), offset + 1)
    ]


def _unmoved(wanted: int | None, generation: int) -> None:
    if wanted is not None and wanted != generation:
        raise Problem(
            409, f"The library has moved on from generation {wanted} to {generation}. Begin again at the first page.",
            generation=generation,
        )  # fmt: skip


_REFUSALS: Final = (409, 422, 503)
_ABOUT: Final = "Words, filters and pictures, in the query language."

OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/search", "search", "Pictures that suit a query, best first", _search, {200: "Search"},
        parameters=(
            Parameter("q", QUERY, _ABOUT, example="red boat date:2000..", required=True),
            Parameter("limit", LIMIT, "How many hits at most."),
            Parameter("offset", OFFSET, "How many hits to pass over."),
            Parameter("generation", GENERATION, "Refuse (409) if the library is not at this generation any more."),
        ),
        refusals=_REFUSALS,
    ),
    Operation(
        "POST", "/api/v1/search", "searchWithPictures", "The same, also with picture files", _search, {200: "Search"},
        body="SearchRequest", form="SearchForm", refusals=_REFUSALS,
    ),
)  # fmt: skip
"""What is here."""
