"""The routes of pictures: thumbnails, previews, tiles, original files, and uploads to search with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import DatabaseError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from search_ui.components.globe import ADDRESS, land
from search_ui.runtime.services import services
from search_ui.server.headers import SAFE
from search_ui.server.responses import IMMUTABLE, REVALIDATE, error_response, is_known, jpeg_response
from search_ui.server.streams import photo_response
from sightline.media.derived import preview, thumbnail
from sightline.media.opened import SourceError
from sightline.media.originals import disposition, original
from sightline.media.tiles import tile
from sightline.query.types import MAX_PICTURE_BYTES, QueryError
from store.errors import LibraryError
from store.library import Library

NAMES: Final = ("thumb", "preview", "tile", "original", "picture", "land.svg")
"""The first parts of the addresses of these routes."""


def routes() -> list[Route]:
    """The routes; an address that begins with one of `NAMES` and matches none is not found."""
    return [
        Route("/thumb/{name:path}", _thumb),
        Route("/preview/{name:path}", _preview),
        Route("/tile/{name:path}", _tile),
        Route("/original/{name:path}", _original),
        Route("/picture", _put_picture, methods=["POST"]),
        Route("/picture/{name:path}", _dropped),
        Route(ADDRESS, _land),
    ]


def _rest(request: Request) -> str:
    """The address after its first part, to its end: a pattern of Starlette's leaves out a last line end."""
    return str(request.scope["path"]).split("/", 2)[2]


def _not_found() -> Response:
    return error_response(404, "There is no such picture.")


def _unreadable(request: Request) -> Response:
    """Nothing can be shown of it now. No 404 for an `<img>`: browsers log that as the page's fault."""
    if request.headers.get("sec-fetch-dest") == "image":
        return Response(status_code=204, headers={**SAFE, "Cache-Control": "private, no-store"})
    return _not_found()


def _thumb(request: Request) -> Response:
    """GET /thumb/HASH.jpg: at most 512 px, long pictures more."""
    return _by_hash(request, thumbnail)


def _preview(request: Request) -> Response:
    """GET /preview/HASH.jpg: at most 1600 px, long pictures more; made when first asked for."""
    return _by_hash(request, preview)


def _tile(request: Request) -> Response:
    """GET /tile/HASH/SCALE/COLUMN-ROW.jpg: a part as it is in the file; see `sightline.media.tiles`."""
    match = re.fullmatch(r"([0-9a-f]{64})/([1-9][0-9]?)/(0|[1-9][0-9]{0,5})-(0|[1-9][0-9]{0,5})\.jpg", _rest(request))
    if match is None:
        return _not_found()
    scale, column, row = (int(match[group]) for group in (2, 3, 4))
    return _kept(request, match[1], lambda library, content_hash: tile(library, content_hash, scale, column, row))


def _by_hash(request: Request, made: Callable[[Library, bytes], bytes | None]) -> Response:
    match = re.fullmatch(r"([0-9a-f]{64})\.jpg", _rest(request))  # whole, and in one spelling
    return _not_found() if match is None else _kept(request, match[1], made)


def _kept(request: Request, content_hash: str, made: Callable[[Library, bytes], bytes | None]) -> Response:
    """What is made of a content, to be kept for good; 304 where the client has it."""
    headers = {"ETag": f'"{content_hash}"', "Cache-Control": IMMUTABLE}
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    try:
        data = made(services().library(), bytes.fromhex(content_hash))
    except (LibraryError, DatabaseError):
        data = None
    return jpeg_response(data, headers) if data else _unreadable(request)


def _original(request: Request) -> Response:
    """GET /original/ID: the file itself, to be saved; parts of it where `Range` asks for them."""
    match = re.fullmatch(r"[1-9][0-9]{0,17}", _rest(request))
    try:
        found = original(services().library(), int(match[0])) if match is not None else None
    except (LibraryError, DatabaseError, SourceError):
        found = None
    if found is None:
        return _not_found()
    # An id means this picture in this library only, and another may be put in its place.
    headers = {**SAFE, "ETag": f'"{found.photo.hash.hex()}"', "Cache-Control": REVALIDATE}
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        found.photo.close()
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = disposition(found.photo.name)
    return photo_response(found.photo, request, headers, found.media_type)


async def _put_picture(request: Request) -> Response:
    """POST /picture, the file as the body: keeps it for a search and answers with its name."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_PICTURE_BYTES:
            return error_response(413, f"The picture is larger than {MAX_PICTURE_BYTES / 1e6:.0f} MB. Save it smaller.")
    try:
        return JSONResponse({"name": await run_in_threadpool(services().uploads.put, bytes(data))})
    except QueryError as refused:
        return error_response(422, str(refused))


def _dropped(request: Request) -> Response:
    """GET /picture/NAME.jpg: the thumbnail of a picture that was put."""
    picture = services().uploads.get(_rest(request).removesuffix(".jpg"))
    if picture is None:
        return _not_found()
    return jpeg_response(picture.thumbnail, {"Cache-Control": "private, no-store"})


def _land(request: Request) -> Response:
    """GET /land.svg: the earth, to put a dot on."""
    # Another version may draw it another way.
    return Response(land(), media_type="image/svg+xml", headers={**SAFE, "Cache-Control": "private, max-age=86400"})
