"""The library as a whole: its state, its spaces, what can be narrowed by, the tags and searches people keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final

from starlette.responses import Response

from search_ui.runtime.services import services
from search_ui.server.api.operations import Call, Operation, Parameter, answer
from search_ui.server.api.problems import Problem
from search_ui.server.api.schemas import FILTERS, NAME
from search_ui.server.headers import SAFE
from sightline.query.parser import parse, to_text
from sightline.records import saved_text
from store import progress
from store.lock import is_indexing
from store.tables.fact_table import FACET_NAMES
from store.tables.marks_json import SavedSearch


def _status(call: Call) -> Response:
    library = services().library()
    counts, now = library.catalog.counts(), progress.read(library.path)
    return answer(
        {
            "version": version("sightline"),
            "generation": counts.generation,
            "pictures": counts.pictures,
            "photos": counts.photos,
            "missing": counts.missing,
            "failures": counts.failed,
            "indexing": is_indexing(library.path),
            "progress": None if now is None else asdict(now),
            "last_run": library.catalog.last_run(),
        }
    )


def _spaces(call: Call) -> Response:
    catalog = services().library().catalog
    default = catalog.default_space()
    spaces = [
        {
            "name": space.name,
            "model": space.model,
            "dim": space.dim,
            "has_text": space.has_text,
            "pictures": catalog.counts(space.id).pictures,
            "default": default is not None and space.id == default.id,
        }
        for space in catalog.spaces()
    ]
    return answer({"spaces": spaces})


def _facets(call: Call) -> Response:
    library = services().library()
    query = parse(call["q"])
    only = library.catalog.matching(query.filters)
    facets = library.catalog.facets(only if query.filters else None)
    return answer(
        {
            "query": to_text(query),
            "total": len(only),
            **{kind: _counted(facets[kind]) for kind in FACET_NAMES},
            "favourites": facets.favourites,
        }
    )


def _counted(pairs: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"name": name, "count": count} for name, count in pairs]


def _tags(call: Call) -> Response:
    return answer({"tags": _counted(services().library().marks.tags())})


def _searches(call: Call) -> Response:
    return answer({"searches": [_saved(search) for search in services().library().marks.saved_searches()]})


def _saved(search: SavedSearch) -> dict[str, str]:
    return {"name": search.name, "query": search.query, "saved_at": search.saved_at}


def _search(call: Call) -> Response:
    for search in services().library().marks.saved_searches():
        if search.name == call["name"]:
            return answer(_saved(search))
    raise _no_search(call)


def _no_search(call: Call) -> Problem:
    return Problem(404, f"There is no saved search {call['name']!r}.")


def _save(call: Call) -> Response:
    marks = services().library().marks
    query = saved_text(parse(call["q"]))
    known = any(search.name == call["name"] for search in marks.saved_searches())
    marks.save_search(call["name"], query)
    answered = _search(call)
    answered.status_code = 200 if known else 201
    return answered


def _delete(call: Call) -> Response:
    if not services().library().marks.delete_search(call["name"]):
        raise _no_search(call)
    return Response(status_code=204, headers=SAFE)


_BY_NAME: Final = "/api/v1/searches/{name}"
_NAME: Final = (Parameter("name", NAME, "The name of a saved search.", "path", "boats", required=True),)

OPERATIONS: Final = (
    Operation("GET", "/api/v1/status", "status", "What the library holds", _status, {200: "Status"}, refusals=(503,)),
    Operation("GET", "/api/v1/spaces", "spaces", "Its embedding spaces", _spaces, {200: "Spaces"}, refusals=(503,)),
    Operation(
        "GET", "/api/v1/facets", "facets", "What pictures can be narrowed by, with counts, under a query's filters",
        _facets, {200: "Facets"}, refusals=(422, 503),
        parameters=(Parameter("q", FILTERS, "The query; only its filters count.", example="date:2020.."),),
    ),
    Operation("GET", "/api/v1/tags", "tags", "Every tag and how many have it", _tags, {200: "Tags"}, refusals=(503,)),
    Operation(
        "GET", "/api/v1/searches", "savedSearches", "Every saved search", _searches, {200: "SavedSearches"},
        refusals=(503,),
    ),
    Operation(
        "GET", _BY_NAME, "savedSearch", "A saved search", _search, {200: "SavedSearch"}, parameters=_NAME,
        refusals=(503,),
    ),
    Operation(
        "PUT", _BY_NAME, "saveSearch", "Save a search under a name", _save, {200: "SavedSearch", 201: "SavedSearch"},
        parameters=_NAME, body="SearchToSave", refusals=(422, 503),
    ),
    Operation(
        "DELETE", _BY_NAME, "deleteSearch", "Delete a saved search", _delete, {204: None}, parameters=_NAME,
        refusals=(503,),
    ),
)  # fmt: skip
"""What is here."""
