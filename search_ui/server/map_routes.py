"""What the page of the map fetches: points, the land, and what a picture is called."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DatabaseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from search_ui.parts.result_text import place_names
from search_ui.runtime.map_payloads import map_payloads
from search_ui.runtime.services import services
from search_ui.server.headers import SAFE
from search_ui.server.responses import IMMUTABLE, REVALIDATE, error_response, is_known
from sightline.humanize import file_name
from store.errors import LibraryError

LAND: Final = Path(__file__).parent.parent / "components" / "map" / "land.bin"


def routes() -> list[Route]:
    """The routes; an address that begins with one of `NAMES` and matches none is not found."""
    return [
        Route("/points/land.bin", _land),
        Route("/points/picture/{id:path}", _picture),
        Route("/points/{name:path}", _points),
    ]


def _points(request: Request) -> Response:
    """GET /points/SPACE-DIGEST.bin."""
    name = request.path_params["name"]
    data = map_payloads().get(name)
    if data is None:
        return error_response(404, "There is no such map any more. Reload the page.")
    return _bytes(request, data, etag=f'"{name}"', keep=IMMUTABLE)


def _land(request: Request) -> Response:
    """GET /points/land.bin: outlines, see docs/make_land.py."""
    data = LAND.read_bytes()
    return _bytes(request, data, etag=f'"{hashlib.sha256(data).hexdigest()}"', keep=REVALIDATE)


def _bytes(request: Request, data: bytes, *, etag: str, keep: str) -> Response:
    headers = {**SAFE, "ETag": etag, "Cache-Control": keep}
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/octet-stream", headers=headers)


def _picture(request: Request) -> Response:
    """GET /points/picture/ID: the `name`, `date` and `place` of a picture, the `hash` of its content."""
    match = re.fullmatch(r"[1-9][0-9]{0,17}", request.path_params["id"], re.ASCII)
    try:
        id_ = int(match[0]) if match is not None else 0
        photo = services().library().catalog.photos([id_]).get(id_)
    except (LibraryError, DatabaseError):
        photo = None
    if photo is None:
        return error_response(404, "There is no such picture.")
    made = {
        "name": file_name(photo), "hash": photo.hash.hex(), "date": (photo.facts["taken_at"] or "")[:10],
        "place": place_names(photo.facts),
    }  # fmt: skip
    return JSONResponse(made, headers={**SAFE, "Cache-Control": REVALIDATE})
