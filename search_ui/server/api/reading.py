"""A request in, a `Call` that is in order out: parameters and bodies are bounded, and checked before any work."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from search_ui.server.api.form import read_form
from search_ui.server.api.operations import Call, Operation
from search_ui.server.api.problems import Problem
from search_ui.server.api.schemas import BODIES, MAX_JSON


async def read(request: Request, operation: Operation) -> Call:
    """Read a request for an operation.

    Raises:
        Problem: 400 it is not as the document says, 404 so is its path, 413 or 415 so is its body.
    """
    values = _path(request, operation) | _query(request, operation)
    pictures: dict[str, bytes] = {}
    if operation.body is not None or operation.form is not None:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "application/json" and operation.body is not None:
            body = await _json(request.stream())
            # In a thread: what is wrong may be wrong a hundred thousand times.
            values |= await run_in_threadpool(BODIES[operation.body].checked, body)
        elif kind == "multipart/form-data" and operation.form is not None:
            fields, pictures = await read_form(request.headers["content-type"], request.stream())
            shape = BODIES[operation.form]
            # The files are not text: their names stand for them in what is checked.
            values |= shape.checked({**shape.from_text(fields), "picture": list(pictures)})
        else:
            _unknown_media(kind, operation)
    _text_only(values)
    return Call(values, pictures, request.headers)


def _unknown_media(kind: str, operation: Operation) -> NoReturn:
    known = [name for name, body in _media(operation) if body]
    given = f"of type {kind[:64]!r}" if kind else "without a type"
    raise Problem(
        415, f"A body {given} is not understood here. Send {' or '.join(known)}.", headers={"Accept": ", ".join(known)}
    )


def _media(operation: Operation) -> tuple[tuple[str, str | None], ...]:
    return (("application/json", operation.body), ("multipart/form-data", operation.form))


def _path(request: Request, operation: Operation) -> dict[str, Any]:
    shape = operation.path_shape
    try:
        return shape.checked(shape.from_text(request.path_params))
    except Problem as problem:
        raise Problem(404, f"There is nothing here: {problem.detail}") from None


def _query(request: Request, operation: Operation) -> dict[str, Any]:
    given = request.query_params.multi_items()
    for name, times in Counter(name for name, _ in given).items():
        if times > 1:
            raise Problem(400, f"{name[:64]!r} is given {times} times; give it once.", parameter=name[:64])
    shape = operation.query_shape
    return shape.checked(shape.from_text(dict(given)))


async def _json(stream: AsyncIterator[bytes]) -> Any:
    data = bytearray()
    async for chunk in stream:
        data += chunk
        if len(data) > MAX_JSON:
            raise Problem(413, f"The body has more than {MAX_JSON:,} bytes. Send less.")
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _text_only(values: dict[str, Any]) -> None:
    # JSON can spell half of a surrogate pair, which no file, database or answer can hold.
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Problem(400, "The request holds half of a surrogate pair, which is not text.") from None
