"""Thumbnails and previews of contents, made again from their photos where they are missing."""

from __future__ import annotations

import hashlib
import io
import threading
from contextlib import suppress
from typing import Final

from store.library import Library
from store.paths import to_path

# Decoding may take 0.8 GB for the largest pictures; a page of missing thumbnails asks for sixty at once.
DECODES = threading.Semaphore(2)
_THUMBNAIL_NEED: Final = 256  # decode to at least twice this, which is the thumbnail's 512 px


def thumbnail(library: Library, content_hash: bytes) -> bytes | None:
    """Return the thumbnail (JPEG, at most 512 px) of a content; None if missing and no photo is readable."""
    data = library.thumbnails.read(content_hash)
    if data is None:
        with DECODES:
            data = library.thumbnails.read(content_hash) or _make_thumbnail(library, content_hash)
    return data


def preview(library: Library, content_hash: bytes) -> bytes | None:
    """Return the preview (JPEG, at most 1600 px) of a content; None if missing and no photo is readable."""
    data = library.previews.read(content_hash)
    if data is None:
        with DECODES:
            data = library.previews.read(content_hash) or _make_preview(library, content_hash)
    return data


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
    known = library.catalog.content_by_hash(content_hash, 0)
    for root, relative in library.catalog.paths_of(known[0]) if known is not None else ():
        path = to_path(root, relative)
        try:
            data = path.read_bytes() if path.is_file() else b""  # is_file: opening a FIFO would wait for ever
        except OSError:
            continue
        if hashlib.sha256(data).digest() == content_hash:
            return data
    return None
