"""What a vector engine has to offer: the one door that everything outside `store.vectors` uses.

`store.vectors.local` is the engine that Sightline comes with. docs/internals/vector-engine.md says how to add another
one, and tests/helpers/engine_conformance.py what it has to pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, cast

from store.arrays import Floats, Ids
from store.tables.filters import Filter


@dataclass(frozen=True, slots=True)
class Threshold:
    """The cosines to one query from which a picture counts as a hit.

    Attributes:
        query: row of the queries that are asked with it.
        strong: cosine of a match.
        maybe: cosine of a possible match; not above `strong`.
    """

    query: int
    strong: float
    maybe: float


class VectorEngine(Protocol):
    """Searches the vectors of one space by cosine: one unit vector for each content id, float16 or better.

    Every method may be called from several threads at once. Each call sees one state of the vectors; what is added
    between two calls is seen by the second. An engine never removes a vector: where vectors were deleted,
    `VectorEngines.get` returns another engine, and whoever holds the old one can go on with it.

    Every method that reads vectors raises OSError where they can't be read and can't be made again.
    """

    @property
    def dim(self) -> int:
        """Numbers in a vector."""

    @property
    def epoch(self) -> int:
        """The epoch of the space that it holds: it rises when vectors are deleted, see `SpaceState`."""

    @property
    def last_id(self) -> int:
        """The highest vector id that it holds, 0 for none: it rises when vectors are added, see `SpaceState`."""

    def __len__(self) -> int:
        """How many vectors it holds."""

    @property
    def ids(self) -> Ids:
        """Content ids int64 (n,), in the order in which their vectors were committed. Not to be written to."""

    def held(self, ids: Ids) -> Ids:
        """Those of the content ids that have a vector here, int64, in their order."""

    def scores(self, queries: Floats, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        """Cosines of every vector, or of those wanted, to some queries.

        Exact, whatever codes or graphs the engine keeps: within 2e-6 for vectors as they are stored. The same vector
        and query give the same bits, whatever else is asked for in the same call: ranks of a page and of the next one
        are compared.

        Args:
            queries: float32 (m, dim), unit rows; m may be 0.
            only: content ids int64 without repeats; those that have no vector here are left out. None for all.

        Returns:
            Content ids int64 (n,), in the order of `only` or else of `ids`, and cosines float32 (m, n).

        Raises:
            ValueError: `queries` is not (m, dim).
        """

    def shortlist(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]] = (), *, wanted: int = 0,
        only: Ids | None = None, absent: Ids | None = None,
    ) -> Ids | None:  # fmt: skip
        """Content ids that are worth scoring, or None to score everything.

        It holds the `wanted` nearest to each query with a recall of 0.98 or better, also for queries that lie as texts
        do, off the cone of the pictures. Where there are groups it holds nearly every content whose cosine reaches
        `strong`, and most of those that reach `maybe`. It may hold more, absent contents too.

        None is never wrong. It is the best answer where scoring everything takes some tens of milliseconds.

        The same call to the same state gives the same ids.

        Args:
            queries: float32 (m, dim), unit rows.
            groups: a hit reaches one threshold of each group, so candidates for one group are enough. Empty where only
                the nearest are wanted.
            wanted: how many hits are asked for; 0 for one page.
            only: content ids int64 to choose from, without repeats; None for all. A filter: the shortlist is filled
                from what passes it.
            absent: content ids int64 that can't be hits; they must not take the places of others.

        Returns:
            int64 (n,), without repeats, in no order that means anything.

        Raises:
            ValueError: `queries` is not (m, dim).
        """

    def vectors_of(self, ids: Ids) -> Floats:
        """Vectors float32 (n, dim) of content ids int64 (n,), in their order; repeats are allowed.

        Raises:
            KeyError: an id has no vector here; its argument is the first such id.
        """

    def sample(self, count: int, *, without: Ids | None = None, seed: int = 0) -> tuple[Ids, Floats]:
        """Content ids int64 (n,) and vectors float32 (n, dim), chosen at random.

        `count` of them, all where there are fewer, in the order of `ids`. The same for the same seed and the same
        state. `without`: content ids never to choose.
        """

    def warm(self) -> None:
        """Do what the first search would have to wait for: compile kernels, open connections. Safe to repeat."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is worth scoring of the contents that pass some filters.

    Attributes:
        ids: content ids int64 (n,), without repeats, in no order that means anything.
        total: how many contents pass.
        complete: whether all that reach a threshold are among them.
        everything: whether all that pass are among them.
    """

    ids: Ids
    total: int
    complete: bool
    everything: bool = False


class FilteringEngine(VectorEngine, Protocol):
    """An engine that knows the facts of contents too, and finds the nearest among those that pass filters."""

    def candidates(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]], filters: Sequence[Filter], *, wanted: int = 0
    ) -> Candidates | None:
        """Contents with a present photo that pass all filters, and are worth scoring.

        None where the engine can't say: the tables say then what passes.

        Args:
            queries: float32 (m, dim), unit rows; m at least 1.
            groups, wanted: see `VectorEngine.shortlist`.
            filters: all must hold.

        Raises:
            ValueError: `queries` is not (m, dim).
            MarksError: a filter names a set that is not there any more.
        """


def filtering(engine: VectorEngine) -> FilteringEngine | None:
    """The engine, where it knows facts too."""
    # Not isinstance: it would look at each property of an engine, and to some of them much belongs.
    return cast(FilteringEngine, engine) if hasattr(engine, "candidates") else None


class EngineFacts(TypedDict):
    """How a space is searched, for `indexer status`.

    `tier` names the way. `rows` are vectors; `measured` is how good and how fast its search is, None where nobody
    measured it: see `store.vectors.recall_probe`.
    """

    tier: str
    rows: int
    disk_bytes: int
    memory_bytes: int
    measured: Mapping[str, float] | None


class VectorEngines(Protocol):
    """The engines of a library, one for each space: `Library.vectors`. Safe for use from several threads.

    The tables are the truth. An engine is derived from them, may be thrown away at any time, and is never served where
    it does not hold what they say.
    """

    def get(self, space_id: int) -> VectorEngine:
        """The engine of a space, holding every vector that is committed by now and none that is deleted."""

    def save(self, space_id: int) -> None:
        """Keep what an engine holds, so that the next process need not make it again.

        Call under `store.lock.locked`. A kill at any moment leaves either state or something that the next `get` sees
        is neither.

        Raises:
            OSError: it can't be written; what was there before is still there.
        """

    def is_current(self, space_id: int) -> bool:
        """Whether the saved files of a space are undamaged and hold every vector that is committed by now."""

    def facts(self, space_id: int) -> EngineFacts | None:
        """What is known of a space's engine without making it; None where nothing is kept."""
