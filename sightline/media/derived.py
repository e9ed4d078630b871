"""Thumbnails and previews of contents, made again from their photos where missing or too small."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sightline.images.scaling import PREVIEW_LEAST, PREVIEW_SIDE, THUMBNAIL_LEAST, THUMBNAIL_SIDE
from sightline.media.opened import OpenedPhoto, SourceError, first_usable
from store.library import Library

# Decoding may take 0.8 GB for the largest pictures; a page of missing thumbnails asks for sixty at once.
DECODES = threading.Semaphore(2)
_THUMBNAIL_NEED: Final = 256  # decode to at least twice this, which is the thumbnail's 512 px


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
    if not is_good(data):
        with DECODES:
            data = read(content_hash)
            if not is_good(data):
                data = make(library, content_hash) or data
    return data


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
    from sightline.images.decode import DecodeError, preview

    original = original_bytes(library, content_hash)
    if original is None:
        return None
    try:
        data = preview(io.BytesIO(original))
    except DecodeError:
        return None
    if not library.readonly:
        with suppress(OSError):  # as in _make_thumbnail
            library.previews.write(content_hash, data)
    return data


def _make_thumbnail(library: Library, content_hash: bytes) -> bytes | None:
    from sightline.images.decode import DecodeError, decode

    original = original_bytes(library, content_hash)
    if original is None:
        return None
    try:
        data = decode(io.BytesIO(original), need=_THUMBNAIL_NEED).thumbnail
    except DecodeError:
        return None
    if data is not None and not library.readonly:
        with suppress(OSError):  # a full disk takes the cache, not the picture
            library.thumbnails.write(content_hash, data)
    return data


def original_bytes(library: Library, content_hash: bytes) -> bytes | None:
    """Read a file of a content, after checking its hash; None where no file still is what was indexed."""
    known = library.catalog.content_by_hash(content_hash)
    if known is None:
        return None
    try:
        return first_usable(library, known[0], content_hash, _read)
    except SourceError:
        return None


def _read(photo: OpenedPhoto) -> bytes:
    with photo:
        return photo.read()
