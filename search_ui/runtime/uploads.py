"""The pictures given to the page, kept in memory for a while."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sightline.lru import Lru
from sightline.media.derived import THUMBNAIL_NEED
from sightline.query.types import MAX_PICTURE_BYTES, MAX_TERMS, Picture, Query, QueryError


@dataclass(frozen=True, slots=True)
class Dropped:
    """An uploaded picture: the file, its thumbnail (JPEG), its upright width and height."""

    data: bytes
    thumbnail: bytes
    size: tuple[int, int]


class UploadCache:
    """The pictures last uploaded, by names that can't be guessed. In memory only; the oldest go first."""

    def __init__(self, limit: int = 512_000_000) -> None:
        """`limit`: bytes from which on the oldest go, but for as many as one query takes."""
        self._pictures: Lru[str, Dropped] = Lru(
            max_cost=limit, cost=lambda picture: len(picture.data), min_entries=MAX_TERMS
        )

    def put(self, data: bytes) -> str:
        """Keep a picture; returns its name.

        Raises:
            QueryError: it is too large, or no picture Sightline reads.
            BusyError: other uploads are being decoded.
        """
        from sightline.images.errors import DecodeError
        from sightline.images.pools import WAIT_SECONDS, pool

        if len(data) > MAX_PICTURE_BYTES:
            raise QueryError(f"The picture is larger than {MAX_PICTURE_BYTES / 1e6:.0f} MB. Save it smaller.")
        try:
            with pool("uploads").reader(WAIT_SECONDS) as reader:
                reader.give(data)
                decoded = reader.decode(need=THUMBNAIL_NEED)
                height, width, _ = decoded.pixels.shape
        except DecodeError as error:
            raise QueryError(f"The picture can't be read: {error.reason}.") from error
        name = secrets.token_hex(16)
        self._pictures.put(name, Dropped(data, decoded.thumbnail or b"", (width, height)))
        return name

    def get(self, name: str) -> Dropped | None:
        """The picture of this name, or None where it is gone."""
        return self._pictures.get(name)

    def pictures_of(self, query: Query) -> dict[str, bytes]:
        """The files of the pictures that a query names, by name, as far as they are still here."""
        names = {term.subject.name for term in query.terms if isinstance(term.subject, Picture)}
        found = {name: self.get(name) for name in names}
        return {name: dropped.data for name, dropped in found.items() if dropped is not None}
