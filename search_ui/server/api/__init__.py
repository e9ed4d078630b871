"""The JSON interface under `/api/v1/`, for programs, and `/metrics`: routes to be mounted beside the page.

What a request may be, what an answer looks like and what the OpenAPI document says come from one list, `OPERATIONS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from search_ui.runtime.metrics import MEDIA_TYPE, metrics
from search_ui.server.api import label, library, photos, search
from search_ui.server.api.openapi import ADDRESS, document
from search_ui.server.api.operations import Call, Operation, answer
from search_ui.server.api.problems import Problem, problem
from search_ui.server.api.reading import read
from search_ui.server.headers import SAFE


def _document(call: Call) -> Response:
    return answer(DOCUMENT)


OPERATIONS: Final = (
    *search.OPERATIONS,
    *photos.OPERATIONS,
    *library.OPERATIONS,
    *label.OPERATIONS,
    Operation("GET", ADDRESS, "document", "This document", _document, {200: "Document"}),
)
"""Every operation there is."""

DOCUMENT: Final[dict[str, Any]] = document(OPERATIONS)
"""The OpenAPI document."""


def routes() -> list[Route]:
    """The routes of every operation, and of `/metrics`."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    made = [Route(_pattern(path), _endpoint(found), methods=list(found)) for path, found in by_path.items()]
    return [*made, Route("/metrics", _metrics)]


def refused(request: Request, error: HTTPException) -> Response:
    """The answer where there is no such route, or not for this method."""
    if error.status_code == 405:
        known = (error.headers or {}).get("Allow", "")
        detail = f"{request.method[:16]} is not for this address. There is: {known}."
    else:
        detail = f"There is nothing at this address. What there is: {ADDRESS}."
    return Problem(error.status_code, detail, headers=error.headers).response()


def _pattern(path: str) -> str:
    # A name may hold a slash, which arrives here decoded.
    return path.replace("{name}", "{name:path}")


def _endpoint(operations: Mapping[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        operation = operations["GET" if request.method == "HEAD" else request.method]
        try:
            call = await read(request, operation)
            return await run_in_threadpool(operation.handler, call)
        except Exception as error:  # noqa: BLE001  # `problem` logs those that nobody foresaw
            return problem(error).response()

    return endpoint


async def _metrics(request: Request) -> Response:
    """GET /metrics."""
    return Response(await run_in_threadpool(metrics().text), media_type=MEDIA_TYPE, headers=SAFE)
