"""Inverted lists (IVF) over FAISS's one-bit codes: the third tier that Sightline lacks, for scale.py.

FAISS's `IndexIVFRaBitQFastScan` brings candidates from the lists nearest to a query; those are scored exactly, in half
precision, from a mapped file of the rows beside the index, by the kernel that the other tiers use.

Lists: four times the root of the rows. Their centres are of unit length, as FAISS makes them for inner products, and
found from 50 rows a list in ten rounds; fewer than 39 FAISS warns of. A graph of the centres (HNSW, M 32, efSearch 32)
says which is nearest to a row, there and when rows are added: of 4,000 centres it found the right one for 99.4 % of the
rows, and training took 47 s where comparing with every centre took 111. A query is compared with all of them.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from scale_base import Engine
from scale_data import EXTRA, TOP, Data

from store.arrays import Floats, Ids
from store.vectors.exact import cosines, prepare
from store.vectors.policy import DEFAULT
from store.vectors.top_k import top_k

TRAINED: Final = 50  # rows a list
ROUNDS: Final = 10  # FAISS's own number of them for an IVF
ROWS: Final = "vectors.f16"


class Setting(NamedTuple):
    """How much a search reads: one in so many lists, and one in so many of our own tier's candidates."""

    lists: int
    candidates: int

    def __str__(self) -> str:
        return f"1/{self.lists} of the lists" + (f", candidates / {self.candidates}" if self.candidates > 1 else "")


class Lists(Engine):
    """FAISS's lists, one bit a dimension, turned at random first; our exact scores of what they bring.

    FAISS searches for one query on one core, whatever `parallel_mode` says. `implem` 14, which shares lists among
    threads, gained a fifth on quiet cores and lost a quarter on busy ones (docs/benchmarks.md).
    """

    module = "faiss"
    label = ""
    variants: ClassVar = (
        Setting(8, 2), Setting(6, 3), Setting(12, 2), Setting(8, 5), Setting(16, 3), Setting(16, 5), Setting(32, 5),
    )  # fmt: skip

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        import faiss

        self.faiss: Any = faiss  # its stubs lack the Python side of many classes
        # The kernel is compiled once a process, not once an index.
        prepare()

    @staticmethod
    def memory(count: int, dim: int) -> int:
        lists = _lists(count)
        return count * (dim // 8 + 32) + lists * dim * 4 * (TRAINED + 2)

    def build(self, data: Data, folder: Path) -> None:
        faiss, count = self.faiss, data.facts["count"]
        lists = _lists(count)
        turn = faiss.RandomRotationMatrix(self.dim, self.dim)
        turn.init(1)
        graph = faiss.IndexHNSWFlat(self.dim, 32, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = 100, 32
        centres = faiss.Clustering(self.dim, lists)
        centres.spherical, centres.niter, centres.max_points_per_centroid = True, ROUNDS, TRAINED
        picked = np.sort(np.random.default_rng(1).choice(count, min(count, TRAINED * lists), replace=False))
        sample = np.empty((len(picked), self.dim), np.float32)
        for start, rows in data.chunks():
            first, end = np.searchsorted(picked, (start, start + len(rows)))
            sample[first:end] = turn.apply(rows[picked[first:end] - start].astype(np.float32))
        centres.train(sample, graph)
        index = faiss.IndexIVFRaBitQFastScan(graph, self.dim, lists, faiss.METRIC_INNER_PRODUCT)
        index.train(sample[:TRAINED])  # the centres are there, and codes of one bit learn nothing
        del sample
        for start, rows in data.chunks():
            index.add_with_ids(turn.apply(rows.astype(np.float32)), np.arange(start, start + len(rows)))
        every = faiss.IndexFlatIP(self.dim)
        every.add(faiss.vector_to_array(centres.centroids).reshape(lists, self.dim))
        index.quantizer = every
        faiss.write_index(faiss.IndexPreTransform(turn, index), str(folder / "index.faiss"))
        os.link(data.folder / ROWS, folder / ROWS)

    def open(self, folder: Path) -> None:
        self.index = self.faiss.read_index(str(folder / "index.faiss"))
        self.inner = self.faiss.downcast_index(self.faiss.extract_index_ivf(self.index))
        self.count = self.inner.ntotal
        self.rows = np.memmap(folder / ROWS, np.float16, "r", shape=(self.count, self.dim))
        self.more = np.empty((0, self.dim), np.float16)

    def set(self, variant: Setting) -> None:
        self.fewer = variant.candidates
        self.inner.nprobe = max(1, self.inner.nlist // variant.lists)

    def search(self, query: Floats) -> Ids:
        return self._best(query, self._candidates(query))

    def filtered(self, query: Floats, kept: Ids) -> Ids:
        if len(kept) <= DEFAULT.subset_rows:
            return self._best(query, kept - 1)
        mask = np.zeros(self.count + EXTRA + 8, bool)
        mask[kept - 1] = True
        selector = self.faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        own = self.faiss.SearchParametersIVF(sel=selector, nprobe=self.inner.nprobe)
        return self._best(query, self._candidates(query, self.faiss.SearchParametersPreTransform(index_params=own)))

    def add(self, ids: Ids, vectors: Floats) -> None:
        self.index.add_with_ids(vectors, ids - 1)
        self.more = np.concatenate([self.more, vectors.astype(np.float16)])

    def remove(self, ids: Ids) -> None:
        self.index.remove_ids(ids - 1)

    def _candidates(self, query: Floats, parameters: Any = None) -> Ids:
        """Rows that may be the nearest, in their order: as many as our own tier finds of such a set, or fewer."""
        wanted = DEFAULT.candidates(self.count, TOP, filtered=parameters is not None) // self.fewer
        self.faiss.omp_set_num_threads(1)  # FAISS keeps it for each thread
        found = self.index.search(query[None], wanted, params=parameters)[1][0]
        return np.sort(found[found >= 0])

    def _best(self, query: Floats, rows: Ids) -> Ids:
        edge = int(np.searchsorted(rows, self.count))
        scores = cosines(self.rows, rows[:edge], query[None])[0]
        if edge < len(rows):
            scores = np.concatenate([scores, cosines(self.more, rows[edge:] - self.count, query[None])[0]])
        return rows[top_k(rows, scores, TOP)] + 1


def _lists(count: int) -> int:
    return 4 * math.isqrt(count)
