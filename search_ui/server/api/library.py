"""The library as a whole: its state, its spaces, facets, tags and saved searches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from search_ui.runtime.folder_counts import filter_text, folder_tree
from search_ui.runtime.services import services
from search_ui.server.api import answers
from search_ui.server.api.inputs import FacetParameters, FolderParameters, SearchName, SearchToSave
from search_ui.server.api.problems import Problem
from search_ui.server.api.route import answer, api_router, problems
from search_ui.server.headers import SAFE
from sightline.query.parser import parse, to_text
from sightline.records import saved_text
from store import progress
from store.lock import is_indexing
from store.tables.fact_table import FACET_NAMES
from store.tables.marks_json import SavedSearch
from store.tables.space_choice import lacking

router = api_router()


@router.get(
    "/status", operation_id="status", summary="What the library holds",
    response_model=answers.Status, responses=problems(503),
)  # fmt: skip
def _status() -> Response:
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


@router.get(
    "/spaces", operation_id="spaces", summary="Its embedding spaces",
    response_model=answers.Spaces, responses=problems(503),
)  # fmt: skip
def _spaces() -> Response:
    catalog = services().library().catalog
    default, behind = catalog.default_space_id(), lacking(catalog)
    spaces = [
        {
            "name": space.name,
            "model": space.model,
            "dim": space.dim,
            "has_text": space.has_text,
            "pictures": catalog.counts(space.id).pictures,
            "behind": behind[space.id],
            "default": space.id == default,
        }
        for space in catalog.spaces()
    ]
    return answer({"spaces": spaces})


@router.get(
    "/facets", operation_id="facets", summary="What pictures can be narrowed by, with counts, under a query's filters",
    response_model=answers.Facets, responses=problems(422, 503),
)  # fmt: skip
def _facets(asked: Annotated[FacetParameters, Query()]) -> Response:
    library = services().library()
    query = parse(asked.q)
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


@router.get(
    "/folders", operation_id="folders", summary="The folders in one, with counts, under a query's filters",
    response_model=answers.Folders, responses=problems(422, 503),
)  # fmt: skip
def _folders(asked: Annotated[FolderParameters, Query()]) -> Response:
    library = services().library()
    query, under = parse(asked.q), asked.under.strip("/")
    tree = folder_tree(library, library.catalog.state(), query.filters)
    shown = tree.inside(under)[asked.offset : asked.offset + asked.limit]
    folders = [
        {"path": path, "count": tree.counts[path], "folders": tree.number_inside(path), "filter": filter_text(path)}
        for path in shown
    ]
    return answer(
        {
            "query": to_text(query), "under": under, "total": tree.number_inside(under), "offset": asked.offset,
            "folders": folders,
        }
    )  # fmt: skip


def _counted(pairs: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"name": name, "count": count} for name, count in pairs]


@router.get(
    "/tags", operation_id="tags", summary="Every tag and how many have it",
    response_model=answers.Tags, responses=problems(503),
)  # fmt: skip
def _tags() -> Response:
    return answer({"tags": _counted(services().library().marks.tags())})


@router.get(
    "/searches", operation_id="savedSearches", summary="Every saved search",
    response_model=answers.SavedSearches, responses=problems(503),
)  # fmt: skip
def _searches() -> Response:
    return answer({"searches": [_saved(search) for search in services().library().marks.saved_searches()]})


def _saved(search: SavedSearch) -> dict[str, str]:
    return {"name": search.name, "query": search.query, "saved_at": search.saved_at}


@router.get(
    "/searches/{name:path}", operation_id="savedSearch", summary="A saved search",
    response_model=answers.SavedSearch, responses=problems(404, 503),
)  # fmt: skip
def _search(name: SearchName) -> Response:
    for search in services().library().marks.saved_searches():
        if search.name == name:
            return answer(_saved(search))
    raise _no_search(name)


def _no_search(name: str) -> Problem:
    return Problem(404, f"There is no saved search {name!r}.")


@router.put(
    "/searches/{name:path}", operation_id="saveSearch", summary="Save a search under a name",
    response_model=answers.SavedSearch,
    responses={201: {"model": answers.SavedSearch}, **problems(404, 413, 415, 422, 503)},
)  # fmt: skip
def _save(name: SearchName, asked: SearchToSave) -> Response:
    marks = services().library().marks
    query = saved_text(parse(asked.q))
    known = any(search.name == name for search in marks.saved_searches())
    marks.save_search(name, query)
    answered = _search(name)
    answered.status_code = 200 if known else 201
    return answered


@router.delete(
    "/searches/{name:path}", operation_id="deleteSearch", summary="Delete a saved search",
    status_code=204, responses=problems(404, 503),
)  # fmt: skip
def _delete(name: SearchName) -> Response:
    if not services().library().marks.delete_search(name):
        raise _no_search(name)
    return Response(status_code=204, headers=SAFE)
