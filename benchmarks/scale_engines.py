"""What scale.py compares, each behind the same few calls, and the process that measures one of them.

    python benchmarks/scale_engines.py build|ask ENGINE DATA INDEX [SECONDS]

`build` makes ENGINE's index of the set in DATA in the folder INDEX; `ask` opens it again, in a process of its own, so
that what it holds in memory is what searching needs. Each prints one line of JSON. Memory is the growth of the resident
set over the process with everything imported, mapped files as far as they were read included.

ENGINE is a name of `ENGINES`. Settings are the usual ones: those of the projects' own examples and defaults, and of
ann-benchmarks' middle. FAISS gets one thread for a search, since it shares queries among threads and not rows.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scale_data import EXTRA, KINDS, SHARES, TOP, Data, Floats, Ids, recall

CLIENTS = 16


class Engine:
    """An index of one kind. Ids are those of the set: the row's number + 1.

    Attributes:
        module: what has to be installed.
        variants: what a search can be set to; the first is the usual.
    """

    module: ClassVar[str] = ""
    variants: ClassVar[Sequence[int]] = (0,)

    def __init__(self, dim: int) -> None:
        self.dim = dim

    @staticmethod
    def memory(count: int, dim: int) -> int:
        """Bytes that building or opening will need, roughly."""
        raise NotImplementedError

    def build(self, data: Data, folder: Path) -> None:
        """Make the index of a set and write it to `folder`."""
        raise NotImplementedError

    def open(self, folder: Path) -> None:
        """Read what `build` wrote."""
        raise NotImplementedError

    def set(self, variant: int) -> None:
        """Search as `variant` says from now on."""

    def search(self, query: Floats) -> Ids:
        """The ids of the `TOP` nearest of one query float32 (dim,), best first."""
        raise NotImplementedError

    # Whether it can: some can't search among some, and some can't forget.
    filtered: Callable[[Floats, Ids], Ids] | None = None
    remove: Callable[[Ids], None] | None = None

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Take more vectors, float32 (n, dim)."""
        raise NotImplementedError


class Flat(Engine):
    """FAISS, exact, in single precision: what others are measured against."""

    module = "faiss"

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        import faiss

        self.faiss = faiss
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
        return self.index.search(query[None], TOP)[1][0]

    def filtered(self, query: Floats, kept: Ids) -> Ids:  # type: ignore[override]
        mask = np.zeros(self.index.ntotal + EXTRA + 8, bool)
        mask[kept] = True
        selector = self.faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        return self.index.search(query[None], TOP, params=self.parameters(selector))[1][0]

    def add(self, ids: Ids, vectors: Floats) -> None:
        self.index.add_with_ids(vectors, ids)

    def remove(self, ids: Ids) -> None:  # type: ignore[override]
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
    """hnswlib: M 16, efConstruction 200, single precision. A filter is a Python function, called for each it meets."""

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
        return self.index.knn_query(query, TOP, num_threads=1)[0][0].astype(np.int64)

    def filtered(self, query: Floats, kept: Ids) -> Ids:  # type: ignore[override]
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

    def remove(self, ids: Ids) -> None:  # type: ignore[override]
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

    def remove(self, ids: Ids) -> None:  # type: ignore[override]
        self.index.remove(ids)


ENGINES: dict[str, type[Engine]] = {
    "IndexFlatIP": Flat,
    "IndexHNSWFlat": FaissHnsw,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
}


def resident(name: str = "VmRSS") -> int:
    """This process's resident set in bytes: now, or at its greatest (VmHWM); 0 where /proc is not there."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def built(engine: Engine, data: Data, folder: Path) -> dict[str, Any]:
    """Seconds of building and writing, bytes on disk, and the most memory that took."""
    before, begun = resident(), time.perf_counter()
    engine.build(data, folder)
    took = time.perf_counter() - begun
    disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"seconds": took, "disk": disk, "peak": max(0, resident("VmHWM") - before)}


def asked(engine: Engine, data: Data, folder: Path, limit: float) -> dict[str, Any]:
    """Everything that is measured of an index that is there; each kind of question takes at most `limit` seconds."""
    questions = data.questions
    query = questions["text"][0]
    full = _full_read(folder)
    before, begun = resident(), time.perf_counter()
    engine.open(folder)
    engine.set(engine.variants[0])
    engine.search(query)
    answer: dict[str, Any] = {"open": time.perf_counter() - begun, "read": full}
    answer["variants"] = {}
    for variant in engine.variants:
        engine.set(variant)
        own: dict[str, Any] = {}
        for kind in KINDS:
            times, found = _timed([lambda q=q: engine.search(q) for q in questions[kind]], limit)
            own[kind] = {**_latency(times), "recall": recall(found, questions[f"{kind}-truth"][: len(found)])}
        own["clients"] = _many(engine, questions["text"], limit)
        answer["variants"][str(variant)] = own
    answer["memory"] = max(0, resident() - before)
    engine.set(engine.variants[0])
    answer["filters"] = {} if engine.filtered is None else {
        str(share): _filtered(engine.filtered, questions, share, limit) for share in SHARES
    }  # fmt: skip
    count = data.facts["count"]
    ids, extra = np.arange(count + 1, count + EXTRA + 1), questions["extra"].astype(np.float32)
    begun = time.perf_counter()
    engine.add(ids, extra)
    answer["add"] = EXTRA / (time.perf_counter() - begun)
    answer["remove"] = None
    if engine.remove is not None:
        begun = time.perf_counter()
        engine.remove(ids)
        answer["remove"] = EXTRA / (time.perf_counter() - begun)
    return answer


def _full_read(folder: Path) -> float:
    """Seconds of reading every byte of an index, from the system's cache."""
    took = 0.0
    buffer = bytearray(1 << 22)
    for _ in range(2):  # the first brings it into the cache
        begun = time.perf_counter()
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
        took = time.perf_counter() - begun
    return took


def _timed(calls: Sequence[Callable[[], Ids]], limit: float) -> tuple[list[float], list[Ids]]:
    """Seconds of each call and what it gave, for as many as fit in `limit` seconds, and ten at least."""
    for call in calls[:3]:
        call()
    times: list[float] = []
    found = []
    for call in calls:
        if sum(times) > limit and len(times) >= 10:
            break
        begun = time.perf_counter()
        found.append(call())
        times.append(time.perf_counter() - begun)
    return times, found


def _latency(times: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(times), "p95": float(np.quantile(times, 0.95)), "count": len(times)}


def _many(engine: Engine, queries: Floats, limit: float) -> dict[str, float]:
    """Latency and queries per second of 16 clients that each ask one query after the other."""
    stop = time.perf_counter() + limit

    def client(number: int) -> list[float]:
        times = []
        for query in np.roll(queries, number, axis=0)[: max(4, len(queries) // 4)]:
            begun = time.perf_counter()
            engine.search(query)
            times.append(time.perf_counter() - begun)
            if time.perf_counter() > stop:
                break
        return times

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = [took for own in pool.map(client, range(CLIENTS)) for took in own]
    return {**_latency(times), "rate": len(times) / (time.perf_counter() - begun)}


def _filtered(
    search: Callable[[Floats, Ids], Ids], questions: dict[str, Any], share: float, limit: float
) -> dict[str, float]:
    kept, truth = questions[f"kept-{share}"], questions[f"truth-{share}"]
    calls = [lambda q=q: search(q, kept) for q in questions["text"]]
    times, found = _timed(calls, limit / 2)
    return {**_latency(times), "recall": recall(found, truth[: len(found)])}


def main(what: str, name: str, data_folder: str, folder: str, limit: str = "20") -> None:
    """Print one line of JSON."""
    data = Data(Path(data_folder))
    _ = data.questions
    engine = ENGINES[name](data.facts["dim"])
    result = built(engine, data, Path(folder)) if what == "build" else asked(engine, data, Path(folder), float(limit))
    print(json.dumps(result), flush=True)
    os._exit(0)  # freeing gigabytes piece by piece is no part of it


if __name__ == "__main__":
    main(*sys.argv[1:])
