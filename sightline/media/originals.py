"""The original file of a picture, and its headers as a download."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sightline.images.formats import MEDIA_TYPES
from store.library import Library
from store.paths import to_path

UNKNOWN_TYPE: Final = "application/octet-stream"
# Characters of a file name that a quoted string of a header carries as they are; `%` would be decoded by some browsers.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$&'()+,-.;=@[]^_`{}~")


@dataclass(frozen=True, slots=True)
class Original:
    """A file that holds a picture of the library.

    Attributes:
        path: where it is.
        name: its name, as bytes.
        hash: of its content.
        media_type: of its content; `application/octet-stream` where that is not known.
        facts: the file's `stat` when it was checked.
    """

    path: Path
    name: bytes
    hash: bytes
    media_type: str
    facts: os.stat_result


def original(library: Library, content_id: int) -> Original | None:
    """Find the first present file of a content that still is what was indexed; None where there is none."""
    photo = library.catalog.photos([content_id]).get(content_id)
    if photo is None:
        return None
    for place in library.catalog.photos_of([content_id]):
        path = to_path(place.root, place.path)
        try:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode) or facts.st_size != place.size:
                continue
            # A file of the same size and time counts as unchanged, as for the indexer: hashing a scan of 500 MB for
            # each range that a browser requests would take a second each time. Where only the time differs (a restored
            # backup), the hash decides.
            if facts.st_mtime_ns != place.mtime_ns and _hash_of(path) != photo.hash:
                continue
        except OSError:
            continue
        media_type = MEDIA_TYPES.get(photo.facts["format"], UNKNOWN_TYPE)
        return Original(path, place.path.rsplit(b"/", 1)[-1], photo.hash, media_type, facts)
    return None


def _hash_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def disposition(name: bytes) -> str:
    """Return the header `Content-Disposition` that makes a browser save a file under its name (RFC 6266).

    A name that is not ASCII is sent as UTF-8 (RFC 8187), beside an ASCII one for old programs. A name that is not UTF-8
    can't be sent, so it has the ASCII one alone.
    """
    try:
        text: str | None = name.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    plain = "".join(char if char in _PLAIN else "_" for char in (text or name.decode("latin-1"))) or "picture"
    if text is None or text == plain:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(text, safe='')}"
