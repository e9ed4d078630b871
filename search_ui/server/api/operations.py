"""What an operation of the interface is: where it is, what it takes, who does it, what it answers.

The server's routes, the checks of what comes in and the OpenAPI document are all made from these: one can't say
something else than another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Final, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from search_ui.server.api.problems import Problem
from search_ui.server.headers import SAFE

Schema = Mapping[str, Any]
"""A JSON Schema, draft 2020-12, which is that of OpenAPI 3.1."""

_MESSAGE: Final = 300  # a validator's message quotes the value, whatever its size


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was found to be in order.

    Attributes:
        values: parameters and members of the body by name, with their defaults.
        pictures: picture files by name: "1", "2", ...
        headers: those of the request.
    """

    values: Mapping[str, Any]
    pictures: Mapping[str, bytes]
    headers: Headers

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the address. One that is not required, and has no default, is None where it is absent."""

    name: str
    schema: Schema
    about: str
    where: Literal["query", "path"] = "query"
    example: Any = None
    required: bool = False


class Shape:
    """A JSON Schema of an object, and the check of what comes in against it."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._validator = Draft202012Validator(schema)

    def checked(self, values: Any) -> dict[str, Any]:
        """The values with defaults for those that are absent.

        Raises:
            Problem: 400, they are not of this shape.
        """
        properties = self.schema["properties"]
        if isinstance(values, dict):
            for name in sorted(set(values) - set(properties)):
                nearest = get_close_matches(name, properties, 1)
                hint = f" Did you mean {nearest[0]!r}?" if nearest else f" There are: {', '.join(properties)}."
                raise Problem(
                    400, f"There is no {name[:64]!r} here.{hint}", parameter=name[:64],
                    suggestion=nearest[0] if nearest else None,
                )  # fmt: skip
        error = best_match(self._validator.iter_errors(values))
        if error is not None:
            message = error.message if len(error.message) <= _MESSAGE else f"... {error.message[-_MESSAGE:]}"
            place = ".".join(map(str, error.absolute_path))
            raise Problem(400, f"{place}: {message}." if place else f"{message}.", parameter=place or None)
        defaults = {name: schema.get("default") for name, schema in properties.items()}
        # To JSON Schema 60.0 is an integer too.
        whole = {name: int(value) for name, value in values.items() if properties[name].get("type") == "integer"}
        return {**defaults, **values, **whole}

    def from_text(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Values as an address or a form has them, all text, in the types that the schema says where they have it."""
        properties = self.schema["properties"]
        return {name: _typed(text, properties.get(name, {}).get("type")) for name, text in values.items()}


def _typed(text: str, kind: Any) -> Any:
    # Nineteen digits are enough for any number the library knows, and int() of a million digits takes long.
    return int(text) if kind == "integer" and re.fullmatch(r"-?[0-9]{1,19}", text) else text


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    Attributes:
        method: upper case. HEAD works where GET does.
        path: with `{names}` of its path parameters.
        name: unique, for programs made from the document.
        summary: a line for people.
        handler: does it; runs in a thread of the pool.
        answers: the schema (by its name) of each status that is no error; None where there is no body.
        media: the media type of those answers.
        parameters: those in the address.
        body: the schema of a JSON body, by its name.
        form: the schema of a multipart/form-data body, by its name.
        refusals: statuses it answers with a problem, besides those any operation may.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[Call], Response]
    answers: Mapping[int, str | None]
    media: str = "application/json"
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    form: str | None = None
    refusals: tuple[int, ...] = ()

    def _shape(self, where: str) -> Shape:
        found = [parameter for parameter in self.parameters if parameter.where == where]
        return Shape(
            {
                "type": "object",
                "properties": {parameter.name: parameter.schema for parameter in found},
                "required": [parameter.name for parameter in found if parameter.required],
            }
        )

    @cached_property
    def query_shape(self) -> Shape:
        """The shape of what comes after `?`."""
        return self._shape("query")

    @cached_property
    def path_shape(self) -> Shape:
        """The shape of what is in the path."""
        return self._shape("path")


def answer(content: Any, status: int = 200) -> Response:
    """JSON, for pages of this server and not to be kept."""
    return JSONResponse(content, status, headers=SAFE)
