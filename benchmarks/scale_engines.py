"""What scale.py compares, each behind the same few calls.

Settings are the usual ones: those of the projects' own examples and defaults, and of ann-benchmarks' middle. FAISS gets
one thread for a search, since it shares queries among threads and not rows.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scale_base import Engine
from scale_data import EXTRA, TOP, Data
from scale_lists import Lists

from store.arrays import Floats, Ids
from store.vectors.exact import prepare
from store.vectors.index_files import IndexFiles
from store.vectors.local import LocalEngine
from store.vectors.policy import DEFAULT
from store.vectors.top_k import nearest

SAVE_EVERY = 500_000  # rows; a multiple of CHUNK


class Flat(Engine):
    """FAISS, exact, in single precision: what others are measured against."""

    module = "faiss"

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        import faiss

        self.faiss: Any = faiss  # its stubs lack the Python side of many classes
        self.index = self.empty()

    @staticmethod
    def memory(count: int, dim: int) -> int:
        return count * dim * 4

    def empty(self) -> Any:
        """The index with nothing in it."""
        return self.faiss.IndexIDMap2(self.faiss.IndexFlatIP(self.dim))

    def build(self, data: Data, folder: Path) -> None:
        for start, rows in data.chunks():
            self.index.add_with_ids(rows.astype(np.float32), np.arange(start + 1, start + len(rows) + 1))
        self.faiss.write_index(self.index, str(folder / "index.faiss"))

    def open(self, folder: Path) -> None:
        self.index = self.faiss.read_index(str(folder / "index.faiss"))
        self.faiss.omp_set_num_threads(1)

    def parameters(self, selector: Any) -> Any:
        """Search parameters with a selector, or None for it."""
        return self.faiss.SearchParameters(sel=selector)

    def search(self, query: Floats) -> Ids:
        self.faiss.omp_set_num_threads(1)  # FAISS keeps it for each thread
        return np.asarray(self.index.search(query[None], TOP)[1][0], np.int64)

    def filtered(self, query: Floats, kept: Ids) -> Ids:
        mask = np.zeros(self.index.ntotal + EXTRA + 8, bool)
        mask[kept] = True
        selector = self.faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        return np.asarray(self.index.search(query[None], TOP, params=self.parameters(selector))[1][0], np.int64)

    def add(self, ids: Ids, vectors: Floats) -> None:
        self.index.add_with_ids(vectors, ids)

    def remove(self, ids: Ids) -> None:
        self.index.remove_ids(ids)


class FaissHnsw(Flat):
    """FAISS's graph: M 32, efConstruction 100. Its graphs can't forget."""

    variants = (64, 256)
    remove = None  # type: ignore[assignment]

    @staticmethod
    def memory(count: int, dim: int) -> int:
        return count * (dim * 4 + 2 * 32 * 4 + 16)

    def empty(self) -> Any:
        graph = self.faiss.IndexHNSWFlat(self.dim, 32, self.faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = 100
        return self.faiss.IndexIDMap2(graph)

    def open(self, folder: Path) -> None:
        super().open(folder)
        self.graph = self.faiss.downcast_index(self.index.index)

    def set(self, variant: int) -> None:
        self.graph.hnsw.efSearch = self.ef = variant

    def parameters(self, selector: Any) -> Any:
        return self.faiss.SearchParametersHNSW(sel=selector, efSearch=self.ef)


class Hnswlib(Engine):
    """hnswlib: M 16, efConstruction 200, float32. A filter is a Python function, called for each row met."""

    module = "hnswlib"
    variants = (64, 256)

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        import hnswlib

        self.index = hnswlib.Index("ip", dim)

    @staticmethod
    def memory(count: int, dim: int) -> int:
        return count * (dim * 4 + 2 * 16 * 4 + 24)

    def build(self, data: Data, folder: Path) -> None:
        self.index.init_index(data.facts["count"], M=16, ef_construction=200)
        for start, rows in data.chunks():
            self.index.add_items(rows.astype(np.float32), np.arange(start + 1, start + len(rows) + 1))
        self.index.save_index(str(folder / "index.hnsw"))

    def open(self, folder: Path) -> None:
        self.index.load_index(str(folder / "index.hnsw"))

    def set(self, variant: int) -> None:
        self.index.set_ef(variant)

    def search(self, query: Floats) -> Ids:
        return np.asarray(self.index.knn_query(query, TOP, num_threads=1)[0][0], np.int64)

    def filtered(self, query: Floats, kept: Ids) -> Ids:
        inside = np.zeros(self.index.get_max_elements() + 1, bool)
        inside[kept] = True
        found: list[int] = []
        # It raises where it meets fewer than were asked for, and says not how many: ask for fewer.
        for count in (TOP, TOP // 2, 1):
            try:
                found = self.index.knn_query(query, count, num_threads=1, filter=lambda id_: bool(inside[id_]))[0][0]
                break
            except RuntimeError:
                continue
        return np.asarray(found, np.int64)

    def add(self, ids: Ids, vectors: Floats) -> None:
        self.index.resize_index(self.index.get_max_elements() + len(ids))
        self.index.add_items(vectors, ids)

    def remove(self, ids: Ids) -> None:
        for id_ in ids.tolist():
            self.index.mark_deleted(id_)


class Usearch(Engine):
    """usearch: connectivity 16, expansion 128 while adding, half precision. Its Python has no filters."""

    module = "usearch"
    variants = (64, 256)

    @staticmethod
    def memory(count: int, dim: int) -> int:
        return count * (dim * 2 + 2 * 16 * 5 + 40)

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        from usearch.index import Index

        self.index = Index(ndim=dim, metric="ip", dtype="f16", connectivity=16, expansion_add=128, expansion_search=64)

    def build(self, data: Data, folder: Path) -> None:
        for start, rows in data.chunks():
            self.index.add(np.arange(start + 1, start + len(rows) + 1), rows)
        self.index.save(folder / "index.usearch")

    def open(self, folder: Path) -> None:
        self.index.load(folder / "index.usearch")

    def set(self, variant: int) -> None:
        self.index.expansion_search = variant

    def search(self, query: Floats) -> Ids:
        return np.asarray(self.index.search(query, TOP, threads=1).keys, np.int64)

    def add(self, ids: Ids, vectors: Floats) -> None:
        self.index.add(ids, vectors.astype(np.float16))

    def remove(self, ids: Ids) -> None:
        self.index.remove(ids)


class Exact(Engine):
    """Ours: every row is scored, in half precision, from a mapped file."""

    module = "store"
    exact = True

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        limit = sys.maxsize if self.exact else 0
        self.policy = replace(DEFAULT, exact_rows=limit)
        # Kernels are compiled once a process, not once an index.
        index = LocalEngine(dim, policy=self.policy)
        rows = np.eye(dim, dtype=np.float16)
        index.add([(np.arange(1, dim + 1), np.arange(1, dim + 1), rows)])
        index.encode()
        index.warm()
        prepare()

    @staticmethod
    def memory(count: int, dim: int) -> int:
        return count * (dim * 2 + 64)

    def build(self, data: Data, folder: Path) -> None:
        index = LocalEngine(self.dim, policy=self.policy)
        files = IndexFiles(folder, 1)
        for start, rows in data.chunks():
            ids = np.arange(start + 1, start + len(rows) + 1)
            index.add([(ids, ids, rows)])
            index.encode()
            # As a long run of the indexer: what is saved is mapped, and no longer in memory.
            if start % SAVE_EVERY == 0:
                index.save(files, "made")
        index.save(files, "made")

    def open(self, folder: Path) -> None:
        files = IndexFiles(folder, 1)
        manifest = files.manifest()
        assert manifest is not None
        self.index = LocalEngine.from_files(files.read(manifest), policy=self.policy)

    def search(self, query: Floats) -> Ids:
        return nearest(self.index, query, TOP)[0]

    def filtered(self, query: Floats, kept: Ids) -> Ids:
        return nearest(self.index, query, TOP, only=kept)[0]

    def add(self, ids: Ids, vectors: Floats) -> None:
        self.index.add([(ids, ids, vectors.astype(np.float16))])

    def remove(self, ids: Ids) -> None:
        self.index = self.index.retaining(np.setdiff1d(self.index.ids, ids, assume_unique=True))


class Compressed(Exact):
    """Ours: one bit a dimension finds candidates, four bits the best of them, which are scored exactly."""

    exact = False

    @staticmethod
    def memory(count: int, dim: int) -> int:
        return count * (dim // 2 + dim // 8 + 80) + SAVE_EVERY * dim * 2


ENGINES: dict[str, type[Engine]] = {
    "Sightline, exact": Exact,
    "Sightline, compressed": Compressed,
    "IVF, one bit": Lists,
    "IndexFlatIP": Flat,
    "IndexHNSWFlat": FaissHnsw,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
}
