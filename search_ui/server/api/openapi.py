"""The OpenAPI 3.1 document, made from the operations that the server has."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from search_ui.server.api.operations import Operation, Parameter
from search_ui.server.api.problems import MEDIA_TYPE
from search_ui.server.api.schemas import ANSWERS, BODIES, ref

ADDRESS: Final = "/api/v1/openapi.json"

_ABOUT: Final = (
    "Search your own pictures. For programs on this machine, and for pages of this server: a request that a browser "
    "makes for another site's page is refused (403). Errors are problems of RFC 9457. HEAD works where GET does."
)


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document of these operations."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sightline", "version": version("sightline"), "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {**{name: shape.schema for name, shape in BODIES.items()}, **ANSWERS}},
    }  # fmt: skip


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            **{str(status): _answer(operation, status, name) for status, name in operation.answers.items()},
            **{str(status): _problem(status) for status in _refusals(operation)},
        },
    }
    if operation.parameters:
        made["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    bodies = {"application/json": operation.body, "multipart/form-data": operation.form}
    content = {media: {"schema": ref(name)} for media, name in bodies.items() if name}
    if content:
        made["requestBody"] = {"required": True, "content": content}
    return made


def _refusals(operation: Operation) -> list[int]:
    found = {400, 403, 500, *operation.refusals}
    if any(parameter.where == "path" for parameter in operation.parameters):
        found.add(404)
    if operation.body or operation.form:
        found |= {413, 415}
    return sorted(found)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    made = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.about,
        "schema": parameter.schema,
    }
    return made if parameter.example is None else {**made, "example": parameter.example}


def _answer(operation: Operation, status: int, name: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if name is not None:
        made["content"] = {operation.media: {"schema": ref(name)}}
    elif status == 200:
        made["content"] = {operation.media: {}}
    if operation.media.startswith("image/"):
        made["headers"] = {"ETag": {"required": True, "schema": {"type": "string"}}}
    return made


def _problem(status: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
    }
    if status == 415:
        made["headers"] = {"Accept": {"required": True, "schema": {"type": "string"}}}
    return made
