"""Concepts: words that are taught by pictures."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from search_ui.runtime.services import services
from search_ui.server.api import answers
from search_ui.server.api.inputs import ConceptName, Lesson
from search_ui.server.api.problems import Problem
from search_ui.server.api.route import answer, api_router, problems
from search_ui.server.headers import SAFE
from sightline.concepts import concept_record, forget, listed, teach
from sightline.searcher import Searcher

router = api_router()


@router.get(
    "/concepts", operation_id="concepts", summary="Every concept and how sure each model is of it",
    response_model=answers.Concepts, responses=problems(503),
)  # fmt: skip
def _concepts() -> Response:
    return answer({"concepts": listed(services().searcher())})


@router.get(
    "/concepts/{name}", operation_id="concept", summary="A concept",
    response_model=answers.Concept, responses=problems(404, 503),
)  # fmt: skip
def _concept(name: ConceptName) -> Response:
    return answer(_record(services().searcher(), name))


@router.post(
    "/concepts/{name}", operation_id="teach", summary="Teach a concept by pictures, or teach it more",
    response_model=answers.Taught, responses=problems(404, 413, 415, 422, 503),
)  # fmt: skip
def _teach(name: ConceptName, asked: Lesson) -> Response:
    record = teach(
        services().searcher(), name, asked.examples, asked.counter_examples, without=asked.without, space=asked.space
    )
    return answer(record)


@router.delete(
    "/concepts/{name}", operation_id="forgetConcept", summary="Forget a concept",
    status_code=204, responses=problems(404, 503),
)  # fmt: skip
def _forget(name: ConceptName) -> Response:
    if not forget(services().searcher(), name):
        raise _no_concept(name)
    return Response(status_code=204, headers=SAFE)


def _record(searcher: Searcher, name: str) -> dict[str, Any]:
    concept = searcher.library.concepts.find(name)
    if concept is None:
        raise _no_concept(name)
    return concept_record(searcher, concept)


def _no_concept(name: str) -> Problem:
    return Problem(404, f"There is no concept {name!r}.")
