"""Measures one index of scale.py, in a process of its own.

    python benchmarks/scale_process.py build|ask ENGINE DATA INDEX [SECONDS]

`build` makes ENGINE's index of the set in DATA in the folder INDEX; `ask` opens it again, so that what it holds in
memory is what searching needs. Each prints one line of JSON. Memory is the growth of the resident set over the process
with everything imported, mapped files included as far as they were read.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scale_base import Engine
from scale_data import EXTRA, KINDS, SHARES, Data, recall
from scale_engines import ENGINES

from store.arrays import Floats, Ids

CLIENTS = 16
PART = 64 << 20  # above what malloc keeps, so each part is memory that the system has to clear first


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
    """All measurements of an existing index; each kind of question takes at most `limit` seconds."""
    questions = data.questions
    query = questions["text"][0]
    full = _full_read(folder)
    before, mapped, begun = resident(), resident("RssFile"), time.perf_counter()
    engine.open(folder)
    engine.set(engine.variants[0])
    engine.search(query)
    answer: dict[str, Any] = {"open": time.perf_counter() - begun, "read": full}
    answer["variants"] = {}
    for variant in engine.variants:
        engine.set(variant)
        own: dict[str, Any] = {}
        for kind in KINDS:
            times, found = _timed([partial(engine.search, q) for q in questions[kind]], limit)
            own[kind] = {**_latency(times), "recall": recall(found, questions[f"{kind}-truth"][: len(found)])}
        own["clients"] = _many(engine, questions["text"], limit)
        answer["variants"][str(variant)] = own
    answer["memory"], answer["mapped"] = max(0, resident() - before), max(0, resident("RssFile") - mapped)
    engine.set(engine.variants[0])
    answer["filters"] = {} if engine.filtered is None else {
        str(share): _filtered(engine.filtered, questions, share, limit) for share in SHARES
    }  # fmt: skip
    count = data.facts["count"]
    ids, extra = np.arange(count + 1, count + EXTRA + 1), questions["extra"].astype(np.float32)
    begun = time.perf_counter()
    engine.add(ids, extra)
    engine.search(query)  # some put off a part of the work until then
    answer["add"] = EXTRA / (time.perf_counter() - begun)
    answer["remove"] = None
    if engine.remove is not None:
        begun = time.perf_counter()
        engine.remove(ids)
        engine.search(query)
        answer["remove"] = EXTRA / (time.perf_counter() - begun)
    return answer


def _full_read(folder: Path) -> float:
    """Seconds of reading every byte of an index from the page cache into fresh memory: opening it whole."""
    took = 0.0
    for _ in range(2):  # the first brings it into the cache
        begun = time.perf_counter()
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("rb", buffering=0) as file:
                    while file.read(PART):
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
