"""The route of small pictures of files that failed: the picture itself, or its EXIF thumbnail."""

from __future__ import annotations

import io
import os
import re
from datetime import datetime
from typing import BinaryIO, Final

from PIL import ExifTags, Image, ImageOps
from sqlalchemy.exc import DatabaseError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from search_ui.runtime.services import services
from search_ui.server.responses import REVALIDATE, error_response, is_known, jpeg_response
from sightline.media.derived import DECODES
from store.descriptors import open_below
from store.errors import LibraryError
from store.paths import to_path
from store.tables.library_reports import FailedPlace, place_of_failure

NAMES: Final = ("failed",)
SIDE: Final = 256
# Pixels of a side. Cameras write 160; a file may claim what fills the memory.
MAX_EMBEDDED_SIDE: Final = 1024
NOT_FOUND: Final = "There is no such picture."
# EXIF 2.32, section 4.6.3: where in the first part of a JPEG file its thumbnail lies, and how long it is.
_OFFSET, _LENGTH = 0x0201, 0x0202
_HEADER: Final = b"Exif\x00\x00"


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
    """
    from sightline.images.decode import DecodeError, preview

    try:
        descriptor = open_below(to_path(place.root), place.path, follow_links=place.options.follows_links_in)
        with os.fdopen(descriptor, "rb") as opened, DECODES:
            if not _is_the_one(os.fstat(descriptor), place):
                return None
            return preview(opened, SIDE) if place.stage == "encode" else embedded(opened)
    except (OSError, DecodeError):
        return None


def _is_the_one(facts: os.stat_result, place: FailedPlace) -> bool:
    """Whether a file is the one that failed. There is no hash of it: its times decide."""
    if (facts.st_size, facts.st_mtime_ns) != (place.size, place.mtime_ns):
        return False
    if os.name == "nt":
        return True  # there it is the time when the file was made
    if place.ctime_ns is not None:
        return facts.st_ctime_ns == place.ctime_ns
    return facts.st_ctime < datetime.fromisoformat(place.failed_at).timestamp() + 1


def embedded(source: BinaryIO) -> bytes | None:
    """A JPEG file's EXIF thumbnail, upright, as a JPEG without metadata; None where there is none."""
    try:
        with Image.open(source, formats=("JPEG",)) as image:
            exif, data = image.getexif(), image.info.get("exif", b"").removeprefix(_HEADER)
            where = exif.get_ifd(ExifTags.IFD.IFD1)
            start, length = int(where[_OFFSET]), int(where[_LENGTH])
        with Image.open(io.BytesIO(data[start : start + length]), formats=("JPEG",)) as small:
            if max(small.size) > MAX_EMBEDDED_SIDE:
                return None
            picture = small.convert("RGB")
        picture.getexif()[ExifTags.Base.Orientation] = exif.get(ExifTags.Base.Orientation, 1)
        upright = ImageOps.exif_transpose(picture)
        upright.thumbnail((SIDE, SIDE))
        kept = io.BytesIO()
        upright.save(kept, "JPEG", exif=b"")
        return kept.getvalue()
    except Exception:  # noqa: BLE001 - a file that is made to be wrong has Pillow raise anything, and these are wrong
        return None
