"""What was asked for: words, a picture, a picture of the library, or any of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from store.errors import SightlineError

MAX_HITS: Final = 500
MAX_PICTURE_BYTES: Final = 25_000_000
# Far above what any model reads, far below what would keep a tokenizer busy.
MAX_TEXT: Final = 2_000


class QueryError(SightlineError):
    """What was asked can't be searched for; the message says why and what can."""


@dataclass(frozen=True, slots=True)
class Query:
    """One search. The terms that are there are combined: a hit should suit all of them.

    Attributes:
        text: words; white space around them does not count.
        image: a picture file's bytes.
        like: the content id of a picture in the library.
        k: how many hits at most, 1 to 500.

    Raises:
        QueryError: no term, `k` out of range, or a text or picture too large.
    """

    text: str = ""
    image: bytes | None = None
    like: int | None = None
    k: int = 60

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text.strip())
        if not self.text and self.image is None and self.like is None:
            raise QueryError("There is nothing to search for: give some words, a picture, or both.")
        if not 1 <= self.k <= MAX_HITS:
            raise QueryError(f"A search gives 1 to {MAX_HITS} pictures; {self.k} were asked for.")
        if len(self.text) > MAX_TEXT:
            raise QueryError(f"The text has {len(self.text)} characters; the limit is {MAX_TEXT}. Shorten it.")
        if self.image is not None and len(self.image) > MAX_PICTURE_BYTES:
            raise QueryError(
                f"The picture has {len(self.image) / 1e6:.1f} MB; the limit is {MAX_PICTURE_BYTES / 1e6:.0f} MB. "
                "Save it smaller."
            )
