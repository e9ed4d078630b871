"""Whether a request, as it was sent, is one that an OpenAPI document allows.

Generators of requests that break a document break values, and judge those: 0 for a text, or a token that is missing. In
an address 0 is the text "0", and who sends the request may add the token. What counts is what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs
from requests import PreparedRequest


def is_in_order(operation: Mapping[str, Any], template: str, asked: PreparedRequest) -> bool:
    """Whether a request has all that an operation requires of its address, and nothing against it.

    False where it can't be told: a parameter is given twice, or has a name that the operation does not know; or there
    is no body of a type that it takes. What a body says is not looked at.

    Args:
        operation: of the document; its parameters have no references.
        template: the path that the operation lies at, such as /photos/{id}.
        asked: as it was sent.
    """
    address = urlsplit(str(asked.url))
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
    path = re.fullmatch(pattern, address.path)
    query = parse_qsl(address.query, keep_blank_values=True)
    if path is None or len(dict(query)) < len(query):
        return False
    if "requestBody" in operation and not _has_body(operation["requestBody"]["content"], asked):
        return False
    given = {"path": {name: unquote(text) for name, text in path.groupdict().items()}, "query": dict(query)}
    parameters = operation.get("parameters", [])
    if given["query"].keys() - {each["name"] for each in parameters if each["in"] == "query"}:
        return False
    for each in parameters:
        text = given[each["in"]].get(each["name"])
        if text is None and each.get("required"):
            return False
        if text is not None and not jsonschema_rs.is_valid(each["schema"], _read(text, each["schema"])):
            return False
    return True


def _has_body(types: Collection[str], asked: PreparedRequest) -> bool:
    kind, _, rest = str(asked.headers.get("Content-Type", "")).partition(";")
    return bool(asked.body) and kind in types and (kind != "multipart/form-data" or "boundary=" in rest)


def _read(text: str, schema: Mapping[str, Any]) -> Any:
    """A text of an address, as what its schema says it is; unchanged where it is none of that."""
    if schema["type"] == "integer" and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    if schema["type"] == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text
