"""The local engines of a library, read from files and brought up to date with the catalog on each use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from store.arrays import VectorIds
from store.tables.records import SpaceState
from store.tables.vector_rows import VectorRows
from store.vectors.engine import EngineFacts
from store.vectors.index_files import DamagedError, IndexFiles, Manifest
from store.vectors.local import Chunk, LocalEngine
from store.vectors.policy import DEFAULT, Policy
from store.vectors.row_store import DamagedRowsError

log = logging.getLogger(__name__)

_COMPARED: Final = 8  # rows of the files that are compared with the database when they are opened
MAX_TRIES: Final = 3  # times that a space is asked for again because it changed meanwhile


class VectorSource(Protocol):
    """The tables that engines are made from: `Catalog`, and of tiles `TileCatalog`."""

    def generation(self) -> int:
        """Raised with every change of what a search can return."""

    def space_state(self, space_id: int) -> SpaceState:
        """A space, its `epoch`, `last_id` and `count` those of its vectors here."""

    def vector_ids(self, space_id: int) -> VectorIds:
        """Ids of all its vectors, sorted, int64 (n,)."""

    def vectors_after(self, space_id: int, dim: int, last_id: int) -> Iterator[Chunk]:
        """Yield its vectors with an id above `last_id`, by id, in chunks."""

    def rows(self, space_id: int, dim: int) -> Iterator[VectorRows]:
        """Yield all of its rows, in chunks."""

    def some_rows(self, space_id: int, dim: int, ids: Sequence[int]) -> VectorRows:
        """Those of its rows that have one of some vector ids; a few hundred at most."""


class LocalEngines:
    """A `LocalEngine` for each space, with its files; see `VectorEngines`."""

    def __init__(
        self, folder: Path, catalog: VectorSource, *, readonly: bool, policy: Policy = DEFAULT, name: str = "space"
    ) -> None:
        """`name`: what the names of files begin with, before the id of their space."""
        self._folder = folder
        self._name = name
        self._catalog = catalog
        self._readonly = readonly
        self._policy = policy
        self._lock = threading.Lock()
        self._engines: dict[int, tuple[int, LocalEngine]] = {}  # by space: the generation it was checked at, itself
        self._damaged: set[int] = set()  # spaces whose files must not be read
        self._read: dict[int, Manifest | None] = {}  # by space: what was last read, or tried
        self._encoding: threading.Thread | None = None

    def _files(self, space_id: int) -> IndexFiles:
        return IndexFiles(self._folder, space_id, self._policy.in_memory_bytes, name=self._name)

    def facts(self, space_id: int) -> EngineFacts | None:
        """What the files of a space say about themselves, unchecked; None where they can't be read."""
        files = self._files(space_id)
        manifest = files.manifest()
        if manifest is None:
            return None
        return {
            "tier": self._policy.tier(manifest.rows), "rows": manifest.rows - manifest.dead,
            "disk_bytes": files.disk_bytes(manifest), "memory_bytes": files.memory_bytes(manifest),
            "measured": manifest.measured or None,
        }  # fmt: skip

    def get(self, space_id: int) -> LocalEngine:
        """The engine of a space, see `VectorEngines.get`. One-bit codes that it lacks are made meanwhile."""
        engine = self._get(space_id)
        if engine.lacks_codes:
            self._encode_in_background(engine)
        return engine

    def _get(self, space_id: int) -> LocalEngine:
        generation = self._catalog.generation()
        with self._lock:
            checked, engine = self._engines.get(space_id, (-1, None))
            reads = engine is None or self._is_saved_by_another(space_id, engine)
            if engine is not None and checked == generation and not reads:
                return engine
            engine = self._make_current(space_id, engine, reads=reads)
            self._engines[space_id] = (generation, engine)
            return engine

    def _encode_in_background(self, engine: LocalEngine) -> None:
        with self._lock:
            if self._encoding is None or not self._encoding.is_alive():
                # Not waited for at the end: what it makes is in memory alone.
                self._encoding = threading.Thread(target=engine.encode, daemon=True, name="vector codes")
                self._encoding.start()

    def _is_saved_by_another(self, space_id: int, engine: LocalEngine) -> bool:
        """Whether the files hold by now what an engine holds in memory, and that is much."""
        if engine.unmapped <= self._policy.unmapped_rows or space_id in self._damaged:
            return False
        manifest = self._files(space_id).manifest()
        # Files that were read already are those that it grew beyond, or that turned out to be damaged.
        return manifest is not None and manifest.last_id >= engine.last_id and manifest != self._read.get(space_id)

    def _make_current(self, space_id: int, engine: LocalEngine | None, *, reads: bool) -> LocalEngine:
        """The engine of a space as the catalog has it.

        It is read from its files if `reads`, else brought up to date from `engine`, else built anew.
        """
        loaded, state = self._load(space_id) if reads else (None, self._catalog.space_state(space_id))
        engine = engine if loaded is None else loaded
        for _ in range(MAX_TRIES):
            if engine is None:
                break
            engine = self._catch_up(engine, state)
            if _matches(engine, state):
                return engine
            # An indexer may have deleted something between one question and the next.
            state = self._catalog.space_state(space_id)
        log.info("building the vector index of space %s from %d vectors", state.key, state.count)
        engine = LocalEngine(state.dim, policy=self._policy, source=self._source(state))
        engine.epoch = state.epoch
        return self._catch_up(engine, state)

    def _catch_up(self, engine: LocalEngine, state: SpaceState) -> LocalEngine:
        """An engine brought to a state of its space: itself, or another where vectors were deleted."""
        if engine.epoch != state.epoch:
            engine = engine.retaining(self._catalog.vector_ids(state.id))
            engine.epoch = state.epoch
        if engine.last_id < state.last_id:
            for vector_ids, ids, vectors in self._catalog.vectors_after(state.id, state.dim, engine.last_id):
                known = vector_ids <= state.last_id  # not what was committed since: it is not counted
                engine.add([(vector_ids[known], ids[known], vectors[known])])
        return engine

    def _source(self, state: SpaceState) -> Callable[[], Iterable[Chunk]]:
        return partial(self._catalog.vectors_after, state.id, state.dim, 0)

    def _load(self, space_id: int) -> tuple[LocalEngine | None, SpaceState]:
        """The engine that a space's files hold, None where they can't be used; and the space's state."""
        files = self._files(space_id)
        # Twice: an indexer may put other files in their place between the manifest and them.
        for _ in range(2):
            manifest = self._read[space_id] = files.manifest()
            # In this order: an indexer commits before it saves, so files that are ahead are not of this database.
            state = self._catalog.space_state(space_id)
            if manifest is None or space_id in self._damaged:
                return None, state
            if (manifest.space, manifest.dim) != (state.key, state.dim):
                return None, state
            behind = manifest.epoch < state.epoch
            if manifest.epoch > state.epoch or (manifest.last_id > state.last_id and not behind):
                return None, state
            try:
                engine = LocalEngine.from_files(files.read(manifest), policy=self._policy, source=self._source(state))
                if not engine.holds(self._some_rows(engine, state)):
                    raise DamagedError("it holds other vectors than the database")
                return engine, state
            except (DamagedError, DamagedRowsError) as error:
                found = str(error)
        log.warning("the vector index of space %s can't be read (%s); it is made again", state.key, found)
        return None, state

    def _some_rows(self, engine: LocalEngine, state: SpaceState) -> VectorRows:
        """Rows of the database that an engine should hold: of files of another library, most differ."""
        held = engine.vector_ids
        count = min(_COMPARED, len(held))
        places = [at * (len(held) - 1) // max(count - 1, 1) for at in range(count)]
        return self._catalog.some_rows(state.id, state.dim, held[places].tolist())

    def save(self, space_id: int) -> None:
        """Bring the files of a space up to date, see `VectorEngines.save`.

        Does nothing where the library is read-only.

        Raises:
            OSError: see `LocalEngine.save`.
        """
        if self._readonly:
            return
        engine, files = self._get(space_id), self._files(space_id)
        saved = None if space_id in self._damaged else engine.saved
        engine.encode()
        if saved is not None and saved == files.manifest() and engine.is_saved:
            return
        key = self._catalog.space_state(space_id).key
        engine.save(files, key)
        before = engine.measured
        from store.vectors.recall_probe import measure  # searching and status need none of it

        measure(engine)  # as it is searched from now on, by what the save made
        if engine.measured != before:
            engine.save(files, key)
        self._damaged.discard(space_id)

    def remove(self, space_id: int) -> None:
        """Remove the files of a space. Does nothing where the library is read-only."""
        if not self._readonly:
            with self._lock:
                self._engines.pop(space_id, None)
            self._files(space_id).remove()

    def is_current(self, space_id: int) -> bool:
        """Whether the files of a space are undamaged and hold every vector, see `VectorEngines.is_current`."""
        engine, state = self._load(space_id)
        is_current = (
            engine is not None
            and _matches(engine, state)
            and engine.verify()
            and engine.saved is not None
            and self._files(space_id).has_faiss_header(engine.saved)
            and all(engine.holds(rows) for rows in self._catalog.rows(space_id, state.dim))
        )
        if not is_current:
            with self._lock:
                self._damaged.add(space_id)
                self._engines.pop(space_id, None)
        return is_current


def _matches(engine: LocalEngine, state: SpaceState) -> bool:
    """Whether an engine holds what the catalog says."""
    return (engine.epoch, engine.last_id, len(engine)) == (state.epoch, state.last_id, state.count)
