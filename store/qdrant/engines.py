"""The vector engines of a library whose vectors lie in Qdrant, kept up to date with the tables.

The tables are the truth. The collection says up to which change it is true (`store.tables.changes`), in `META_POINT`;
what changed since is written again from the tables, whole points at a time, before anything is served. Writing a point
twice gives the same point, so a process that is killed anywhere leaves what the next one completes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine

from store.arrays import Ids
from store.errors import VectorServiceError
from store.qdrant.adapter import Adapter, Filter
from store.qdrant.engine import QdrantEngine, Tables
from store.qdrant.filters import TooManyError, conditions
from store.qdrant.points import FACT_KINDS, GONE, LAYOUT, UNTIL, name_of, points_of, same
from store.qdrant.policy import DEFAULT, GraphPolicy
from store.tables import changes, filter_sql
from store.tables.catalog import Catalog
from store.tables.filters import Filter as Asked
from store.tables.records import SpaceState
from store.time_limit import check, restart
from store.vectors.engine import EngineFacts

log = logging.getLogger(__name__)

BATCH: Final = 1_000  # contents that are written at a time
_MAX_TRIES: Final = 3
_KEPT_S: Final = 3_600  # a deleted vector stays so long, seconds: a long list may still be read
_RETIRED: Final[Filter] = {"key": GONE, "range": {"gte": 0}}


class QdrantEngines:
    """A `QdrantEngine` for each space; see `VectorEngines`. Close it with the library."""

    def __init__(
        self, catalog: Catalog, connect: Callable[[str], Adapter], *, policy: GraphPolicy = DEFAULT,
        identity: Callable[[], str] | None = None, turn: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:  # fmt: skip
        """Take the tables; nothing is connected or made before an engine is asked for.

        Args:
            catalog: of the library.
            connect: opens the collection of a library, by the identity of its log of changes.
            policy: how spaces are searched.
            identity: gives the identity of the log, which is begun where there is none.
            turn: held while the collection is written: of several processes, one at a time.
        """
        self._catalog = catalog
        self._database: Engine = catalog.engine
        self._connect = connect
        self._policy = policy
        self._begin = identity or partial(changes.begin, catalog.engine)
        self._turn = turn
        self._lock = threading.RLock()
        self._adapter: Adapter | None = None
        self._identity = ""
        self._checked: dict[int, tuple[int, QdrantEngine]] = {}  # by space: the change it was compared at, itself
        self._damaged = False
        self._is_first = True  # of the catching up of this process
        self._has_retired = False

    def close(self) -> None:
        """Let go of the collection."""
        with self._lock:
            adapter, self._adapter = self._adapter, None
            self._checked.clear()
        if adapter is not None:
            adapter.close()

    # -- engines ------------------------------------------------------------------------------------------------

    def get(self, space_id: int) -> QdrantEngine:
        """The engine of a space, see `VectorEngines.get`.

        Raises:
            VectorServiceError: Qdrant can't be reached.
            KeyError: the library has no such space.
        """
        with self._lock:
            adapter = self._open()
            checked, engine = self._checked.get(space_id, (-1, None))
            change = self._last_change()
            if engine is not None and checked == change and not self._damaged:
                return engine
            for _ in range(_MAX_TRIES):
                change, state = self._last_change(), self._catalog.space_state(space_id)
                self._catch_up(adapter)
                if self._last_change() != change:  # an indexer is at work: the points may be ahead of this state
                    continue
                if self._is_complete(adapter, state, compared=checked >= 0):
                    break
                log.warning("the vectors of space %s in Qdrant are not those of the library; made again", state.key)
                self._damaged = True
            engine = self._engine(adapter, state, engine, change)
            self._checked[space_id] = (change, engine)
            return engine

    def _engine(
        self, adapter: Adapter, state: SpaceState, engine: QdrantEngine | None, change: int
    ) -> QdrantEngine:  # fmt: skip
        if engine is None or (engine.epoch, engine.dim) != (state.epoch, state.dim):
            self._has_retired = adapter.count({"must": [_RETIRED]}) > 0  # another process may have done it
            born = change if self._has_retired else None
            engine = QdrantEngine(adapter, state.id, state.dim, self._tables(state.id), self._policy, born)
        engine.hold(state.epoch, state.last_id, state.count)
        return engine

    def _is_complete(self, adapter: Adapter, state: SpaceState, *, compared: bool) -> bool:
        if compared and state.count > self._policy.counted:
            return True
        return adapter.count(_there(state.id)) == state.count

    def _tables(self, space_id: int) -> Tables:
        def ids() -> Ids:
            query = "SELECT content_id AS id FROM vectors WHERE space_id = ? ORDER BY vectors.id"
            with self._database.connect() as connection:
                return filter_sql.column(connection, query, (space_id,))

        def in_order(some: Ids) -> Ids:
            query = (
                "SELECT content_id AS id FROM vectors WHERE space_id = ? AND content_id IN "
                "(SELECT value FROM json_each(?)) ORDER BY vectors.id"
            )
            with self._database.connect() as connection:
                return filter_sql.column(connection, query, (space_id, str(some.tolist())))

        def passing(filters: Sequence[Asked]) -> Filter | None:
            try:
                with self._database.connect() as connection:
                    return conditions(connection, filters, self._policy.ids)
            except TooManyError:
                return None

        return Tables(ids, in_order, passing)

    # -- bringing points up to date -----------------------------------------------------------------------------

    def _open(self) -> Adapter:
        if self._adapter is None:
            self._identity = self._begin()
            self._adapter = self._connect(self._identity)
        return self._adapter

    def _last_change(self) -> int:
        with self._database.connect() as connection:
            return changes.last(connection)

    def _spaces(self) -> dict[int, int]:
        return {space.id: space.dim for space in self._catalog.spaces()}

    def _catch_up(self, adapter: Adapter) -> None:
        """Write what changed since the collection was last written.

        A time limit ends it between two batches, and the next call goes on from there.
        """
        with self._turn():
            spaces = self._spaces()
            applied = self._applied(adapter, spaces)
            if applied is None:
                log.info("writing the vectors of this library to Qdrant")
                adapter.create({name_of(id_): dim for id_, dim in spaces.items()}, FACT_KINDS)
                applied = 0
                self._note(adapter, applied)
                self._damaged = False
                self._checked.clear()
            self._add_names(adapter, spaces)
            first, self._is_first = self._is_first, False
            if first or self._has_retired:
                self._remove_retired(adapter)
            while True:
                with self._database.connect() as connection:
                    changed = changes.after(connection, applied, BATCH)
                    ids = [content_id for _, content_id in changed]
                    points = points_of(connection, ids, spaces) if ids else []
                if not changed:
                    break
                check()
                gone = sorted(set(ids) - {point.id for point in points})
                applied = changed[-1][0]
                adapter.upsert(points)
                self._retire(adapter, gone, applied)
                self._note(adapter, applied)
        restart()  # it is no fault of a search that much had changed

    def _applied(self, adapter: Adapter, spaces: Mapping[int, int]) -> int | None:
        """The change that the collection is true to; None where it has to be made anew."""
        names = adapter.names()
        meta = None if names is None or self._damaged else adapter.meta()
        if names is None or meta is None:
            return None
        if (meta.get("library"), meta.get("layout")) != (self._identity, LAYOUT):
            log.warning("the collection in Qdrant is that of another library, or of another version; made again")
            return None
        if any(names.get(name_of(id_), dim) != dim for id_, dim in spaces.items()):
            return None
        applied = int(meta["applied"])
        if applied > self._last_change():  # the tables are older than what was written here
            return None
        return applied

    def _note(self, adapter: Adapter, applied: int) -> None:
        adapter.set_meta({"library": self._identity, "layout": LAYOUT, "applied": applied})

    def _add_names(self, adapter: Adapter, spaces: Mapping[int, int]) -> None:
        known = adapter.names() or {}
        for space_id, dim in spaces.items():
            if name_of(space_id) not in known:
                adapter.add_name(name_of(space_id), dim)

    def _retire(self, adapter: Adapter, gone: Sequence[int], change: int) -> None:
        """Take points out of all searches that begin from now on; older engines still read them."""
        if gone:
            adapter.overwrite(gone, {GONE: change, UNTIL: int(time.time() + _KEPT_S)})
            self._has_retired = True

    def _remove_retired(self, adapter: Adapter) -> None:
        """Remove points that nobody reads any more."""
        over: Filter = {"must": [{"key": UNTIL, "range": {"lt": int(time.time())}}]}
        for page in adapter.scroll(over, payload=False, vectors=False, page=BATCH):
            adapter.delete([point.id for point in page])
        self._has_retired = adapter.count({"must": [_RETIRED]}) > 0

    # -- keeping and checking -----------------------------------------------------------------------------------

    def save(self, space_id: int) -> None:
        """Bring the collection up to date and on the disk, see `VectorEngines.save`."""
        with self._lock:
            self.get(space_id)
            adapter = self._open()
            adapter.optimize()
            adapter.flush()

    def is_current(self, space_id: int) -> bool:
        """Whether every point is what the tables say, see `VectorEngines.is_current`.

        Compares all points with the tables, whole, and leaves them as they are; where one differs all are made again at
        the next `get` or `save`.
        """
        with self._lock:
            adapter, spaces = self._open(), self._spaces()
            name = name_of(space_id)
            applied = self._applied(adapter, spaces)
            is_current = applied is not None and applied == self._last_change() and name in (adapter.names() or {})
            if is_current:
                count = self._catalog.space_state(space_id).count
                is_current = adapter.count(_there(space_id)) == count and self._are_same(adapter, spaces)
            if not is_current:
                self._damaged = True
            return is_current

    def _are_same(self, adapter: Adapter, spaces: Mapping[int, int]) -> bool:
        """Whether the points are those of the tables, none missing and none more."""
        seen = 0
        for page in adapter.scroll({"must_not": [_RETIRED]}, payload=True, vectors=True, page=BATCH):
            with self._database.connect() as connection:
                right = points_of(connection, [point.id for point in page], spaces)
            if len(right) != len(page) or not all(map(same, page, right)):
                return False
            seen += len(page)
        with self._database.connect() as connection:
            query = "SELECT count(*) FROM contents WHERE EXISTS (SELECT 1 FROM vectors WHERE content_id = contents.id)"
            return seen == int(connection.exec_driver_sql(query).scalar_one())

    def facts(self, space_id: int) -> EngineFacts | None:
        """What is known of a space's points; None where there are none or they can't be reached."""
        with self._lock:
            try:
                adapter = self._open()
                if name_of(space_id) not in (adapter.names() or {}):
                    return None
                rows = adapter.count(_there(space_id))
            except VectorServiceError:
                return None
        return {
            "tier": "graph" if rows > self._policy.graph_rows else "exact", "rows": rows,
            "disk_bytes": adapter.disk_bytes(), "memory_bytes": 0, "measured": None,
        }  # fmt: skip


def _there(space_id: int) -> Filter:
    """The points that have a vector of a space, and are not deleted."""
    return {"must": [{"has_vector": name_of(space_id)}], "must_not": [_RETIRED]}
