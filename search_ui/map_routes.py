"""What the page of the map fetches: points, the land, and what a picture is called.

Points are one block of numbers that goes to the graphics card as it is: JSON of a million would be fifty times the work
for the browser. All little-endian: "SLPT", the number of the format, the number of points n, 0, each uint32; x and y of
each, float32; content ids, uint32 (n,); categories, uint8 (n,).
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy.exc import DatabaseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from search_ui.answers import ASK_AGAIN, FOR_EVER, error, is_known
from search_ui.api.problems import SAFE
from search_ui.map_files import Bytes
from search_ui.services import services
from search_ui.words import file_name
from store.errors import LibraryError
from store.vectors import Floats, Ids

NAMES: Final = ("points",)
"""The first parts of the addresses of these routes; `/map` is the page."""

MAGIC: Final = b"SLPT"
FORMAT: Final = 1
LAND: Final = Path(__file__).parent / "gallery" / "land.bin"
_MOST_BYTES: Final = 96 * 2**20


def routes() -> list[Route]:
    """All of them; what begins with one of `NAMES` and matches none is not found."""
    return [
        Route("/points/land.bin", _land),
        Route("/points/picture/{id:path}", _picture),
        Route("/points/{name:path}", _points),
    ]


def packed(ids: Ids, places: Floats, categories: Bytes) -> bytes:
    """Points as the page reads them, see the head of this module.

    Args:
        ids: content ids, int64 (n,).
        places: float32 (n, 2).
        categories: uint8 (n,).

    Raises:
        ValueError: an id does not go into 32 bits.
    """
    if len(ids) and int(ids.max()) >= 2**32:
        raise ValueError(f"content id {int(ids.max())} is too large for the map; it draws ids below {2**32}")
    head = MAGIC + np.array([FORMAT, len(ids), 0], "<u4").tobytes()
    return b"".join([head, places.astype("<f4").tobytes(), ids.astype("<u4").tobytes(), categories.tobytes()])


class Offered:
    """Points that pages were told the address of: the newest ones. Safe for use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def put(self, space_id: int, data: bytes) -> str:
        """The address of some points, which says what they are: others have another."""
        name = f"{space_id}-{hashlib.sha256(data).hexdigest()[:32]}.bin"
        with self._lock:
            self._kept[name] = data
            self._kept.move_to_end(name)
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _MOST_BYTES:
                self._kept.popitem(last=False)
        return f"/points/{name}"

    def get(self, name: str) -> bytes | None:
        """The points of a name, None where it is not known, or not any more."""
        with self._lock:
            return self._kept.get(name)


@cache
def offered() -> Offered:
    """Those of this process."""
    return Offered()


def _points(request: Request) -> Response:
    """GET /points/SPACE-DIGEST.bin."""
    name = request.path_params["name"]
    data = offered().get(name)
    if data is None:
        return error(404, "There is no such map any more. Reload the page.")
    return _bytes(request, data, etag=f'"{name}"', keep=FOR_EVER)


def _land(request: Request) -> Response:
    """GET /points/land.bin: outlines, see docs/make_land.py."""
    data = LAND.read_bytes()
    return _bytes(request, data, etag=f'"{hashlib.sha256(data).hexdigest()}"', keep=ASK_AGAIN)


def _bytes(request: Request, data: bytes, *, etag: str, keep: str) -> Response:
    headers = {**SAFE, "ETag": etag, "Cache-Control": keep}
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/octet-stream", headers=headers)


def _picture(request: Request) -> Response:
    """GET /points/picture/ID: what pointing at a picture shows: its `name`, the `hash` of its content, its `date`."""
    match = re.fullmatch(r"[1-9][0-9]{0,17}", request.path_params["id"], re.ASCII)
    try:
        id_ = int(match[0]) if match is not None else 0
        photo = services().library().catalog.photos([id_]).get(id_)
    except (LibraryError, DatabaseError):
        photo = None
    if photo is None:
        return error(404, "There is no such picture.")
    made = {"name": file_name(photo), "hash": photo.hash.hex(), "date": (photo.facts["taken_at"] or "")[:10]}
    return JSONResponse(made, headers={**SAFE, "Cache-Control": ASK_AGAIN})
