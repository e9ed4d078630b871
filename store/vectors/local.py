"""The vector engine that Sightline comes with: its own files, searched in this process.

Rows lie in half precision in a file that is mapped into memory, and the newest in memory until they are saved; both
hold the very numbers that SQLite holds. `store.vectors.policy` says how they are searched.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from store.arrays import CodeWords, Floats, Halves, Ids, VectorIds
from store.tables.vector_rows import VectorRows
from store.vectors import exact, four_bit_codes, one_bit_codes, persistence
from store.vectors.engine import Threshold
from store.vectors.growable_array import GrowableArray
from store.vectors.index_files import ENTRY, IndexContents, IndexFiles, Manifest
from store.vectors.one_bit_codes import OneBitCodes, Quantizer
from store.vectors.persistence import SpaceInfo
from store.vectors.policy import DEFAULT, Policy, Tier
from store.vectors.row_store import CHUNK, DamagedRowsError, RowStore
from store.vectors.snapshot import Snapshot

log = logging.getLogger(__name__)

Chunk = tuple[VectorIds, Ids, Halves]
_Result = TypeVar("_Result")

CENTROID_ROWS: Final = 4_096  # the mean of so many is within a sixtieth of a deviation


class LocalEngine:
    """The vectors of one space, by content id; a `VectorEngine`. Safe for use from several threads.

    Readers take the snapshot of the moment and need no lock. Writers make the next snapshot, one at a time.

    Attributes:
        dim, epoch, last_id: see `VectorEngine`.
        policy: how it is searched.
        saved: the manifest of the files that its first rows lie in; None for none.
        measured: what `store.vectors.recall_probe` found.
    """

    def __init__(
        self, dim: int, *, policy: Policy = DEFAULT, source: Callable[[], Iterable[Chunk]] | None = None
    ) -> None:
        """`source`: all rows anew, for when a file of them turns out to be damaged."""
        self.dim = dim
        self.policy = policy
        self.epoch = 0
        self.last_id = 0
        self.saved: Manifest | None = None
        self.measured: dict[str, float] = {}
        self._source = source
        self._writing = threading.Lock()  # held for moments: to put another snapshot in the place of the last
        self._encoding, self._saving, self._rebuilding = threading.Lock(), threading.Lock(), threading.Lock()
        self._set_state(Snapshot.of(RowStore.empty(dim), np.empty(0, np.int64)))

    def _set_state(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        # They take over what the snapshot holds, and leave it as it is when they grow.
        self._tail = GrowableArray(snapshot.rows.tail)
        self._entries = GrowableArray[Any](snapshot.rows.entries)
        self._codes = None if snapshot.codes is None else GrowableArray(snapshot.codes.words)

    @classmethod
    def from_files(
        cls, contents: IndexContents, *, policy: Policy = DEFAULT, source: Callable[[], Iterable[Chunk]] | None = None
    ) -> LocalEngine:
        """An engine of what a space's files hold."""
        manifest = contents.manifest
        engine = cls(manifest.dim, policy=policy, source=source)
        engine._set_state(persistence.load(contents))
        engine.epoch, engine.last_id, engine.saved = manifest.epoch, manifest.last_id, manifest
        engine.measured = dict(manifest.measured)
        return engine

    def __len__(self) -> int:
        return len(self._snapshot)

    @property
    def tier(self) -> Tier:
        """How it is searched now: exactly too while codes are being made."""
        return self._tier(self._snapshot)

    def _tier(self, snapshot: Snapshot) -> Tier:
        return "exact" if self._lacks_codes(snapshot) else self.policy.tier(len(snapshot.rows))

    @property
    def lacks_codes(self) -> bool:
        """Whether it is large enough for codes, and too many rows have none."""
        return self._lacks_codes(self._snapshot)

    def _lacks_codes(self, snapshot: Snapshot) -> bool:
        if self.policy.tier(len(snapshot.rows)) == "exact":
            return False
        return not snapshot.coded or len(snapshot.rows) - snapshot.coded > self.policy.uncoded_rows

    @property
    def unmapped(self) -> int:
        """How many rows lie in memory, not in a file that is mapped."""
        return len(self._snapshot.rows.tail)

    # -- writing ------------------------------------------------------------------------------------------------

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Append rows: chunks of (vector ids (n,), ascending, content ids (n,), vectors float16 (n, dim))."""
        for vector_ids, ids, vectors in chunks:
            if not len(ids):
                continue
            entries = np.zeros(len(ids), ENTRY)
            entries["vector"], entries["content"] = vector_ids, ids
            with self._writing:
                self._tail.extend(np.asarray(vectors, np.float16))
                self._entries.extend(entries)
                old = self._snapshot
                rows = RowStore(old.rows.mapped, self._tail.view, self._entries.view)
                self._snapshot = Snapshot.of(rows, old.lookup.deleted, old.codes, old.fine)
                self.last_id = int(vector_ids[-1])

    def retaining(self, vector_ids: VectorIds) -> LocalEngine:
        """This engine without the rows whose vector id is not among `vector_ids`, int64 (n,), sorted.

        An engine of its own, which shares what is in memory until either grows: who reads this one goes on with it.
        """
        snapshot = self._snapshot
        held = snapshot.rows.vector_ids
        places = np.minimum(np.searchsorted(vector_ids, held), len(vector_ids) - 1)
        live = vector_ids[places] == held if len(vector_ids) else np.zeros(len(held), np.bool_)
        engine = LocalEngine(self.dim, policy=self.policy, source=self._source)
        engine._set_state(Snapshot.of(snapshot.rows, np.flatnonzero(~live), snapshot.codes, snapshot.fine))
        engine.epoch, engine.last_id = self.epoch, int(held[live].max(initial=0))
        engine.saved, engine.measured = self.saved, self.measured
        return engine

    def encode(self) -> None:
        """Make the one-bit codes that are missing, where the policy wants any; searches go on meanwhile."""
        with self._encoding:
            if self.policy.tier(len(self._snapshot.rows)) != "compressed":
                return
            codes = self._snapshot.codes
            quantizer = Quantizer(self.dim, sample=self.sample(CENTROID_ROWS)[1]) if codes is None else codes.quantizer
            while True:
                snapshot = self._snapshot
                rows = np.arange(snapshot.coded, min(snapshot.coded + CHUNK, len(snapshot.rows)))
                if not len(rows):
                    return
                try:
                    vectors = snapshot.rows.take(rows)
                except DamagedRowsError:
                    self._rebuild(snapshot)
                    return
                if not self._extend_codes(snapshot, quantizer, quantizer.encode(vectors)):
                    return

    def _extend_codes(self, snapshot: Snapshot, quantizer: Quantizer, words: CodeWords) -> bool:
        """Append codes of rows that have none in a snapshot; False where the codes changed meanwhile."""
        with self._writing:
            now = self._snapshot
            if now.codes is not snapshot.codes or now.rows.mapped is not snapshot.rows.mapped:
                return False
            if self._codes is None:
                self._codes = GrowableArray(np.empty((0, quantizer.words), np.uint64))
            self._codes.extend(words)
            codes = OneBitCodes(quantizer, self._codes.view)
            self._snapshot = Snapshot(now.rows, now.lookup, codes, now.fine, now.watch)
            return True

    # -- on disk ------------------------------------------------------------------------------------------------

    def save(self, files: IndexFiles, space_key: str) -> None:
        """Bring the files up to this engine; see `persistence.save`. Others read and add meanwhile.

        Raises:
            OSError: see `persistence.save`, or as for `scores`.
        """
        with self._saving:
            while True:
                with self._writing:
                    snapshot, saved = self._snapshot, self.saved
                    space = SpaceInfo(space_key, self.epoch, self.last_id, self.measured)
                try:
                    manifest, written = persistence.save(
                        snapshot, files, space, saved, max_deleted_share=self.policy.max_deleted_share
                    )
                    snapshot.check()
                except DamagedRowsError:
                    self._rebuild(snapshot)
                    continue
                self._adopt(manifest, written, instead_of=snapshot)
                return

    def _adopt(self, manifest: Manifest, written: Snapshot, *, instead_of: Snapshot) -> None:
        """Read rows from the file that they are in now, and no longer from memory."""
        with self._writing:
            now = self._snapshot
            if now.rows.mapped is not instead_of.rows.mapped:  # made again meanwhile: from memory, until the next save
                return
            added = len(now.rows) - len(instead_of.rows)
            if added:
                entries = np.concatenate([written.rows.entries, now.rows.entries[-added:]])
                rows = RowStore(written.rows.mapped, now.rows.tail[-added:], entries)
                written = Snapshot.of(rows, written.lookup.deleted, written.codes, written.fine)
            self._set_state(written)
            self.saved = manifest

    @property
    def is_saved(self) -> bool:
        """Whether its files hold all that it holds."""
        saved, snapshot = self.saved, self._snapshot
        if saved is None:
            return False
        rows, fine = len(snapshot.rows), len(snapshot.rows) if snapshot.coded else 0
        held = (rows, len(snapshot.lookup.deleted), snapshot.coded, fine, self.epoch, self.last_id)
        return held == (saved.rows, saved.dead, saved.coded, saved.fine, saved.epoch, saved.last_id)

    def verify(self) -> bool:
        """Whether every row is what was written, and every four-bit code; reads all that nobody read yet."""
        snapshot = self._snapshot
        try:
            snapshot.rows.verify(np.arange(len(snapshot.rows)))
        except DamagedRowsError:
            return False
        return snapshot.fine is None or bool(snapshot.fine.verified(np.arange(len(snapshot.fine))).all())

    @property
    def vector_ids(self) -> VectorIds:
        """Vector ids of its rows, deleted ones too, int64 (n,), ascending."""
        return self._snapshot.rows.vector_ids

    def holds(self, rows: VectorRows) -> bool:
        """Whether it holds these rows of the database, see `RowStore.holds`."""
        return self._snapshot.rows.holds(rows)

    def _rebuild(self, damaged: Snapshot) -> None:
        """Make the rows again from their source, unless another thread did so since a snapshot."""
        with self._rebuilding:
            if self._snapshot.rows.mapped is not damaged.rows.mapped:
                return
            if self._source is None:
                raise OSError("the rows of a vector index are damaged, and there is nothing to make them from again")
            log.warning("a vector index of %d rows is damaged; it is made again", len(self))
            fresh = LocalEngine(self.dim, policy=self.policy)
            fresh.add(self._source())
            with self._writing:
                self._set_state(fresh._snapshot)
                self.saved, self.last_id = None, fresh.last_id

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def ids(self) -> Ids:
        """Content ids by row, see `VectorEngine.ids`."""
        return self._snapshot.lookup.ids

    def held(self, ids: Ids) -> Ids:
        """Those of the content ids that have a vector here, see `VectorEngine.held`."""
        return ids[self._snapshot.lookup.rows_of(ids) >= 0]

    def scores(self, queries: Floats, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        """Cosines of every vector, or of those wanted; see `VectorEngine.scores`."""
        queries = self._checked(queries)

        def read(snapshot: Snapshot) -> tuple[Ids, Floats]:
            lookup = snapshot.lookup
            if only is None:
                return lookup.ids, snapshot.rows.cosines(lookup.all_rows(), queries)
            rows = lookup.rows_of(only)
            if (rows < 0).any():
                rows = rows[rows >= 0]
            return snapshot.rows.entries["content"][rows], snapshot.rows.cosines(rows, queries)

        return self._read(read)

    def shortlist(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]] = (), *, wanted: int = 0,
        only: Ids | None = None, absent: Ids | None = None,
    ) -> Ids | None:  # fmt: skip
        """Content ids that are worth scoring, None to score all; see `VectorEngine.shortlist`."""
        queries = self._checked(queries)
        if not len(queries) or (only is not None and len(only) <= self.policy.subset_rows):
            return None

        def read(snapshot: Snapshot) -> Ids | None:
            if self._tier(snapshot) == "exact":
                return None
            from store.vectors.shortlist import shortlist  # opening an index needs none of it

            return shortlist(
                snapshot, queries, groups, policy=self.policy, wanted=wanted, only=only, absent=absent
            )  # fmt: skip

        return self._read(read)

    def vectors_of(self, ids: Ids) -> Floats:
        """Vectors of content ids, see `VectorEngine.vectors_of`."""
        ids = np.asarray(ids, np.int64)

        def read(snapshot: Snapshot) -> Floats:
            rows = snapshot.lookup.rows_of(ids)
            absent = ids[rows < 0]
            if len(absent):
                raise KeyError(int(absent[0]))
            return snapshot.rows.take(rows).astype(np.float32)

        return self._read(read)

    def sample(self, count: int, *, without: Ids | None = None, seed: int = 0) -> tuple[Ids, Floats]:
        """Vectors chosen at random, see `VectorEngine.sample`."""

        def read(snapshot: Snapshot) -> tuple[Ids, Floats]:
            ids = snapshot.lookup.ids
            places = np.arange(len(ids)) if without is None else np.flatnonzero(~np.isin(ids, without))
            chosen = np.random.default_rng(seed).choice(len(places), min(count, len(places)), replace=False)
            places = places[np.sort(chosen)]
            return ids[places], snapshot.rows.take(snapshot.lookup.all_rows()[places]).astype(np.float32)

        return self._read(read)

    def warm(self) -> None:
        """Compile the kernels that a search uses, see `VectorEngine.warm`."""
        if len(self._snapshot.rows) * self.dim > exact.WORTH_COMPILING:
            exact.prepare()
        if self.tier != "exact":
            one_bit_codes.prepare()
            four_bit_codes.prepare()

    def _read(self, read: Callable[[Snapshot], _Result]) -> _Result:
        """The result of `read` on the current snapshot; on a rebuilt one where that turns out damaged."""
        while True:
            snapshot = self._snapshot
            try:
                snapshot.check()
                found = read(snapshot)
                snapshot.check()
                return found
            except DamagedRowsError:
                self._rebuild(snapshot)

    def _checked(self, queries: Floats) -> Floats:
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ValueError(f"queries have shape {queries.shape}; this index wants (m, {self.dim})")
        return np.ascontiguousarray(queries, np.float32)
