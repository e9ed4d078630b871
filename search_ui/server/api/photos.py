"""One picture of the library: what is known of it, its thumbnail, its marks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from search_ui.runtime.services import services
from search_ui.server.api.operations import Call, Operation, Parameter, answer
from search_ui.server.api.problems import Problem
from search_ui.server.api.schemas import ID, WHERE
from search_ui.server.headers import SAFE
from search_ui.server.responses import is_known
from sightline.media.derived import thumbnail
from sightline.records import photo_record
from store.library import Library
from store.tables.catalog import PhotoRow


def jpeg(data: bytes, headers: dict[str, str]) -> Response:
    """A JPEG, for pages of this server; `headers` say how long it may be kept."""
    return Response(data, media_type="image/jpeg", headers={**SAFE, **headers})


def _known(library: Library, content_id: int) -> PhotoRow:
    photo = library.catalog.photos([content_id]).get(content_id)
    if photo is None:
        raise Problem(404, f"There is no picture {content_id} in this library, or its files are missing.")
    return photo


def _photo(call: Call) -> Response:
    library = services().library()
    photo = _known(library, call["id"])
    found = photo_record(photo, **_marks(library, photo.content_id))
    catalog = library.catalog
    found["hash"] = photo.hash.hex()
    found["paths"] = [_where(replace(photo, root=root, path=path)) for root, path in catalog.paths_of(photo.content_id)]
    spaces = [
        space.name for space in catalog.spaces() if (catalog.content_by_hash(photo.hash, space.id) or (0, False))[1]
    ]
    return answer({**found, "spaces": spaces})


def _where(photo: PhotoRow) -> dict[str, Any]:
    return {name: value for name, value in photo_record(photo).items() if name in WHERE}


def _thumbnail(call: Call) -> Response:
    library = services().library()
    photo = _known(library, call["id"])
    # An id means this picture in this library only, and another may be put in its place: kept, but asked for again.
    headers = {"ETag": f'"{photo.hash.hex()}"', "Cache-Control": "private, no-cache"}
    if is_known(call.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    data = thumbnail(library, photo.hash)
    if data is None:
        raise Problem(404, f"Picture {photo.content_id} has no thumbnail, and its file can't be read now.")
    return jpeg(data, headers)


def _marks(library: Library, content_id: int) -> dict[str, Any]:
    tags = library.marks.tags_of([content_id]).get(content_id, ())
    return {"tags": list(tags), "favourite": content_id in library.marks.favourites_of([content_id])}


def _tag(call: Call) -> Response:
    library = services().library()
    id_ = _known(library, call["id"]).content_id
    library.marks.change([id_], add=call["add"], remove=call["remove"])
    return answer({"id": id_, **_marks(library, id_)})


def _favourite(call: Call, *, yes: bool) -> Response:
    library = services().library()
    id_ = _known(library, call["id"]).content_id
    library.marks.favourite([id_], yes)
    return answer({"id": id_, **_marks(library, id_)})


def _make_favourite(call: Call) -> Response:
    return _favourite(call, yes=True)


def _unmake_favourite(call: Call) -> Response:
    return _favourite(call, yes=False)


_ID: Final = (Parameter("id", ID, "A picture's id, as a search gives it.", "path", 1, required=True),)

OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/photos/{id}", "photo", "What is known of a picture", _photo, {200: "Photo"},
        parameters=_ID, refusals=(503,),
    ),
    Operation(
        "GET", "/api/v1/photos/{id}/thumbnail", "thumbnail", "A picture, small", _thumbnail, {200: None, 304: None},
        media="image/jpeg", parameters=_ID, refusals=(503,),
    ),
    Operation(
        "POST", "/api/v1/photos/{id}/tags", "tag", "Give a picture tags, or take them away", _tag, {200: "Marks"},
        parameters=_ID, body="TagChange", refusals=(422, 503),
    ),
    Operation(
        "PUT", "/api/v1/photos/{id}/favourite", "makeFavourite", "Make a picture a favourite", _make_favourite,
        {200: "Marks"}, parameters=_ID, refusals=(503,),
    ),
    Operation(
        "DELETE", "/api/v1/photos/{id}/favourite", "unmakeFavourite", "Make a picture no favourite",
        _unmake_favourite, {200: "Marks"}, parameters=_ID, refusals=(503,),
    ),
)  # fmt: skip
"""What is here."""
