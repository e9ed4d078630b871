"""Searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from search_ui.runtime.metrics import metrics
from search_ui.runtime.services import services
from search_ui.server.api import answers
from search_ui.server.api.form import read_form
from search_ui.server.api.inputs import SearchForm, SearchParameters, SearchRequest
from search_ui.server.api.problems import Problem, of_space
from search_ui.server.api.route import FORM, JSON, REFERENCE, answer, api_router, media_type, problems
from sightline.query.parser import parse
from sightline.query.types import QueryError
from sightline.records import search_answer
from store.errors import SpaceError

router = api_router()


async def _read_search(request: Request) -> tuple[SearchRequest | SearchForm, Mapping[str, bytes]]:
    """The body of a search and its picture files by name: FastAPI can't take both JSON and a form."""
    if media_type(request, JSON, FORM) == JSON:
        return SearchRequest.model_validate(await request.json()), {}
    fields, pictures = await read_form(request.headers["content-type"], request.stream())
    return SearchForm.model_validate({**fields, "picture": list(pictures)}), pictures


_BODIES = {JSON: SearchRequest, FORM: SearchForm}
_REQUEST_BODY = {
    "required": True,
    "content": {kind: {"schema": {"$ref": REFERENCE.format(model=model.__name__)}} for kind, model in _BODIES.items()},
}


@router.get(
    "/search", operation_id="search", summary="Pictures that suit a query, best first",
    response_model=answers.Search, responses=problems(409, 422, 503),
)  # fmt: skip
def _search(asked: Annotated[SearchParameters, Query()]) -> Response:
    return _found(asked, {})


@router.post(
    "/search", operation_id="searchWithPictures", summary="The same, also with picture files",
    response_model=answers.Search, responses=problems(409, 413, 415, 422, 503),
    openapi_extra={"requestBody": _REQUEST_BODY},
)  # fmt: skip
def _search_with_pictures(
    body: Annotated[tuple[SearchRequest | SearchForm, Mapping[str, bytes]], Depends(_read_search)],
) -> Response:
    return _found(*body)


def _found(asked: SearchParameters | SearchRequest | SearchForm, pictures: Mapping[str, bytes]) -> Response:
    searcher = services().searcher()
    query = parse(asked.q).with_pictures(tuple(pictures))
    given = {**services().uploads.pictures_of(query), **pictures}
    try:
        if asked.closer:
            searcher.look_closer(query, pictures=given)
        result = searcher.search(
            query,
            pictures=given,
            limit=asked.limit,
            offset=asked.offset,
            looks="closer" if asked.closer else "tiles",
        )
    except SpaceError as error:
        raise of_space(error, searcher.space_for(query), searcher.encoders) from error
    except QueryError as error:
        if searcher.library.catalog.default_space() is None:
            raise Problem(503, str(error)) from error
        raise
    _require_generation(asked.generation, result.generation)
    metrics().observe_search(result.seconds)
    return answer(search_answer(searcher.library, query, result))


def _require_generation(wanted: int | None, generation: int) -> None:
    if wanted is not None and wanted != generation:
        raise Problem(
            409, f"The library has moved on from generation {wanted} to {generation}. Begin again at the first page.",
            generation=generation,
        )  # fmt: skip
