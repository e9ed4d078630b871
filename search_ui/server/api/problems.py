"""What went wrong, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from sqlalchemy.exc import DatabaseError
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from search_ui.server.headers import SAFE
from sightline.images.worker_errors import BusyError, WorkerError
from sightline.models.loaded import Encoders
from sightline.query.types import QueryError
from store.errors import LibraryError, SpaceError
from store.tables.catalog import SpaceState
from store.tables.marks_json import MarksError
from store.time_limit import TimeLimitError

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: the HTTP status.
        detail: a sentence for people: the thing, the value, the limit, the way out.
        headers: further headers of the answer.
        members: further members of the problem, for programs; those that are None are left out.
    """

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = {name: value for name, value in members.items() if value is not None}

    def response(self) -> Response:
        """The answer."""
        content = {
            # The statuses say all there is to say of the kind: RFC 9457, section 4.2.1.
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return JSONResponse(content, self.status, headers={**SAFE, **self.headers}, media_type=MEDIA_TYPE)


def of_space(error: SpaceError, space: SpaceState, encoders: Encoders) -> Problem:
    """The problem that an error of a space is to who asked for something in words."""
    if not space.has_text:
        return Problem(409, str(error))  # no waiting helps; a model that can't be loaded now may be there later
    return Problem(422 if encoders.ready(space) else 503, str(error))  # with the model there, it is the text's length


def problem(error: Exception) -> Problem:
    """The problem for the client of an error. An unforeseen one is logged, and its text is not shown."""
    match error:
        case Problem():
            return error
        case QueryError():
            return Problem(422, str(error), start=error.start, end=error.end, suggestion=error.suggestion)
        case MarksError():
            return Problem(422, str(error))
        case TimeLimitError():
            return Problem(503, str(error), headers={"Retry-After": "5"})
        case LibraryError() | SpaceError():
            return Problem(503, str(error))
        case BusyError() | WorkerError():
            return Problem(503, str(error), headers={"Retry-After": "5"})
        case DatabaseError():
            return Problem(503, f"The library's database can't be read or written now ({error.orig}). Try again.")
        case ClientDisconnect():
            return Problem(400, "The request ended before its body did.")
    log.error("a request failed", exc_info=error)
    return Problem(500, "Something went wrong that should not have; the server's log says what.")
