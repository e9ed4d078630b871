"""Crops of pictures to search with, from the original file, so that small things keep their detail."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PIL import Image

from sightline.media.derived import preview, thumbnail
from sightline.query.types import QueryError
from store.library import Library

if TYPE_CHECKING:
    from sightline.images.reader import Reader

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of the upright picture's width and height, 0 to 1."""

# The shorter side of a part, in pixels, where the picture has them: twice the input of the largest usual models.
WANTED: Final = 768
LEAST: Final = 16
MOST: Final = 4_096  # the longer side; more would not be seen by any model
_QUALITY: Final = 95


def as_box(values: object) -> Box:
    """Read a box as a browser sends it.

    Raises:
        QueryError: it is not four numbers, or not inside the picture.
    """
    if isinstance(values, Sequence) and len(values) == 4:
        given = [float(each) for each in values if isinstance(each, int | float)]
        if len(given) == 4 and all(math.isfinite(each) for each in given):
            left, top, right, bottom = given
            if 0 <= left < right <= 1 and 0 <= top < bottom <= 1:
                return left, top, right, bottom
    raise QueryError("That is no part of the picture. Draw a rectangle inside it.")


def crop(library: Library, content_id: int, box: Box) -> bytes:
    """Crop a picture of the library: a JPEG without metadata.

    Args:
        library: the library.
        content_id: of the picture.
        box: the part to keep.

    Raises:
        QueryError: the picture is not there, can't be read, or the part is too small.
        BusyError: other pictures are being decoded.
    """
    from sightline.images.errors import DecodeError
    from sightline.media.reading import read_content

    content_hash = library.catalog.hash_of(content_id)
    if content_hash is None:
        raise QueryError(f"There is no picture {content_id} in this library.")
    box = as_box(box)
    try:
        part = read_content(library, content_hash, lambda reader: _part(reader, box))
    except DecodeError as error:
        raise QueryError(f"The picture can't be read: {error.reason}.") from error
    if part is not None:
        return part
    # Where the drive is not mounted, the preview or the thumbnail still has the part, less sharp.
    data = preview(library, content_hash) or thumbnail(library, content_hash)
    if data is None:
        raise QueryError("The file of this picture changed or can't be read, so no part of it can be taken.")
    return crop_of(data, box)


def crop_of(data: bytes, box: Box) -> bytes:
    """Crop a picture given as the bytes of its file; see `crop`.

    Raises:
        QueryError: it can't be read, or the part is too small.
        BusyError: other pictures are being decoded.
    """
    from sightline.images.errors import DecodeError
    from sightline.images.pools import WAIT_SECONDS, pool

    box = as_box(box)
    try:
        with pool("uploads").reader(WAIT_SECONDS) as reader:
            reader.give(data)
            return _part(reader, box)
    except DecodeError as error:
        raise QueryError(f"The picture can't be read: {error.reason}.") from error


def _part(reader: Reader, box: Box) -> bytes:
    """The part of the picture that a worker has at hand."""
    left, top, right, bottom = box
    # The picture's size is not known yet; its shorter side is the worst case.
    need = math.ceil(WANTED / (2 * min(right - left, bottom - top)))
    pixels = reader.decode(need=need, thumbnail=False).pixels
    height, width, _ = pixels.shape
    part = pixels[
        math.floor(top * height) : math.ceil(bottom * height), math.floor(left * width) : math.ceil(right * width)
    ]
    if min(part.shape[:2]) < LEAST:
        raise QueryError(
            f"That part has {part.shape[1]} x {part.shape[0]} pixels; each side needs {LEAST}. Draw a larger one."
        )
    image = Image.fromarray(part)
    image.thumbnail((MOST, MOST))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling="4:4:4")
    return buffer.getvalue()
