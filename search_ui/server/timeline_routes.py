"""What a page in order of time fetches: all pictures as numbers, and in windows what it shows of them."""

from __future__ import annotations

import re

from sqlalchemy.exc import DatabaseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from search_ui.components.gallery import pack
from search_ui.parts.tiles import tile
from search_ui.runtime.timelines import Timeline, timelines
from search_ui.server.headers import SAFE
from search_ui.server.responses import error_response
from store.errors import SightlineError
from store.time_limit import TimeLimitError

# Names, places and stars change while a page is open; it keeps what it fetched itself.
_HEADERS = {**SAFE, "Cache-Control": "private, no-store"}


def routes() -> list[Route]:
    """The routes; an address that begins with one of `NAMES` and matches none is not found."""
    return [Route("/timeline/{name:path}", _timeline)]


def _timeline(request: Request) -> Response:
    """GET /timeline/TOKEN.bin: `runtime.timelines`; /timeline/TOKEN/BLOCK.json: one window's pictures."""
    name = str(request.scope["path"]).split("/", 2)[2]  # a pattern of Starlette's leaves out a last line end
    match = re.fullmatch(r"([0-9a-f]{32})(?:\.bin|/(0|[1-9][0-9]{0,5})\.json)", name)
    found = timelines().get(match[1]) if match is not None else None
    if match is None or found is None:
        return error_response(404, "There is no such list any more. Reload the page.")
    try:
        if match[2] is None:
            return Response(found.data, media_type="application/octet-stream", headers=_HEADERS)
        return JSONResponse(_block(found, int(match[2])), headers=_HEADERS)
    except TimeLimitError:
        raise
    except (SightlineError, DatabaseError):
        return error_response(404, "The library has changed. Reload the page.")


def _block(timeline: Timeline, block: int) -> dict[str, object]:
    """Return pictures as `pack` gives them, and which of them are favourites."""
    photos = timeline.photos(block)
    starred = timeline.searcher.library.marks.favourites_of([photo.content_id for photo in photos])
    tiles = [tile(photo, None, {}, starred) for photo in photos]
    packed = pack([{"title": "", "fold": "", "tiles": tiles}], key="", query="", small=False, favourites=True)
    return {**packed, "starred": [each["id"] for each in tiles if each["favourite"]]}
