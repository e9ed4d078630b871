"""What pydantic finds wrong with a request, as a problem with one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from search_ui.server.api.problems import Problem

_LONGEST: Final = 300  # a message quotes the value, whatever its size

_TYPES: Final = {
    "int_type": "integer", "string_type": "string", "bool_type": "boolean", "list_type": "array",
    "model_type": "object", "model_attributes_type": "object",
}  # fmt: skip
_MESSAGES: Final = {
    "greater_than_equal": "is less than the minimum of {ge}",
    "less_than_equal": "is greater than the maximum of {le}",
    "string_too_short": "should be non-empty",
    "string_too_long": "is too long",
    "too_short": "should be non-empty",
    "too_long": "is too long",
}


def invalid(error: RequestValidationError | ValidationError) -> Problem:
    """The problem of a bad request: 404 where its path is wrong, else 400 for the outermost mistake."""
    found = list(error.errors())
    if isinstance(error, RequestValidationError):
        if in_path := [each for each in found if each["loc"][0] == "path"]:
            return Problem(404, f"There is nothing here: {_sentence(in_path[0], in_path[0]['loc'][1:])}")
        found = [{**each, "loc": each["loc"][1:]} for each in found]
    # Of several at one depth the last by name.
    outermost = max(found, key=lambda each: (-len(_place(each)), _place(each)))
    place = _place(outermost)
    return Problem(400, _sentence(outermost, place), parameter=".".join(map(str, place)) or None)


def _place(error: Mapping[str, Any]) -> tuple[int | str, ...]:
    place: tuple[int | str, ...] = error["loc"]
    # What is missing is a mistake of what it is missing from.
    return place[:-1] if error["type"] == "missing" else place


def _sentence(error: Mapping[str, Any], place: tuple[int | str, ...]) -> str:
    kind = error["type"]
    if kind == "missing" and error["loc"]:
        message = f"{error['loc'][-1]!r} is a required property"
    elif kind in ("missing", *_TYPES):
        message = f"{error['input']!r} is not of type {_TYPES.get(kind, 'object')!r}"
    elif kind in _MESSAGES:
        message = f"{error['input']!r} {_MESSAGES[kind].format(**error.get('ctx', {}))}"
    else:
        message = error["msg"]
    if len(message) > _LONGEST:
        message = f"... {message[-_LONGEST:]}"
    return f"{'.'.join(map(str, place))}: {message}." if place else f"{message}."
