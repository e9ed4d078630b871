"""The original file of a picture, and its headers as a download."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from sightline.images.formats import MEDIA_TYPES
from sightline.media.opened import OpenedPhoto, SourceError, first_usable
from store.library import Library

UNKNOWN_TYPE: Final = "application/octet-stream"
# Characters of a file name that a quoted string of a header carries as they are; `%` would be decoded by some browsers.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$&'()+,-.;=@[]^_`{}~")


@dataclass(frozen=True, slots=True)
class Original:
    """A file that holds a picture of the library, open and checked.

    Attributes:
        photo: the open file, to be closed.
        media_type: of its content; `application/octet-stream` where that is not known.
    """

    photo: OpenedPhoto
    media_type: str


def original(library: Library, content_id: int) -> Original:
    """Open the first file of a content whose bytes still have the hash that was indexed.

    Raises:
        SourceError: there is none, and why.
    """
    row = library.catalog.photos([content_id]).get(content_id)
    if row is None:
        raise SourceError(errno.ENOENT, "the file is not there any more")
    media_type = MEDIA_TYPES.get(row.facts["format"], UNKNOWN_TYPE)
    return Original(first_usable(library, content_id, row.hash, _checked), media_type)


def _checked(photo: OpenedPhoto) -> OpenedPhoto:
    try:
        photo.check()
    except BaseException:
        photo.close()
        raise
    return photo


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
