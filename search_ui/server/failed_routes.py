"""The route of small pictures of files that failed: the picture itself, or its EXIF thumbnail."""

from __future__ import annotations

import os
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from sqlalchemy.exc import DatabaseError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from search_ui.runtime.services import services
from search_ui.server.responses import REVALIDATE, error_response, is_known, jpeg_response
from store.addresses import is_address
from store.errors import LibraryError
from store.tables.library_reports import FailedPlace, place_of_failure

if TYPE_CHECKING:
    from sightline.images.reader import FileFacts

NAMES: Final = ("failed",)
SIDE: Final = 256
_QUALITY: Final = 75
NOT_FOUND: Final = "There is no such picture."


def routes() -> list[Route]:
    """The routes of this module."""
    return [Route("/failed/{name:path}", _failed)]


def _failed(request: Request) -> Response:
    """GET /failed/ID.jpg: at most 256 px, by the id of the failure."""
    match = re.fullmatch(r"([1-9][0-9]{0,17})\.jpg", request.path_params["name"], re.ASCII)
    try:
        place = place_of_failure(services().library().catalog, int(match[1])) if match else None
    except (LibraryError, DatabaseError):
        place = None
    if place is None:
        return error_response(404, NOT_FOUND)
    # An id may come to mean another file; the file itself may change.
    headers = {"ETag": f'"{place.size:x}-{place.mtime_ns:x}"', "Cache-Control": REVALIDATE}
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    data = picture_of_failed(place)
    return jpeg_response(data, headers) if data else error_response(404, NOT_FOUND)


def picture_of_failed(place: FailedPlace) -> bytes | None:
    """A small JPEG of a file that failed; None where it can't be shown, or is another one by now.

    The whole picture where only the model failed, else the thumbnail that a camera put into the file: of a photograph
    that was cut short it is often what is left.

    Raises:
        BusyError: other pictures are being decoded.
    """
    from sightline.images.errors import DecodeError
    from sightline.images.jpeg import encoded
    from sightline.images.pools import WAIT_SECONDS, pool
    from sightline.images.reader import Place

    if is_address(os.fsdecode(place.root)):
        return None  # whether it is still the one that failed a copy of it can't tell
    where = Place(place.root, place.path, follow_links=place.options.follows_links_in)
    try:
        with pool("photos").reader(WAIT_SECONDS) as reader:
            facts, _ = reader.open(where, digest=False)
            if not _is_the_one(facts, place):
                return None
            if place.stage == "encode":
                return reader.preview(SIDE)
            pixels = reader.embedded()
            if pixels is None:
                return None
            picture = Image.fromarray(pixels)
            picture.thumbnail((SIDE, SIDE))
            return encoded(np.asarray(picture), _QUALITY)
    except (OSError, DecodeError):
        return None


def _is_the_one(facts: FileFacts, place: FailedPlace) -> bool:
    """Whether a file is the one that failed. There is no hash of it: its times decide."""
    if (facts.size, facts.mtime_ns) != (place.size, place.mtime_ns):
        return False
    if os.name == "nt":
        return True  # there it is the time when the file was made
    if place.ctime_ns is not None:
        return facts.ctime_ns == place.ctime_ns
    return facts.ctime_ns / 1e9 < datetime.fromisoformat(place.failed_at).timestamp() + 1
