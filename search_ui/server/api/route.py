"""What all routes of the interface share: strict reading of requests, errors as problems, no caching."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final, NoReturn

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from search_ui.server.api.inputs import MAX_JSON, refuse_unknown
from search_ui.server.api.problems import MEDIA_TYPE, Problem, problem
from search_ui.server.api.validation import invalid
from search_ui.server.headers import SAFE

PREFIX: Final = "/api/v1"
ADDRESS: Final = f"{PREFIX}/openapi.json"
REFERENCE: Final = "#/components/schemas/{model}"
JSON: Final = "application/json"
FORM: Final = "multipart/form-data"


def api_router() -> APIRouter:
    """A router for routes of the interface."""
    return APIRouter(prefix=PREFIX, route_class=ApiRoute)


def answer(content: Any, status: int = 200) -> Response:
    """JSON, for pages of this server and not to be kept."""
    return JSONResponse(content, status, headers=SAFE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of the errors that any operation may answer, and of those with these statuses."""
    schema = {"$ref": REFERENCE.format(model="Problem")}
    made: dict[int | str, dict[str, Any]] = {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({400, 401, 403, 500, 503, *statuses, *([408] if 413 in statuses else [])})
    }
    made[401]["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    made[503]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    if 415 in made:
        made[415]["headers"] = {"Accept": {"required": True, "schema": {"type": "string"}}}
    return made


class ApiRoute(APIRoute):
    """A route that refuses unknown and repeated parameters and large bodies, with a problem that says why."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_none = not self.dependant.query_params
        takes_json = self.body_field is not None

        async def strictly(request: Request) -> Response:
            try:
                _check_names(request, takes_none=takes_none)
                bounded = BoundedRequest(request.scope, request.receive)
                if takes_json:
                    media_type(request, JSON)
                    await bounded.json()  # here, for its problems: FastAPI would only say that there was an error
                return await handle(bounded)
            except (RequestValidationError, ValidationError) as error:
                return invalid(error).response()
            except Exception as error:  # noqa: BLE001  # `problem` logs those that nobody foresaw
                return problem(error).response()

        return strictly


class BoundedRequest(Request):
    """A request whose JSON body is bounded while it is read. Its `json` raises Problem: 400 or 413."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            data = bytearray()
            async for chunk in self.stream():
                data += chunk
                if len(data) > MAX_JSON:
                    raise Problem(413, f"The body has more than {MAX_JSON:,} bytes. Send less.")
            self._body = bytes(data)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            data = await self.body()
            try:
                self._json = json.loads(data, parse_constant=_refuse_constant)
                # JSON can spell half of a surrogate pair, which no file, database or answer can hold.
                json.dumps(self._json, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                raise Problem(400, "The request holds half of a surrogate pair, which is not text.") from None
            except (ValueError, RecursionError) as error:
                raise Problem(400, f"The body is not JSON: {error}.") from None
        return self._json


def media_type(request: Request, *known: str) -> str:
    """The media type of the body.

    Raises:
        Problem: 415, it is none of the known ones.
    """
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given not in known:
        said = f"of type {given[:64]!r}" if given else "without a type"
        detail = f"A body {said} is not understood here. Send {' or '.join(known)}."
        raise Problem(415, detail, headers={"Accept": ", ".join(known)})
    return given


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _check_names(request: Request, *, takes_none: bool) -> None:
    """Refuse repeated parameters, and any where none is known. Models refuse unknown names themselves."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if times > 1:
            raise Problem(400, f"{name[:64]!r} is given {times} times; give it once.", parameter=name[:64])
    if takes_none:
        refuse_unknown(given, ())
