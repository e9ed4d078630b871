"""Photos of the library, read and decoded by worker processes: what was checked is what is decoded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from sightline.images.errors import DecodeError
from sightline.images.pools import WAIT_SECONDS, pool
from sightline.images.reader import Reader
from sightline.media.at_hand import at_hand
from store.library import Library
from store.tables.link_choices import follows_links

_T = TypeVar("_T")


def read_content(library: Library, content_hash: bytes, use: Callable[[Reader], _T]) -> _T | None:
    """What `use` makes of a file of a content; None where no file still is what it was.

    The present photos of the content are tried in turn; the bytes must have its hash. A file that is too large to be
    kept in memory is read again for its pixels: its times tell whether it is still the same.

    Args:
        library: the library.
        content_hash: of the content.
        use: what is made of it; see `Reader`.

    Raises:
        DecodeError: of `use`.
        BusyError: other pictures are decoded for longer than `WAIT_SECONDS`.
        WorkerError: pictures can't be decoded here.
    """
    known = library.catalog.content_by_hash(content_hash)
    for photo in library.catalog.photos_of([known[0]]) if known is not None else ():
        with ExitStack() as stack:
            try:
                follows = follows_links(library.catalog, photo.root)
                place = stack.enter_context(at_hand(photo.root, photo.path, follows))
                reader = stack.enter_context(pool("photos").reader(WAIT_SECONDS))
                before, _ = reader.open(place, digest=False)
                if before.size != photo.size or reader.digest() != content_hash:
                    continue
            except (OSError, DecodeError):  # it is gone, or its disk does not answer: another may be there
                continue
            made = use(reader)
            if reader.facts_now() == before:
                return made
    return None
