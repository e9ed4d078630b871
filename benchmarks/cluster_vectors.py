"""Sightline's own vector engine and Qdrant's, on the same vectors in one run: for cluster.py.

Vectors, queries and right answers are those of scale_data.py; filters keep random pictures. Each engine has a process
of its own, and they are asked in turns. Qdrant's engine runs in that process (qdrant-edge-py): what a server adds, the
way over the network and the work of other nodes, is not in here. Qdrant is asked twice: as Sightline asks it at this
size, and by its graph whatever the size.
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scale_data import TOP, Data, make, recall
from scale_process import resident
from tables import table

from store.arrays import Floats, Ids
from store.images.disk_usage import flat_bytes
from store.tables.filters import Filter, Tag
from store.vectors.engine import filtering

SHARES: Final = (0.001, 0.01, 0.1, 0.5)
DIM: Final = 512
MANY: Final = 10_000
ENGINES: Final = ("sightline", "qdrant", "qdrant by its graph")
_BATCH: Final = 1_000
Row = dict[str, Any]


@dataclass
class _State:
    """What a process of an engine holds."""

    data: Data
    engine: Any
    close: Callable[[], None]


_state: _State


def _built(name: str, data: Data, folder: Path) -> Row:
    """Take all vectors, and make what searching needs; seconds, and processor seconds, of both."""
    global _state
    before = resident()
    began, cpu = time.perf_counter(), time.process_time()
    engine, finish, close = (_local if name == "sightline" else _qdrant)(data, folder)
    taken, taken_cpu = time.perf_counter() - began, time.process_time() - cpu
    began, cpu = time.perf_counter(), time.process_time()
    finish()
    made, made_cpu = time.perf_counter() - began, time.process_time() - cpu
    _state = _State(data, engine, close)
    disk = sum(flat_bytes(each) for each in (folder, *(each for each in folder.rglob("*") if each.is_dir())))
    return {
        "insert": data.facts["count"] / taken, "insert cpu": taken_cpu, "build": made, "build cpu": made_cpu,
        "disk": disk, "memory": resident() - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }  # fmt: skip


def _local(data: Data, folder: Path) -> tuple[Any, Callable[[], None], Callable[[], None]]:
    from store.vectors.index_files import IndexFiles
    from store.vectors.local import LocalEngine
    from store.vectors.policy import DEFAULT

    folder.mkdir()
    engine = LocalEngine(DIM, policy=DEFAULT)
    for start, rows in data.chunks():
        ids = np.arange(start + 1, start + len(rows) + 1)
        engine.add([(ids, ids, rows)])
    files = IndexFiles(folder, 1, DEFAULT.in_memory_bytes)
    return engine, lambda: engine.save(files, "benchmark"), lambda: None


def _qdrant(data: Data, folder: Path) -> tuple[Any, Callable[[], None], Callable[[], None]]:
    from store.qdrant import edge
    from store.qdrant.adapter import Point
    from store.qdrant.engine import QdrantEngine, Tables
    from store.qdrant.points import FACT_KINDS, YES, name_of
    from store.qdrant.policy import DEFAULT

    vars(edge)["_INDEXING_KB"] = 10_000  # a graph at any size: `ENGINES` names what is asked by it
    adapter = edge.EdgeAdapter.open(folder)
    adapter.create({name_of(1): DIM}, FACT_KINDS)
    count = data.facts["count"]
    kept = [np.isin(np.arange(1, count + 1), data.questions[f"kept-{share}"]) for share in SHARES]
    for start, rows in data.chunks():
        for at in range(0, len(rows), _BATCH):
            points = []
            for row in range(at, min(at + _BATCH, len(rows))):
                place = start + row
                tags = [number for number, own in enumerate(kept) if own[place]]
                points.append(Point(place + 1, {name_of(1): rows[row]}, {"here": YES, "tags": tags, "sample": place}))
            adapter.upsert(points)

    def passing(filters: Sequence[Filter]) -> dict[str, Any]:
        must = [{"key": "here", "match": {"value": YES}}]
        for each in filters:
            assert isinstance(each, Tag)
            must.append({"key": "tags", "match": {"value": int(each.names[0])}})
        return {"must": must}

    everything = np.arange(1, count + 1)
    tables = Tables(lambda: everything, lambda ids: np.sort(ids), passing)
    engine = QdrantEngine(adapter, 1, DIM, tables, DEFAULT, None)
    engine.hold(1, count, count)

    def finish() -> None:
        adapter.flush()
        adapter.optimize()

    return engine, finish, adapter.close


def _asked(name: str, kind: str, share: float | None, wanted: int) -> tuple[list[Ids], list[float], float]:
    """The nearest of each query, the seconds that each took, and processor seconds of all."""
    data, engine = _state.data, _state.engine
    if hasattr(engine, "_policy") and name != "sightline":
        from store.qdrant.policy import DEFAULT

        engine._policy = replace(DEFAULT, graph_rows=0) if name.endswith("graph") else DEFAULT
    only = None if share is None else data.questions[f"kept-{share}"]
    filters = [] if share is None else [Tag((str(SHARES.index(share)),))]
    found, seconds, cpu = [], [], time.process_time()
    for query in data.questions[kind]:
        began = time.perf_counter()
        found.append(_nearest(engine, query[None], only, filters, wanted))
        seconds.append(time.perf_counter() - began)
    return found, seconds, time.process_time() - cpu


def _nearest(engine: Any, query: Floats, only: Ids | None, filters: Sequence[Filter], wanted: int) -> Ids:
    """As a search goes: a shortlist, or candidates, and one exact pass over them."""
    knowing = filtering(engine)
    if knowing is not None:
        candidates = knowing.candidates(query, [], filters, wanted=wanted)
        ids, (scores,) = engine.scores(query, only=candidates.ids if candidates is not None else only)
    else:
        shortlist = engine.shortlist(query, wanted=wanted, only=only)
        ids, (scores,) = engine.scores(query, only=only if shortlist is None else shortlist)
    best = np.argpartition(-scores, wanted - 1)[:wanted] if len(scores) > wanted else np.arange(len(scores))
    return np.asarray(ids[best[np.argsort(-scores[best], kind="stable")]])


def _warm() -> None:
    _state.engine.warm()


def _rest() -> Row:
    """Memory after all questions; ends the engine."""
    memory = resident()
    _state.close()
    return {"memory": memory}


def measure(count: int, queries: int, rounds: int, scratch: Path | None) -> str:
    """Tables of both engines over `count` vectors."""
    folder = scratch or Path(tempfile.mkdtemp(prefix="cluster-"))
    data = make(folder / str(count), count, DIM, queries, shares=SHARES)
    spawn = multiprocessing.get_context("spawn")
    kinds: list[tuple[str, float | None]] = [("text", None), ("picture", None), *(("text", share) for share in SHARES)]
    costs: dict[str, Row] = {}
    seconds: dict[tuple[str, str, float | None, int], list[float]] = {}
    cpus: dict[tuple[str, str, float | None, int], list[float]] = {}
    recalls: dict[tuple[str, str, float | None], float] = {}
    try:
        with (
            ProcessPoolExecutor(1, mp_context=spawn) as ours,
            ProcessPoolExecutor(1, mp_context=spawn) as theirs,
        ):
            pools = dict(zip(ENGINES, (ours, theirs, theirs), strict=True))
            for name, pool in list(pools.items())[:2]:
                engine_folder = data.folder / name
                shutil.rmtree(engine_folder, ignore_errors=True)
                costs[name] = pool.submit(_built, name, data, engine_folder).result()
                pool.submit(_warm).result()
            for _ in range(rounds):
                for kind, share in kinds:
                    for wanted in (TOP, MANY) if kind == "text" and share is None else (TOP,):
                        for name, pool in pools.items():
                            found, own, cpu = pool.submit(_asked, name, kind, share, wanted).result()
                            seconds.setdefault((name, kind, share, wanted), []).extend(own)
                            cpus.setdefault((name, kind, share, wanted), []).append(cpu / len(own))
                            if wanted == TOP:
                                truth = data.questions[f"{kind}-truth" if share is None else f"truth-{share}"]
                                recalls[name, kind, share] = recall(found, truth)
            for name, pool in list(pools.items())[:2]:
                costs[name] |= pool.submit(_rest).result()
    finally:
        if scratch is None:
            shutil.rmtree(folder, ignore_errors=True)
    return _report(count, costs, seconds, cpus, recalls)


def _report(count: int, costs: dict[str, Row], seconds: Any, cpus: Any, recalls: Any) -> str:
    made = table(
        ["engine", "inserted/s", "processor, s", "build, s", "processor, s", "disk, MB", "memory, MB"],
        [
            [
                name, f"{own['insert']:,.0f}", f"{own['insert cpu']:.1f}", f"{own['build']:.1f}",
                f"{own['build cpu']:.1f}", f"{own['disk'] / 1e6:,.0f}", f"{own['memory'] / 1e6:,.0f}",
            ]
            for name, own in costs.items()
        ],
    )  # fmt: skip
    rows = []
    for name, kind, share, wanted in cpus:
        key = (name, kind, share, wanted)
        base = statistics.median(cpus["sightline", kind, share, wanted])
        cpu = statistics.median(cpus[key])
        what = f"{kind}s" if share is None else f"{kind}s, {share:.1%} pass"
        rows.append([
            what if wanted == TOP else f"{what}, the best {wanted:,}", name,
            f"{recalls[name, kind, share]:.3f}" if wanted == TOP else "",
            f"{1e3 * statistics.median(seconds[key]):.2f}", f"{1e3 * float(np.quantile(seconds[key], 0.95)):.2f}",
            f"{1e3 * cpu:.2f}", f"{cpu / base:.2f}",
        ])  # fmt: skip
    asked = table(
        ["queries", "engine", "recall@10", "median, ms", "p95, ms", "processor, ms", "to sightline's"], rows
    )  # fmt: skip
    return f"{count:,} vectors of {DIM} numbers\n\n{made}\n\n{asked}\n"
