"""Where in a picture a text was found."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from search_ui.runtime.services import services
from search_ui.server.api import answers
from search_ui.server.api.inputs import ExplainParameters, PhotoId
from search_ui.server.api.photos import known
from search_ui.server.api.problems import Problem, of_space
from search_ui.server.api.route import answer, api_router, problems
from sightline.query.parser import parse
from sightline.records import explained
from sightline.where.errors import UnknownTowerError
from sightline.where.explain import PART, as_part
from store.errors import SpaceError

router = api_router()


@router.get(
    "/photos/{id}/explain", operation_id="explain", summary="Where in a picture a text was found",
    response_model=answers.Explanation, responses=problems(404, 409, 422, 503),
)  # fmt: skip
def _explain(id_: PhotoId, asked: Annotated[ExplainParameters, Query()]) -> Response:
    searcher = services().searcher()
    known(searcher.library, id_)
    query = parse(asked.text)
    part = as_part(dict(zip(PART, map(float, asked.part.split(",")), strict=True))) if asked.part else None
    try:
        found = searcher.explain(id_, query, part)
    except UnknownTowerError as error:
        raise Problem(409, str(error)) from error
    except SpaceError as error:
        raise of_space(error, searcher.space(query.space, words=True), searcher.encoders) from error
    return answer(explained(id_, found))
