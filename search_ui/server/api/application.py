"""The FastAPI application: all routes, the OpenAPI document, and the answers where there is no route."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from search_ui.server.api import answers, concepts, explain, inputs, label, library, photos, search
from search_ui.server.api.problems import Problem
from search_ui.server.api.route import ADDRESS, REFERENCE, ApiRoute, answer, api_router, problems

_ABOUT: Final = (
    "Search your own pictures. For programs on this machine, and for pages of this server: a request that a browser "
    "makes for another site's page is refused (403). Errors are problems of RFC 9457. HEAD works where GET does."
)
_TOKEN: Final = "The header that `python -m search_ui address --header` prints; a server with --no-token asks for none."
# In the document, but not found by FastAPI: what any operation may answer, and a body of two media types.
_MORE_MODELS: Final = (answers.Problem, inputs.SearchRequest, inputs.SearchForm)

router = api_router()


@router.get(
    "/openapi.json", operation_id="document", summary="This document", response_model=dict[str, Any],
    responses=problems(),
)  # fmt: skip
def _document(request: Request) -> Response:
    return answer(request.app.openapi())


def build() -> FastAPI:
    """The application, without FastAPI's own pages (their scripts come from elsewhere) and telemetry."""
    routes = [route for part in (search, photos, explain, concepts, library, label) for route in part.router.routes]
    return _Api(
        routes=[*routes, *router.routes],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _refused},
        # With FASTAPI_OTEL_AUTO_CONFIGURE in the environment it would send traces and logs elsewhere.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return self._described

    @cached_property
    def _described(self) -> dict[str, Any]:
        made = get_openapi(
            title="Sightline",
            version=version("sightline"),
            description=_ABOUT,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            servers=[{"url": "/"}],
            routes=self.routes,
        )
        # Of pydantic's own making: FastAPI writes the limits of integers as floats, 2**63 - 1 as 2**63.
        names = made["components"]["schemas"].keys() - {"HTTPValidationError", "ValidationError"}
        models = [*_MORE_MODELS, *(getattr(answers, name, None) or getattr(inputs, name) for name in sorted(names))]
        _, found = models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)
        made["components"]["schemas"] = found["$defs"]
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": _TOKEN}}
        made["security"] = [{"token": []}]
        # FastAPI adds its own error, as a 422, where an operation has none.
        for operation in (operation for path in made["paths"].values() for operation in path.values()):
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
        return made


async def _refused(request: Request, error: Exception) -> Response:
    """The answer where there is no such route, or not for this method."""
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        detail = f"There is nothing at this address. What there is: {ADDRESS}."
        return Problem(error.status_code, detail, headers=error.headers).response()
    # Starlette names the methods of the first route that matches, and FastAPI has a route for each method.
    matching = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
    methods = {method for route in matching if isinstance(route, ApiRoute) for method in route.methods or ()}
    known = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    detail = f"{request.method[:16]} is not for this address. There is: {known}."
    return Problem(405, detail, headers={"Allow": known}).response()
