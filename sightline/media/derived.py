"""Thumbnails and previews of contents, made again from their photos where missing or too small."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sightline.images.scaling import PREVIEW_LEAST, PREVIEW_SIDE, THUMBNAIL_LEAST, THUMBNAIL_SIDE
from store.library import Library

if TYPE_CHECKING:
    from sightline.images.reader import Reader

THUMBNAIL_NEED: Final = 256
"""Decode to at least twice this, which is the thumbnail's 512 px."""


def thumbnail(library: Library, content_hash: bytes) -> bytes | None:
    """Return the thumbnail (a JPEG) of a content; None if missing and no photo is readable."""

    def is_good(data: bytes | None) -> bool:
        return data is not None and not _is_sliver(library, content_hash, data, THUMBNAIL_SIDE, THUMBNAIL_LEAST)

    return _kept(library, content_hash, library.thumbnails.read, is_good, _make_thumbnail)


def preview(library: Library, content_hash: bytes) -> bytes | None:
    """Return the preview (a JPEG) of a content; None if missing and no photo is readable."""

    def is_good(data: bytes | None) -> bool:
        return data is not None and not _is_sliver(library, content_hash, data, PREVIEW_SIDE, PREVIEW_LEAST)

    return _kept(library, content_hash, library.previews.read, is_good, _make_preview)


def _kept(
    library: Library,
    content_hash: bytes,
    read: Callable[[bytes], bytes | None],
    is_good: Callable[[bytes | None], bool],
    make: Callable[[Library, bytes], bytes | None],
) -> bytes | None:
    """What is kept if it is good, else what is made; where that can't be, what is kept."""
    data = read(content_hash)
    return data if is_good(data) else make(library, content_hash) or data


def _is_sliver(library: Library, content_hash: bytes, data: bytes, side: int, least: int) -> bool:
    """Whether a version up to 0.2 made it, which let the shorter side of a strip become a few pixels."""
    from sightline.images.jpeg import size_of

    shorter, longer = sorted(size_of(data))
    if longer != side or shorter >= least:
        return False
    known = library.catalog.content_by_hash(content_hash)
    photo = library.catalog.photos([known[0]]).get(known[0]) if known is not None else None
    return photo is not None and max(photo.facts["width"], photo.facts["height"]) > side


def _make_preview(library: Library, content_hash: bytes) -> bytes | None:
    data = _made(library, content_hash, lambda reader: reader.preview())
    if data is not None and not library.readonly:
        with suppress(OSError):  # as in _make_thumbnail
            library.previews.write(content_hash, data)
    return data


def _make_thumbnail(library: Library, content_hash: bytes) -> bytes | None:
    data = _made(library, content_hash, lambda reader: reader.decode(need=THUMBNAIL_NEED).thumbnail)
    if data is not None and not library.readonly:
        with suppress(OSError):  # a full disk takes the cache, not the picture
            library.thumbnails.write(content_hash, data)
    return data


def _made(library: Library, content_hash: bytes, make: Callable[[Reader], bytes | None]) -> bytes | None:
    # Most pictures are there already: what decodes is not imported for them.
    from sightline.images.errors import DecodeError
    from sightline.media.reading import read_content

    try:
        return read_content(library, content_hash, make)
    except DecodeError:
        return None
