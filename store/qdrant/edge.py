"""Qdrant's engine in this process: a shard in the library's own folder. For tests and for one machine."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock

from store.arrays import Doubles, Floats, Ids
from store.errors import LibraryError, VectorServiceError
from store.files import file_mode
from store.images.disk_usage import flat_bytes
from store.qdrant.adapter import INDEXES, META_POINT, UPSERTED, Filter, Payload, Point, Search

try:
    import qdrant_edge as edge
except ImportError as error:
    raise LibraryError(
        "This library keeps its vectors in Qdrant's engine, which is not installed. "
        'Install it: pip install "sightline[cluster]"'
    ) from error

from store.qdrant.edge_filters import edge_filter

log = logging.getLogger(__name__)

FOLDER: Final = "qdrant"
"""The name of the shard's folder in that of the library."""

# Graphs are made of segments that are larger, kB: a scan of fewer vectors costs less, see `policy`.
_INDEXING_KB: Final = 300_000
_open: dict[Path, EdgeAdapter] = {}
_opening = threading.Lock()


class EdgeAdapter:
    """A shard in a folder; see `Adapter`. One process may have it open, and shares it in itself."""

    def __init__(self, folder: Path) -> None:
        """Use `open`."""
        self._folder = folder
        self._users = 0
        self._changing = threading.RLock()
        # A load that the engine itself refuses leaves the shard of who has it open unable to flush.
        self._lock = FileLock(folder.with_suffix(".lock"), blocking=False, mode=file_mode(folder.parent))
        try:
            self._lock.acquire()
        except TimeoutError:
            raise VectorServiceError(
                f"Another process has the vectors in {folder} open, and Qdrant's engine in a process serves one at a "
                "time. Stop the other, or use a Qdrant server: --vectors http://HOST:6333"
            ) from None
        except OSError as error:
            raise VectorServiceError(
                f"{folder.with_suffix('.lock')} can't be written ({error.strerror}): Qdrant's engine has to "
                "write to the library's folder. Change its permissions, or use a server: --vectors http://HOST:6333"
            ) from error
        self._shard: Any = self._load()

    @classmethod
    def open(cls, folder: Path) -> EdgeAdapter:
        """The shard of a folder, which need not be there yet. Close it as often as it was opened.

        Raises:
            VectorServiceError: another process has it open.
        """
        folder = folder.absolute()
        with _opening:
            found = _open.get(folder)
            if found is None or found.is_lost:
                if found is not None:
                    found._close()
                    found._lock.release()
                found = _open[folder] = cls(folder)
            found._users += 1
        return found

    def close(self) -> None:
        """Let go of it; the last user flushes and closes it."""
        with _opening:
            self._users -= 1
            if self._users > 0:
                return
            if _open.get(self._folder) is self:
                del _open[self._folder]
            self._close()
            self._lock.release()

    def _close(self) -> None:
        with self._changing:
            shard, self._shard = self._shard, None
            if shard is not None:
                shard.close()

    @property
    def is_lost(self) -> bool:
        """Whether its folder was removed."""
        return self._shard is not None and not self._folder.exists()

    def _load(self) -> Any:
        if not (self._folder / "edge_config.json").exists():
            return None
        try:
            return edge.EdgeShard.load(str(self._folder))
        except Exception as error:  # noqa: BLE001 - qdrant_edge raises nothing narrower
            log.warning("the vectors in %s can't be read (%s); they are made again", self._folder, error)
            return None

    @property
    def shard(self) -> Any:
        """The shard of `qdrant_edge`."""
        shard = self._shard
        if shard is None:
            raise VectorServiceError(
                f"The vectors in {self._folder} are not open: the library was closed, or never read."
            )
        return shard

    def names(self) -> Mapping[str, int] | None:
        """See `Adapter.names`."""
        if self._shard is None:
            return None
        config = json.loads((self._folder / "edge_config.json").read_bytes())
        return {name: int(params["size"]) for name, params in config["vectors"].items()}

    def remove(self) -> None:
        """Close it and remove its folder."""
        with self._changing:
            self._close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def create(self, names: Mapping[str, int], facts: Mapping[str, str]) -> None:
        """See `Adapter.create`."""
        with self._changing:
            self.remove()
            vectors = {name: _params(dim) for name, dim in names.items()}
            optimizers = edge.EdgeOptimizersConfig(indexing_threshold=_INDEXING_KB)
            try:
                self._folder.mkdir(mode=0o700, parents=True)
                self._shard = edge.EdgeShard.create(
                    str(self._folder), edge.EdgeConfig(vectors=vectors, optimizers=optimizers)
                )
            except Exception as error:  # as above
                raise VectorServiceError(
                    f"The vectors can't be written to {self._folder} ({error}). Change the permissions of its folder, "
                    "or make room on its disk."
                ) from error
            for key, kind in {**INDEXES, **facts}.items():
                self.add_index(key, kind)

    def add_index(self, key: str, kind: str) -> None:
        """Index a key of the payload."""
        self._update(edge.UpdateOperation.create_field_index(key, _index(key, kind)))

    def add_name(self, name: str, dim: int) -> None:
        """See `Adapter.add_name`."""
        made = edge.UpdateOperation.create_dense_vector(
            name, dim, edge.Distance.Dot, None, edge.VectorStorageDatatype.Float16
        )
        self._update(made)

    def remove_name(self, name: str) -> None:
        """See `Adapter.remove_name`."""
        self._update(edge.UpdateOperation.delete_vector_name(name))

    def _update(self, operation: Any) -> None:
        with self._changing:
            try:
                self.shard.update(operation)
            except VectorServiceError:
                raise
            except Exception as error:
                raise VectorServiceError(
                    f"The vectors in {self._folder} can't be changed ({error}). Make room on the disk, or remove that "
                    "folder: it is made again from the library."
                ) from error

    def upsert(self, points: Sequence[Point]) -> None:
        """See `Adapter.upsert`."""
        for start in range(0, len(points), UPSERTED):
            some = [
                edge.Point(
                    id=point.id, payload=point.payload,
                    vector={name: vector.astype(np.float32).tolist() for name, vector in point.vectors.items()},
                )
                for point in points[start : start + UPSERTED]
            ]  # fmt: skip
            self._update(edge.UpdateOperation.upsert_points(some))

    def delete(self, ids: Sequence[int]) -> None:
        """See `Adapter.delete`."""
        if ids:
            self._update(edge.UpdateOperation.delete_points(list(ids)))

    def overwrite(self, ids: Sequence[int], payload: Payload) -> None:
        """See `Adapter.overwrite`."""
        self._update(edge.UpdateOperation.overwrite_payload(list(ids), payload))

    def set_meta(self, meta: Payload) -> None:
        """See `Adapter.set_meta`."""
        self._update(edge.UpdateOperation.upsert_points([edge.Point(id=META_POINT, vector={}, payload=meta)]))

    def meta(self) -> Payload | None:
        """See `Adapter.meta`."""
        if self._shard is None:
            return None
        found = self.shard.retrieve([META_POINT], with_payload=True, with_vector=False)
        return dict(found[0].payload) if found else None

    def count(self, filter_: Filter | None) -> int:
        """See `Adapter.count`."""
        return int(self.shard.count(edge.CountRequest(exact=True, filter=edge_filter(filter_))))

    def search(self, search: Search) -> list[tuple[Ids, Floats]]:
        """See `Adapter.search`."""
        params = edge.SearchParams(exact=search.ef is None, hnsw_ef=search.ef)
        filter_ = edge_filter(search.filter)
        requests = [
            edge.QueryRequest(
                limit=search.limit, query=edge.Query.Nearest(query, using=search.name), filter=filter_,
                score_threshold=search.floor, params=params, with_payload=False, with_vector=False,
            )
            for query in search.queries.tolist()
        ]  # fmt: skip
        found = self.shard.query_batch(edge.QueryBatchRequest(requests))
        return [
            (
                np.fromiter((point.id for point in points), np.int64, len(points)),
                np.fromiter((point.score for point in points), np.float32, len(points)),
            )
            for points in found
        ]

    def retrieve(self, ids: Sequence[int], name: str) -> tuple[Ids, Floats, Doubles]:
        """See `Adapter.retrieve`."""
        records = self.shard.retrieve(list(ids), with_payload=["gone"], with_vector=[name])
        records = [record for record in records if name in record.vector]
        vectors = np.array([record.vector[name] for record in records], np.float32)
        gone = np.array([(record.payload or {}).get("gone", np.nan) for record in records], np.float64)
        return np.array([record.id for record in records], np.int64), vectors, gone

    def scroll(self, filter_: Filter | None, *, payload: bool, vectors: bool, page: int) -> Iterator[list[Point]]:
        """See `Adapter.scroll`."""
        offset, wanted = META_POINT + 1, edge_filter(filter_)
        while offset is not None:
            request = edge.ScrollRequest(
                offset=offset, limit=page, filter=wanted, with_payload=payload, with_vector=vectors
            )
            records, offset = self.shard.scroll(request)
            yield [
                Point(record.id, _halves(record.vector) if vectors else {}, dict(record.payload or {}))
                for record in records
            ]

    def flush(self) -> None:
        """See `Adapter.flush`."""
        with self._changing:
            try:
                self.shard.flush()
            except VectorServiceError:
                raise
            except Exception as error:  # noqa: BLE001 - qdrant_edge raises nothing narrower
                # What was acknowledged lies in its log: it is read from there again.
                log.warning("the vectors in %s can't be flushed (%s); they are opened again", self._folder, error)
                self._close()
                self._shard = self._load()

    def optimize(self) -> None:
        """See `Adapter.optimize`."""
        with self._changing:
            self.shard.optimize()

    def indexed(self) -> int:
        """How many vectors lie in graphs."""
        return int(self.shard.info().indexed_vectors_count)

    def disk_bytes(self) -> int:
        """See `Adapter.disk_bytes`."""
        folders = [each for each in self._folder.rglob("*") if each.is_dir()] if self._folder.exists() else []
        return sum(flat_bytes(each) for each in (self._folder, *folders))


def _params(dim: int) -> Any:
    return edge.EdgeVectorParams(size=dim, distance=edge.Distance.Dot, datatype=edge.VectorStorageDatatype.Float16)


def _index(key: str, kind: str) -> Any:
    if key == "photos[].name":
        return edge.KeywordIndexParams(prefix=True)  # with which parts of names are found in the index
    makers: dict[str, Callable[[], Any]] = {
        "keyword": edge.KeywordIndexParams,
        "integer": lambda: edge.IntegerIndexParams(lookup=True, range=True),
        "float": edge.FloatIndexParams,
        "geo": edge.GeoIndexParams,
    }
    return makers[kind]()


def _halves(vectors: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: np.array(vector, np.float16) for name, vector in (vectors or {}).items()}
