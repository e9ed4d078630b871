"""The vector indexes of a library: read from their files, brought up to date with the catalog on each use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypedDict

from store.tables.catalog import Catalog, SpaceState
from store.vectors.index import Chunk, VectorIndex
from store.vectors.index_files import CacheFiles, DamagedError, Manifest
from store.vectors.policy import DEFAULT, Policy, Tier
from store.vectors.recall_probe import measure

log = logging.getLogger(__name__)

PATIENCE: Final = 3  # times that a space is asked for again because it changed meanwhile


class IndexFacts(TypedDict):
    """How a space is searched: the tier, bytes, and how good and fast that is, where it is not exact."""

    tier: Tier
    rows: int
    disk_bytes: int
    memory_bytes: int
    measured: Mapping[str, float] | None


class VectorCache:
    """Vector indexes by space. Safe for use from several threads."""

    def __init__(self, folder: Path, catalog: Catalog, *, readonly: bool, policy: Policy = DEFAULT) -> None:
        self._folder = folder
        self._catalog = catalog
        self._readonly = readonly
        self._policy = policy
        self._lock = threading.Lock()
        self._indexes: dict[int, tuple[int, VectorIndex]] = {}  # by space: the generation it was checked at, the index
        self._damaged: set[int] = set()  # spaces whose files must not be read
        self._read: dict[int, Manifest | None] = {}  # by space: what was last read, or tried
        self._coding: threading.Thread | None = None

    def files(self, space_id: int) -> CacheFiles:
        """The files of a space."""
        return CacheFiles(self._folder, space_id)

    def facts(self, space_id: int) -> IndexFacts | None:
        """What the files of a space say about themselves, unchecked; None where there are none that can be read."""
        files = self.files(space_id)
        manifest = files.manifest()
        if manifest is None:
            return None
        return {
            "tier": self._policy.tier(manifest.rows), "rows": manifest.rows - manifest.dead,
            "disk_bytes": files.bytes(manifest), "memory_bytes": manifest.memory_bytes,
            "measured": manifest.measured or None,
        }  # fmt: skip

    def get(self, space_id: int) -> VectorIndex:
        """The index of a space, holding every vector committed by now. What it lacks in codes is made meanwhile."""
        index = self._get(space_id)
        if index.lacks_codes:
            self._encode_soon(index)
        return index

    def _get(self, space_id: int) -> VectorIndex:
        generation = self._catalog.generation()
        with self._lock:
            checked, index = self._indexes.get(space_id, (-1, None))
            reads = index is None or self._is_saved(space_id, index)
            if index is not None and checked == generation and not reads:
                return index
            index = self._current(space_id, index, reads=reads)
            self._indexes[space_id] = (generation, index)
            return index

    def _encode_soon(self, index: VectorIndex) -> None:
        with self._lock:
            if self._coding is None or not self._coding.is_alive():
                # Not waited for at the end: what it makes is in memory alone.
                self._coding = threading.Thread(target=index.encode, daemon=True, name="vector codes")
                self._coding.start()

    def _is_saved(self, space_id: int, index: VectorIndex) -> bool:
        """Whether the files hold by now what an index holds in memory, and that is much."""
        if index.unmapped <= self._policy.unmapped_rows or space_id in self._damaged:
            return False
        manifest = self.files(space_id).manifest()
        # Files that were read already are those that it grew beyond, or that turned out to be damaged.
        return manifest is not None and manifest.last_id >= index.last_id and manifest != self._read.get(space_id)

    def _current(self, space_id: int, index: VectorIndex | None, *, reads: bool) -> VectorIndex:
        made, state = self._load(space_id) if reads else (None, self._catalog.space_state(space_id))
        made = index if made is None else made
        for _ in range(PATIENCE):
            if made is None:
                break
            made = self._caught_up(made, state)
            if _is_of(made, state):
                return made
            # An indexer may have taken something away between one question and the next.
            state = self._catalog.space_state(space_id)
        log.info("building the vector index of space %s from %d vectors", state.key, state.count)
        made = VectorIndex(state.dim, policy=self._policy, source=self._source(state))
        made.epoch = state.epoch
        return self._caught_up(made, state)

    def _caught_up(self, index: VectorIndex, state: SpaceState) -> VectorIndex:
        """An index brought to a state of its space: itself, or another where something went."""
        if index.epoch != state.epoch:
            index = index.keeping(self._catalog.vector_ids(state.id))
            index.epoch = state.epoch
        if index.last_id < state.last_id:
            for numbers, ids, vectors in self._catalog.vectors_after(state.id, state.dim, index.last_id):
                known = numbers <= state.last_id  # not what was committed since: it is not counted
                index.add([(numbers[known], ids[known], vectors[known])])
        return index

    def _source(self, state: SpaceState) -> Callable[[], Iterable[Chunk]]:
        return partial(self._catalog.vectors_after, state.id, state.dim, 0)

    def _load(self, space_id: int) -> tuple[VectorIndex | None, SpaceState]:
        """The index that the files of a space hold, if they were made from it and are what they were; and its state."""
        files = self.files(space_id)
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
                held = files.read(manifest)
                return VectorIndex.holding(held, policy=self._policy, source=self._source(state)), state
            except DamagedError as error:
                found = error
        log.warning("the vector cache of space %s can't be read (%s); it is made again", state.key, found)
        return None, state

    def save(self, space_id: int) -> None:
        """Bring the files of a space up to date. Call under `store.library.locked`.

        Raises:
            OSError: see `VectorIndex.save`.
        """
        if self._readonly:
            return
        index = self._get(space_id)
        saved = None if space_id in self._damaged else index.saved
        index.encode()
        if saved is not None and saved == self.files(space_id).manifest() and index.is_saved:
            return
        files, key = self.files(space_id), self._catalog.space_state(space_id).key
        index.save(files, key)
        before = index.measured
        measure(index)  # as it is searched from now on, by what the save made
        if index.measured != before:
            index.save(files, key)
        self._damaged.discard(space_id)

    def is_current(self, space_id: int) -> bool:
        """Whether the files of a space are undamaged, each row of them, and hold every vector committed by now."""
        held, state = self._load(space_id)
        current = (
            held is not None
            and _is_of(held, state)
            and held.is_sound()
            and held.saved is not None
            and self.files(space_id).is_framed(held.saved)
        )
        if not current:
            with self._lock:
                self._damaged.add(space_id)
                self._indexes.pop(space_id, None)
        return current


def _is_of(index: VectorIndex, state: SpaceState) -> bool:
    """Whether an index holds what the catalog says."""
    return (index.epoch, index.last_id, len(index)) == (state.epoch, state.last_id, state.count)
