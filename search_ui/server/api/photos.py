"""One picture of the library: what is known of it, its thumbnail, its marks."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from search_ui.runtime.services import services
from search_ui.server.api import answers
from search_ui.server.api.inputs import PhotoId, TagChange
from search_ui.server.api.problems import Problem
from search_ui.server.api.route import answer, api_router, problems
from search_ui.server.responses import REVALIDATE, is_known, jpeg_response
from sightline.media.derived import thumbnail
from sightline.records import photo_details
from store.library import Library
from store.tables.catalog import PhotoRow

router = api_router()


def known(library: Library, content_id: int) -> PhotoRow:
    """A picture that can be found now.

    Raises:
        Problem: 404, there is none.
    """
    photo = library.catalog.photos([content_id]).get(content_id)
    if photo is None:
        raise Problem(404, f"There is no picture {content_id} in this library, or its files are missing.")
    return photo


@router.get(
    "/photos/{id}", operation_id="photo", summary="What is known of a picture",
    response_model=answers.Photo, responses=problems(404, 503),
)  # fmt: skip
def _photo(id_: PhotoId) -> Response:
    library = services().library()
    return answer(photo_details(library, known(library, id_)))


_ETAG = {"ETag": {"required": True, "schema": {"type": "string"}}}


@router.get(
    "/photos/{id}/thumbnail", operation_id="thumbnail", summary="A picture, small", response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "headers": _ETAG},
        304: {"description": "Not Modified", "headers": _ETAG},
        **problems(404, 503),
    },
)  # fmt: skip
def _thumbnail(id_: PhotoId, request: Request) -> Response:
    library = services().library()
    photo = known(library, id_)
    # An id means this picture in this library only, and another may be put in its place: kept, but asked for again.
    headers = {"ETag": f'"{photo.hash.hex()}"', "Cache-Control": REVALIDATE}
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    data = thumbnail(library, photo.hash)
    if data is None:
        raise Problem(404, f"Picture {photo.content_id} has no thumbnail, and its file can't be read now.")
    return jpeg_response(data, headers)


def _marks(library: Library, content_id: int) -> dict[str, Any]:
    tags = library.marks.tags_of([content_id]).get(content_id, ())
    return {"tags": list(tags), "favourite": content_id in library.marks.favourites_of([content_id])}


@router.post(
    "/photos/{id}/tags", operation_id="tag", summary="Give a picture tags, or take them away",
    response_model=answers.Marks, responses=problems(404, 413, 415, 422, 503),
)  # fmt: skip
def _tag(id_: PhotoId, asked: TagChange) -> Response:
    library = services().library()
    known(library, id_)
    library.marks.change([id_], add=asked.add, remove=asked.remove)
    return answer({"id": id_, **_marks(library, id_)})


@router.put(
    "/photos/{id}/favourite", operation_id="makeFavourite", summary="Make a picture a favourite",
    response_model=answers.Marks, responses=problems(404, 503),
)  # fmt: skip
def _make_favourite(id_: PhotoId) -> Response:
    return _set_favourite(id_, favourite=True)


@router.delete(
    "/photos/{id}/favourite", operation_id="unmakeFavourite", summary="Make a picture no favourite",
    response_model=answers.Marks, responses=problems(404, 503),
)  # fmt: skip
def _unmake_favourite(id_: PhotoId) -> Response:
    return _set_favourite(id_, favourite=False)


def _set_favourite(content_id: int, *, favourite: bool) -> Response:
    library = services().library()
    known(library, content_id)
    library.marks.favourite([content_id], favourite)
    return answer({"id": content_id, **_marks(library, content_id)})
