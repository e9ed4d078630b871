"""The vectors of one space in Qdrant: a `VectorEngine` that knows facts, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from store.arrays import Floats, Ids
from store.qdrant.adapter import Adapter, Filter, Search
from store.qdrant.points import GONE, YES, name_of
from store.qdrant.policy import GraphPolicy
from store.tables.filters import Filter as Asked
from store.time_limit import check
from store.vectors.engine import Candidates, Threshold

_HAS_IDS: Final = 5_000  # ids in one request
_RETRIEVED: Final = 500  # vectors in one answer
# Scores are of queries in half precision, see `Adapter.search`.
_ROUNDED: Final = 1e-4
# What half precision leaves of a query is scored as well, scaled so that it does not vanish in half precision itself.
_SCALE: Final = np.float32(2_048)
_SAMPLED: Final = 1 << 32  # `sample` of a payload is below


@dataclass(frozen=True, slots=True)
class Tables:
    """What an engine asks the tables.

    Attributes:
        ids: content ids of all vectors of the space, in the order in which they were committed.
        in_order: those of some ids that have a vector, in that order.
        passing: filters as Qdrant asks for them; None where it can't. Contents without a photo never pass.
    """

    ids: Callable[[], Ids]
    in_order: Callable[[Ids], Ids]
    passing: Callable[[Sequence[Asked]], Filter | None]


class QdrantEngine:
    """The vectors of one space, by content id; see `VectorEngine`. Safe for use from several threads.

    Attributes:
        name: what its vectors are called.
        dim, epoch, last_id: see `VectorEngine`.
    """

    def __init__(
        self, adapter: Adapter, space_id: int, dim: int, tables: Tables, policy: GraphPolicy, born: int | None
    ) -> None:
        """Take the points of a space; `QdrantEngines` says which state of the tables they hold.

        Args:
            adapter: the collection.
            space_id: the space.
            dim: of its vectors.
            tables: of the library.
            policy: how to search.
            born: points that were deleted up to this change are none of its; those deleted later it goes on with. None
                where the collection has no deleted points.
        """
        self.dim = dim
        self.epoch = 0
        self.last_id = 0
        self._count = 0
        self._adapter = adapter
        self.name = name_of(space_id)
        self._tables = tables
        self._policy = policy
        self._ids: tuple[tuple[int, int], Ids] | None = None
        self._born = born
        self._retired: list[Filter] = [] if born is None else [{"key": GONE, "range": {"lte": born}}]

    def hold(self, epoch: int, last_id: int, count: int) -> None:
        """Say which state of the tables the points hold by now."""
        self.epoch, self.last_id, self._count = epoch, last_id, count

    @property
    def is_graph(self) -> bool:
        """Whether a graph finds the nearest, where no filter leaves few."""
        return self._count > self._policy.graph_rows

    def __len__(self) -> int:
        return self._count

    @property
    def ids(self) -> Ids:
        """Content ids in the order of commits, see `VectorEngine.ids`."""
        state, known = (self.epoch, self.last_id), self._ids
        if known is None or known[0] != state:
            known = self._ids = (state, self._tables.ids())
            known[1].flags.writeable = False
        return known[1]

    def held(self, ids: Ids) -> Ids:
        """Those of the ids that have a vector, see `VectorEngine.held`."""
        if self._ids is not None or len(ids) > self._policy.ids:
            return ids[np.isin(ids, self.ids)]
        return ids[np.isin(ids, self._tables.in_order(ids))]

    def scores(self, queries: Floats, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        """Exact cosines, see `VectorEngine.scores`."""
        queries = self._checked(queries)
        wanted = self.ids if only is None else np.asarray(only, np.int64)
        if not len(queries):
            held = wanted if only is None else self.held(wanted)
            return held, np.empty((0, len(held)), np.float32)
        if not len(wanted):
            return wanted, np.empty((len(queries), 0), np.float32)
        # A query in half precision is off by 2e-5. What it lost is asked for as a query of its own.
        rounded = queries.astype(np.float16).astype(np.float32)
        halves = np.concatenate([rounded, (queries - rounded) * _SCALE])
        order = np.argsort(wanted, kind="stable")
        by_id = wanted[order]
        found = np.zeros(len(wanted), np.bool_)
        scores = np.zeros((len(halves), len(wanted)), np.float32)
        everything = only is None or len(wanted) > self._count // 2
        for start in range(0, len(wanted), len(wanted) if everything else _HAS_IDS):
            check()
            some = by_id[start : start + _HAS_IDS]
            filter_ = self._live() if everything else self._live({"has_id": some.tolist()})
            limit = self._adapter.count(self._live({"has_vector": self.name})) + _HAS_IDS if everything else len(some)
            for row, (ids, own) in enumerate(self._adapter.search(Search(self.name, halves, filter_, limit))):
                places = np.minimum(np.searchsorted(by_id, ids), len(by_id) - 1)
                mine = by_id[places] == ids
                scores[row, order[places[mine]]] = own[mine]
                found[order[places[mine]]] = True
        cosines = scores[: len(queries)] + scores[len(queries) :] / _SCALE
        return (wanted, cosines) if found.all() else (wanted[found], cosines[:, found])

    def _live(self, *must: Filter) -> Filter:
        """The points that are not deleted as far as this engine knows, and pass conditions."""
        return {"must": list(must), "must_not": self._retired}

    def shortlist(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]] = (), *, wanted: int = 0,
        only: Ids | None = None, absent: Ids | None = None,
    ) -> Ids | None:  # fmt: skip
        """The nearest by a graph, None where all are scored; see `VectorEngine.shortlist`."""
        queries = self._checked(queries)
        if not len(queries) or not self.is_graph or (only is not None and len(only) <= self._policy.graph_rows):
            return None
        must: list[Filter] = [] if only is None else [{"has_id": only.tolist()}]
        must_not = list(self._retired)
        if absent is not None and len(absent):
            few = len(absent) <= self._policy.ids
            (must_not if few else must).append({"has_id": absent.tolist()} if few else _HERE)
        found, _ = self._near(queries, groups, wanted, {"must": must, "must_not": must_not}, exact=False)
        return found

    def candidates(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]], filters: Sequence[Asked], *, wanted: int = 0
    ) -> Candidates | None:
        """What filters and thresholds leave, see `FilteringEngine.candidates`."""
        queries = self._checked(queries)
        passing = self._tables.passing(filters)
        if passing is None or not len(queries):
            return None
        filter_: Filter = {"must": [passing, {"has_vector": self.name}]}
        total = self._adapter.count(filter_)
        check()
        if total <= self._policy.candidates:
            found = self._adapter.search(Search(self.name, queries[:1], filter_, max(total, 1)))
            return Candidates(found[0][0], total, complete=True, everything=True)
        ids, complete = self._near(queries, groups, wanted, filter_, exact=total <= self._policy.graph_rows)
        return Candidates(ids, total, complete=complete)

    def passing(self, filters: Sequence[Asked]) -> Ids | None:
        """Content ids that pass filters by Qdrant's own count, sorted; None where it can't ask for them."""
        passing = self._tables.passing(filters)
        if passing is None:
            return None
        filter_: Filter = {"must": [passing, {"has_vector": self.name}]}
        pages = self._adapter.scroll(filter_, payload=False, vectors=False, page=_HAS_IDS)
        return np.array([point.id for page in pages for point in page], np.int64)

    def _near(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]], wanted: int, filter_: Filter, *, exact: bool
    ) -> tuple[Ids, bool]:
        """Ids near to any of the queries, and whether all that reach a threshold are among them."""
        floors: dict[int, float] = {}
        for threshold in (each for group in groups for each in group):
            floors[threshold.query] = threshold.maybe - _ROUNDED
        count = min(max(self._policy.nearest, 4 * wanted), self._policy.candidates)
        ef = None if exact else max(self._policy.ef, count)
        nearest = self._adapter.search(Search(self.name, queries, filter_, count, ef=ef))
        found, complete = [ids for ids, _ in nearest], True
        for query, floor in floors.items():
            check()
            _, scores = nearest[query]
            if len(scores) < count or scores[-1] < floor:
                continue
            most = self._policy.candidates
            wide = None if exact else max(self._policy.ef, most)
            one = queries[query : query + 1]
            ((ids, _),) = self._adapter.search(Search(self.name, one, filter_, most, floor, wide))
            complete = complete and len(ids) < most
            found.append(ids)
        return np.unique(np.concatenate(found)), complete

    def vectors_of(self, ids: Ids) -> Floats:
        """Vectors of contents, see `VectorEngine.vectors_of`."""
        ids = np.asarray(ids, np.int64)
        wanted = np.unique(ids)
        vectors = np.empty((len(wanted), self.dim), np.float32)
        there = np.zeros(len(wanted), np.bool_)
        for start in range(0, len(wanted), _RETRIEVED):
            check()
            found, own, gone = self._adapter.retrieve(wanted[start : start + _RETRIEVED].tolist(), self.name)
            if self._born is not None:
                found, own = found[~(gone <= self._born)], own[~(gone <= self._born)]
            if len(found):
                places = np.searchsorted(wanted, found)
                vectors[places], there[places] = own, True
        places = np.searchsorted(wanted, ids)
        if not there.all():
            raise KeyError(int(ids[~there[places]][0]))
        return vectors[places]

    def sample(self, count: int, *, without: Ids | None = None, seed: int = 0) -> tuple[Ids, Floats]:
        """Vectors chosen at random, see `VectorEngine.sample`: by a number that comes from a content's hash."""
        without = np.empty(0, np.int64) if without is None else without
        if count >= self._count:
            ids = self.ids
            ids = ids[~np.isin(ids, without)]
        else:
            ids = self._tables.in_order(self._drawn(count, without, seed))
        return ids, self.vectors_of(ids)

    def _drawn(self, count: int, without: Ids, seed: int) -> Ids:
        """Ids whose number is the next from one that belongs to a seed on."""
        first = int(np.random.default_rng(seed).integers(_SAMPLED))
        width = int(_SAMPLED * min(1.0, 1.2 * (count + 100) / self._count))
        excluded = set(without.tolist())
        while True:
            check()
            kept = sorted(each for each in self._numbered(first, width) if each[1] not in excluded)
            if len(kept) >= count or width >= _SAMPLED:
                return np.array([id_ for _, id_ in kept[:count]], np.int64)
            width = min(2 * width, _SAMPLED)

    def _numbered(self, first: int, width: int) -> list[tuple[int, int]]:
        """Points with a number from one on: how far it is from there, and their id."""
        ranges: list[Filter] = [{"key": "sample", "range": {"gte": first, "lt": min(first + width, _SAMPLED)}}]
        if first + width > _SAMPLED:
            ranges.append({"key": "sample", "range": {"lt": first + width - _SAMPLED}})
        filter_: Filter = {"must": [{"has_vector": self.name}], "should": ranges}
        pages = self._adapter.scroll(filter_, payload=True, vectors=False, page=_RETRIEVED)
        return [((point.payload["sample"] - first) % _SAMPLED, point.id) for page in pages for point in page]

    def warm(self) -> None:
        """Open the connection, see `VectorEngine.warm`."""
        self._adapter.search(Search(self.name, np.zeros((1, self.dim), np.float32), None, 1))

    def _checked(self, queries: Floats) -> Floats:
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ValueError(f"queries have shape {queries.shape}; this index wants (m, {self.dim})")
        return np.ascontiguousarray(queries, np.float32)


_HERE: Final[Filter] = {"key": "here", "match": {"value": YES}}
