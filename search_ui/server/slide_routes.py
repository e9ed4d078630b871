"""What a slideshow fetches: all pictures of a search in their order, and some of them to show."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from sqlalchemy.exc import DatabaseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from search_ui.parts.sorting import TIMED
from search_ui.parts.viewer_pictures import viewer_picture
from search_ui.runtime.services import services
from search_ui.server.headers import SAFE
from search_ui.server.responses import error_response
from sightline.query.parser import parse
from store.errors import SightlineError
from store.time_limit import TimeLimitError

NAMES: Final = ("slides",)
"""The first parts of the addresses of these routes."""

MAX_PICTURES: Final = 100
"""So many pictures can be asked for at once."""

# The library changes; a slideshow keeps what it fetched itself.
_HEADERS: Final = {**SAFE, "Cache-Control": "private, no-store"}


def routes() -> list[Route]:
    """The routes; an address that begins with one of `NAMES` and matches none is not found."""
    return [Route("/slides/order", _order), Route("/slides/pictures", _pictures)]


def _order(request: Request) -> Response:
    """GET /slides/order?q=QUERY&below=open: `ids` of all that the page can show, in its order.

    Those below the relevance threshold are among them where the page shows them: with `below=open`, or where nothing
    else matches.
    """
    try:
        searcher = services().searcher()
        query = parse(request.query_params.get("q", ""))
        if query.is_empty:
            ids = searcher.recent_ids()
        else:
            given = services().uploads.pictures_of(query)
            if query.sort in TIMED:  # the grid of an order by time does not fold near-duplicates
                query = replace(query, dedup=False)
            is_open = request.query_params.get("below") == "open"
            ids = searcher.match_ids(query, pictures=given, rest=is_open)
            if not len(ids):
                ids = searcher.match_ids(query, pictures=given, rest=True)
    except TimeLimitError:
        raise
    except SightlineError as wrong:
        return error_response(422, str(wrong))
    except DatabaseError:
        return error_response(503, "The library can't be read now.")
    return JSONResponse({"ids": ids.tolist()}, headers=_HEADERS)


def _pictures(request: Request) -> Response:
    """GET /slides/pictures?ids=1,2,3: `pictures` as the viewer takes them, without what is gone."""
    asked = request.query_params.get("ids", "")
    if re.fullmatch(r"[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*", asked, re.ASCII) is None:
        return error_response(422, "Give ids of pictures, separated by commas.")
    ids = [int(each) for each in asked.split(",")]
    if len(ids) > MAX_PICTURES:
        return error_response(422, f"{len(ids)} pictures were asked for; {MAX_PICTURES} can be at once.")
    try:
        library = services().library()
        photos = library.catalog.photos(ids)
        starred = library.marks.favourites_of(photos)
    except TimeLimitError:
        raise
    except (SightlineError, DatabaseError):
        return error_response(503, "The library can't be read now.")
    made = [viewer_picture(id_, photos[id_], is_favourite=id_ in starred) for id_ in ids if id_ in photos]
    return JSONResponse({"pictures": made}, headers=_HEADERS)
