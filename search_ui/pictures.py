"""Pictures as the page shows them: thumbnails of the library, and pictures that someone dropped on the page."""

from __future__ import annotations

import hashlib
import io
import secrets
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from search_ui.query import MAX_PICTURE_BYTES, MAX_TERMS, Picture, Query, QueryError
from store.library import Library
from store.paths import to_path

# Decoding may take 0.8 GB for the largest pictures; a page of missing thumbnails asks for sixty at once.
DECODES = threading.Semaphore(2)
_THUMBNAIL_NEED: Final = 256  # decode to at least twice this, which is the thumbnail's 512 px


def thumbnail(library: Library, content_hash: bytes) -> bytes | None:
    """The thumbnail (JPEG) of a content, made again from its photo where it is missing; None where that can't be."""
    data = library.thumbnails.read(content_hash)
    if data is None:
        with DECODES:
            data = library.thumbnails.read(content_hash) or _remade(library, content_hash)
    return data


def preview(library: Library, content_hash: bytes) -> bytes | None:
    """A larger picture (JPEG, at most 1600 px) of a content, made from its photo; None where that can't be read."""
    data = library.previews.read(content_hash)
    if data is None:
        with DECODES:
            data = library.previews.read(content_hash) or _previewed(library, content_hash)
    return data


def _previewed(library: Library, content_hash: bytes) -> bytes | None:
    from indexer.decode import DecodeError, preview

    original = original_bytes(library, content_hash)
    if original is None:
        return None
    try:
        data = preview(io.BytesIO(original))
    except DecodeError:
        return None
    if not library.readonly:
        with suppress(OSError):  # as in _remade
            library.previews.write(content_hash, data)
    return data


def _remade(library: Library, content_hash: bytes) -> bytes | None:
    from indexer.decode import DecodeError, decode

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
    """A file of a content, if one still is what was indexed: under this hash no other picture may ever be shown."""
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


@dataclass(frozen=True, slots=True)
class Dropped:
    """A picture given to the page: the file as it came, a thumbnail (JPEG) of it, its width and height upright."""

    data: bytes
    thumbnail: bytes
    size: tuple[int, int]


class Shelf:
    """The pictures last given to the page, by a name that can't be guessed. In memory only, the oldest go first."""

    def __init__(self, limit: int = 512_000_000) -> None:
        """`limit`: bytes from which on the oldest go, but for as many as one query takes."""
        self._limit = limit
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, Dropped] = OrderedDict()

    def put(self, data: bytes) -> str:
        """Keep a picture; returns its name.

        Raises:
            QueryError: it is too large, or no picture Sightline reads.
        """
        from indexer.decode import DecodeError, decode

        if len(data) > MAX_PICTURE_BYTES:
            raise QueryError(f"The picture is larger than {MAX_PICTURE_BYTES / 1e6:.0f} MB. Save it smaller.")
        try:
            with DECODES:
                decoded = decode(io.BytesIO(data), need=_THUMBNAIL_NEED)
        except DecodeError as error:
            raise QueryError(f"The picture can't be read: {error.reason}.") from error
        name = secrets.token_hex(16)
        with self._lock:
            height, width, _ = decoded.pixels.shape
            self._pictures[name] = Dropped(data, decoded.thumbnail or b"", (width, height))
            held = sum(len(each.data) for each in self._pictures.values())
            while held > self._limit and len(self._pictures) > MAX_TERMS:
                held -= len(self._pictures.popitem(last=False)[1].data)
        return name

    def get(self, name: str) -> Dropped | None:
        """The picture of this name, or None where it is gone."""
        with self._lock:
            if name in self._pictures:
                self._pictures.move_to_end(name)
            return self._pictures.get(name)

    def pictures_of(self, query: Query) -> dict[str, bytes]:
        """The files of the pictures that a query names, by name, as far as they are still here."""
        names = {term.subject.name for term in query.terms if isinstance(term.subject, Picture)}
        found = {name: self.get(name) for name in names}
        return {name: dropped.data for name, dropped in found.items() if dropped is not None}
