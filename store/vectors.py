"""The vector index: derived from the tables, disposable, checked before use.

Exact search in half precision. `IndexScalarQuantizer(QT_fp16)` holds the very numbers that SQLite holds, in memory and
on disk, and needs no training; `store.scoring` reads them at the memory's speed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.catalog import Catalog, SpaceState
from store.files import replace_file
from store.scoring import RowNumbers, cosines
from store.turns import Turns

log = logging.getLogger(__name__)

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]

FORMAT = 1


def _faiss() -> Any:
    """FAISS, when it is first needed: importing it takes longer than all else that `status` does."""
    import faiss

    return faiss


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index file was made from. Any mismatch with the catalog or the file means: rebuild."""

    format: int
    space: str
    dim: int
    epoch: int
    last_id: int
    count: int
    sha256: str


class VectorIndex:
    """The vectors of one space in memory, by content id. Safe for use from several threads, which read at once."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.epoch = 0
        self.last_id = 0
        self.saved_id = -1  # `last_id` of the file it was read from or written to
        # Adding may move all the rows in memory.
        self._turns = Turns()
        self._rows: RowNumbers | None = None
        faiss = _faiss()
        self._index: Any = faiss.IndexIDMap(
            faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        )

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, chunks: Iterable[tuple[int, Ids, NDArray[np.float16]]]) -> None:
        """Append rows: chunks of (highest vector id, content ids (n,), vectors (n, dim))."""
        for last_id, ids, vectors in chunks:
            with self._turns.writing():
                self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids))
                self.last_id = last_id
                self._rows = None

    @property
    def ids(self) -> Ids:
        """Content ids by row, int64 (n,), not to be written to."""
        with self._turns.reading():
            return self._located().ids

    def _located(self) -> RowNumbers:
        """Which row holds what; only for a reader. Two readers may both make it, to the same effect."""
        rows = self._rows
        if rows is None:
            rows = self._rows = RowNumbers(np.array(_faiss().vector_to_array(self._index.id_map), np.int64))
        return rows

    def _matrix(self) -> NDArray[np.float16]:
        """The rows as float16 (n, dim): a view into the index, valid only while reading."""
        faiss = _faiss()
        quantizer: Any = faiss.downcast_index(self._index.index)
        count = len(self) * self.dim * 2
        codes = faiss.rev_swig_ptr(quantizer.codes.data(), count) if count else np.empty(0, np.uint8)
        return codes.view(np.float16).reshape(-1, self.dim)

    def scores(self, queries: Floats, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        """Cosines of every row, or of those wanted, to unit queries; see `scoring.cosines` for their accuracy.

        Args:
            queries: float32 (m, dim), unit rows; m may be 0.
            only: content ids, without repeats; those that have no vector here are left out. None for all.

        Returns:
            Content ids int64 (n,), in the order of `only` or else of the rows, and cosines float32 (m, n).

        Raises:
            ValueError: the queries do not have this index's dimension.
        """
        queries = self._checked(queries)
        with self._turns.reading():
            located = self._located()
            if only is None:
                return located.ids, cosines(self._matrix(), np.arange(len(located.ids)), queries)
            rows = located.of(only)
            if (rows < 0).any():
                rows = rows[rows >= 0]
            return located.ids[rows], cosines(self._matrix(), rows, queries)

    def vectors_of(self, ids: Ids) -> Floats:
        """Vectors float32 (n, dim) of content ids, in their order.

        Raises:
            KeyError: an id has no vector here.
        """
        ids = np.asarray(ids, np.int64)
        with self._turns.reading():
            rows = self._located().of(ids)
            absent = ids[rows < 0]
            if len(absent):
                raise KeyError(int(absent[0]))
            return self._matrix()[rows].astype(np.float32)

    def sample(self, count: int, *, without: Ids | None = None, seed: int = 0) -> tuple[Ids, Floats]:
        """Content ids int64 (n,) and vectors float32 (n, dim) of rows chosen at random, all where there are fewer.

        The same for the same seed and the same rows. `without`: content ids never to choose.
        """
        with self._turns.reading():
            ids = self._located().ids
            rows = np.arange(len(ids)) if without is None else np.flatnonzero(~np.isin(ids, without))
            chosen = np.random.default_rng(seed).choice(len(rows), min(count, len(rows)), replace=False)
            rows = rows[np.sort(chosen)]
            return ids[rows], self._matrix()[rows].astype(np.float32)

    def _checked(self, queries: Floats) -> Floats:
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ValueError(f"queries have shape {queries.shape}; this index wants (m, {self.dim})")
        return np.ascontiguousarray(queries, np.float32)

    def save(self, path: Path, space_key: str) -> None:
        """Write the index file, then its manifest; each replaced whole: a crash between leaves a mismatch, not a lie.

        Raises:
            OSError: the disk is full or the folder can't be written; the old files are still there.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._turns.reading():
            replace_file(path, self._write)
            manifest = Manifest(FORMAT, space_key, self.dim, self.epoch, self.last_id, len(self), _sha256(path))
        text = json.dumps(asdict(manifest), indent=1)
        replace_file(path.with_suffix(".json"), lambda temporary: _write_text(temporary, text))
        self.saved_id = manifest.last_id

    def _write(self, path: Path) -> None:
        # Through a file of Python's: FAISS's own takes no path that is not text, and hides a full disk.
        try:
            with path.open("wb") as file:
                _faiss().write_index(self._index, _faiss().PyCallbackIOWriter(file.write))
        except RuntimeError as error:
            raise OSError(f"the vector cache {path} can't be written: {error}") from error

    @classmethod
    def load(cls, path: Path, space: SpaceState) -> VectorIndex | None:
        """The index saved at `path` if it was made from this space's rows and no bit of it changed; else None."""
        try:
            manifest = Manifest(**json.loads(path.with_suffix(".json").read_text()))
            expected = (FORMAT, space.key, space.dim, space.epoch)
            if (manifest.format, manifest.space, manifest.dim, manifest.epoch) != expected:
                return None
            if manifest.last_id > space.last_id or manifest.count > space.count or _sha256(path) != manifest.sha256:
                return None
            with path.open("rb") as file:
                loaded: Any = _faiss().read_index(_faiss().PyCallbackIOReader(file.read))
        except FileNotFoundError:
            return None
        # A damaged cache is no error: whatever is wrong with it, it is made again.
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            log.warning("the vector cache %s can't be read (%s); it is made again", path, error)
            return None
        if loaded.ntotal != manifest.count or loaded.d != space.dim:
            return None
        index = cls(space.dim)
        index._index = loaded
        index.epoch, index.last_id, index.saved_id = manifest.epoch, manifest.last_id, manifest.last_id
        return index


class VectorCache:
    """Vector indexes by space: loaded once, brought up to date with the catalog on each use."""

    def __init__(self, folder: Path, catalog: Catalog, *, readonly: bool) -> None:
        self._folder = folder
        self._catalog = catalog
        self._readonly = readonly
        self._lock = threading.Lock()
        self._indexes: dict[int, tuple[int, VectorIndex]] = {}  # by space: the generation it was checked at, the index

    def path(self, space_id: int) -> Path:
        """Where the index file of a space lies."""
        return self._folder / f"space-{space_id}.faiss"

    def get(self, space_id: int) -> VectorIndex:
        """The index of a space, holding every vector committed by now."""
        generation = self._catalog.generation()
        with self._lock:
            checked, index = self._indexes.get(space_id, (-1, None))
            if index is not None and checked == generation:
                return index
            index = self._current(index, self._catalog.space_state(space_id))
            self._indexes[space_id] = (generation, index)
            return index

    def _current(self, index: VectorIndex | None, state: SpaceState) -> VectorIndex:
        if index is None or not _extends(index, state):
            index = VectorIndex.load(self.path(state.id), state)
        if index is None or not _extends(index, state):
            log.info("building the vector index of space %s from %d vectors", state.key, state.count)
            index = VectorIndex(state.dim)
            index.epoch = state.epoch
        if index.last_id < state.last_id:
            index.add(self._catalog.vectors_after(state.id, state.dim, index.last_id))
        return index

    def save(self, space_id: int) -> None:
        """Write the index of a space to its file, unless the file is already of this state.

        Raises:
            OSError: see `VectorIndex.save`.
        """
        if self._readonly:
            return
        index = self.get(space_id)
        if index.saved_id != index.last_id:
            index.save(self.path(space_id), self._catalog.space_state(space_id).key)

    def is_current(self, space_id: int) -> bool:
        """Whether the index file of a space is undamaged and holds every vector committed by now."""
        state = self._catalog.space_state(space_id)
        saved = VectorIndex.load(self.path(space_id), state)
        return saved is not None and saved.last_id == state.last_id and len(saved) == state.count


def _extends(index: VectorIndex, state: SpaceState) -> bool:
    """Whether the catalog's rows are this index's rows, or those and more."""
    return index.epoch == state.epoch and index.last_id <= state.last_id and len(index) <= state.count


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
