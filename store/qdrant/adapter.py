"""What is asked of Qdrant, in one form for its engine in this process and for a server.

Filters are those of Qdrant's REST interface, as dictionaries. `edge` and `server` are the two forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from store.arrays import Doubles, Floats, Halves, Ids

Filter = Mapping[str, Any]
"""A filter as Qdrant's REST interface writes it: `must`, `should`, `must_not` with lists of conditions."""

Payload = dict[str, Any]

META_POINT: Final = 0
"""The id of the point that says what the collection holds: contents have ids from 1 on."""

INDEXES: Final[Mapping[str, str]] = {
    "here": "keyword", "photos[].folder": "keyword", "photos[].name": "keyword", "photos[].ext": "keyword",
    "taken": "integer", "where": "geo", "tags": "integer", "words": "integer", "favourite": "keyword",
    "sample": "integer", "gone": "integer", "until": "integer",
}  # fmt: skip
"""Keys of the payload that are not facts of `fact_table`, and how each is indexed."""

UPSERTED: Final = 500
"""Points in one request that writes."""


@dataclass(frozen=True, slots=True)
class Point:
    """A content: its id, its vectors float16 (dim,) by the name of their space, and its facts."""

    id: int
    vectors: Mapping[str, Halves]
    payload: Payload


@dataclass(frozen=True, slots=True)
class Search:
    """The nearest points to each of some queries.

    Attributes:
        name: of the vectors.
        queries: float32 (m, dim).
        filter: what points have to pass; None for all that have such a vector.
        limit: how many points at most for each query.
        floor: scores that are below are left out; None for none.
        ef: how many points a graph looks at; None to score every point that passes.
    """

    name: str
    queries: Floats
    filter: Filter | None
    limit: int
    floor: float | None = None
    ef: int | None = None


class Adapter(Protocol):
    """One collection: the points of a library. Safe for use from several threads.

    Raises everywhere:
        VectorServiceError: Qdrant can't be reached, or refuses; the message says what to do.
    """

    def names(self) -> Mapping[str, int] | None:
        """The vectors that points may have: dimensions by name. None where there is no collection."""

    def create(self, names: Mapping[str, int], facts: Mapping[str, str]) -> None:
        """Make the collection anew and empty, in place of one that is there.

        Args:
            names: dimensions of vectors, by name.
            facts: how keys of the payload are indexed, besides `INDEXES`: keyword, integer or float.
        """

    def add_name(self, name: str, dim: int) -> None:
        """Let points have one more vector."""

    def remove_name(self, name: str) -> None:
        """Remove a vector from all points."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Put points in place of those of the same ids. They are there when it returns."""

    def delete(self, ids: Sequence[int]) -> None:
        """Remove points; those that are not there are no error."""

    def overwrite(self, ids: Sequence[int], payload: Payload) -> None:
        """Give points another payload, and leave their vectors; those that are not there are no error."""

    def set_meta(self, meta: Payload) -> None:
        """Keep what the collection holds, in `META_POINT`."""

    def meta(self) -> Payload | None:
        """What `set_meta` kept; None where there is no collection or no such point."""

    def count(self, filter_: Filter | None) -> int:
        """How many points pass, exactly; `META_POINT` among them."""

    def search(self, search: Search) -> list[tuple[Ids, Floats]]:
        """For each query ids int64 (n,) and scores float32 (n,), highest first.

        Scores are dot products with the query in half precision: within 1e-4 of the cosine.
        """

    def retrieve(self, ids: Sequence[int], name: str) -> tuple[Ids, Floats, Doubles]:
        """Those of the ids that have a vector of this name, int64 (n,), and the vectors float32 (n, dim).

        Then their `gone`, float64 (n,), NaN where they have none. At most some hundred ids; in any order.
        """

    def scroll(self, filter_: Filter | None, *, payload: bool, vectors: bool, page: int) -> Iterator[list[Point]]:
        """Yield all points that pass, by id, in pages; without `META_POINT`."""

    def flush(self) -> None:
        """Write what is still in memory to the disk."""

    def optimize(self) -> None:
        """Bring the collection into the form that searches want: merge, and make graphs that are due."""

    def disk_bytes(self) -> int:
        """What it takes on this machine's disk; 0 where it is elsewhere."""

    def close(self) -> None:
        """Let go of it."""
