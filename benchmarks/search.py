"""Milliseconds of scoring a library's vectors, and the ratio to what the machine's memory allows.

    python benchmarks/search.py [--sizes 10000,100000,1000000] [--dims 512,768] [--repeat 41]
        [--searcher [--exact-rows 300000]]

The floor of a search is the bytes that it has to read, over the bandwidth of a copy, which counts what is read and what
is written: the faster of numpy's copy of as many bytes (1 GB at most) and the same shared among all cores. In the exact
tier it has to read every row in half precision, or every row that a filter keeps; in the compressed one their codes, an
eighth of a byte a dimension and 8 bytes a row. Copies and searches are measured in every round, one after another, and
the ratio is the median of the rounds' ratios: on a shared machine only those mean anything. Up to some tens of
megabytes the copy runs in the processor's cache, and a search that reads little is limited by its fixed cost, some tens
of microseconds.

Vectors are random, of unit length, in half precision; a filter keeps random ones of them. Speed does not depend on
what they show. Turning words into a vector, and hits into photos, is not in it; with --searcher whole searches are
measured, from the query to the page of sixty hits with their facts, in a made-up library on disk (1M x 512 takes 3 GB
of it), its index saved with all its codes, as a run leaves it. Each is then searched in the tier that its size, and
what a filter keeps, call for; scoring alone is exact. Terms are pictures of the library, other ones each time: nothing
is answered from memory.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
from catalog import build
from tables import table

from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.arrays import Floats, Ids
from store.library import Library
from store.lock import locked
from store.remote import DATABASE
from store.vectors.exact import prepare
from store.vectors.local import LocalEngine
from store.vectors.one_bit_codes import WORD
from store.vectors.policy import DEFAULT, Policy, Tier

CHUNK = 50_000
MAX_COPY = 1_000_000_000
SHARES = (0.001, 0.01, 0.1, 0.5)
HEADERS = (
    "vectors",
    "dim",
    "search",
    "tier",
    "median, ms",
    "p95, ms",
    "floor, ms",
    "ratio to the floor",
    "to one term",
)


@dataclass(frozen=True)
class Case:
    """Something to measure: its name, the bytes it has to read, itself, and how it is scored."""

    name: str
    reads: int
    work: Callable[[], object]
    tier: Tier = "exact"


def unit_rows(count: int, dim: int, seed: int) -> Floats:
    """Random unit vectors float32 (count, dim)."""
    made = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def synthetic(count: int, dim: int) -> LocalEngine:
    """An index of random vectors with the content ids 1 to `count`."""

    def chunks() -> Iterator[tuple[Ids, Ids, np.ndarray]]:
        for start in range(0, count, CHUNK):
            stop = min(start + CHUNK, count)
            vectors = unit_rows(stop - start, dim, seed=start).astype(np.float16)
            numbers = np.arange(start + 1, stop + 1, dtype=np.int64)
            yield numbers, numbers, vectors

    index = LocalEngine(dim)
    index.add(chunks())
    return index


def seconds(work: Callable[[], object]) -> float:
    """How long doing `work` once takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class Copy:
    """Measures the memory's bandwidth by copying as many bytes as a search reads."""

    def __init__(self, size: int) -> None:
        self._source = np.ones(min(size, MAX_COPY), np.uint8)
        self._target = np.zeros_like(self._source)
        cores = os.cpu_count() or 1
        edges = np.linspace(0, len(self._source), cores + 1).astype(int).tolist()
        self._pieces = [slice(*pair) for pair in pairwise(edges)]
        self._pool = ThreadPoolExecutor(cores)

    def _shared(self) -> None:
        list(self._pool.map(lambda piece: np.copyto(self._target[piece], self._source[piece]), self._pieces))

    def bandwidths(self) -> tuple[float, float]:
        """Bytes read and written per second: by one thread, and by all cores."""
        moved = 2 * len(self._source)
        return moved / seconds(lambda: np.copyto(self._target, self._source)), moved / seconds(self._shared)


def scoring(count: int, dim: int) -> list[Case]:
    """One term, three terms, and one term filtered, over `count` vectors of `dim` dimensions."""
    index = synthetic(count, dim)
    queries = unit_rows(3, dim, seed=count)
    whole = count * dim * 2
    cases = [
        Case("one term", whole, lambda: index.scores(queries[:1])),
        Case("three terms", whole, lambda: index.scores(queries)),
    ]
    for share in SHARES:
        kept = np.random.default_rng(0).choice(count, max(1, round(share * count)), replace=False)
        only = np.sort(kept).astype(np.int64) + 1
        work = partial(index.scores, queries[:1], only=only)
        cases.append(Case(f"one, {share:.1%} kept".replace(".0%", "%"), len(only) * dim * 2, work))
    return cases


def made_library(
    folder: Path, count: int, dim: int, *, with_vectors: int | None = None, policy: Policy = DEFAULT
) -> Searcher:
    """A searcher of a library of `count` made-up pictures, with a saved index and tags on some shares.

    `with_vectors`: how many of them, the first ones, have a vector; None for all.
    """
    build(folder, count)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.execute(
            "INSERT INTO spaces (id, key, name, model, weights, preprocess, dim, has_text, created_at, epoch) "
            "VALUES (1, 'made', 'made', 'made', '', '{}', ?, 0, '2026', 0)", [dim]
        )  # fmt: skip
        connection.execute("UPDATE library SET default_space_id = 1")
        encoded = count if with_vectors is None else with_vectors
        for start in range(0, encoded, CHUNK):
            vectors = unit_rows(min(CHUNK, encoded - start), dim, seed=start).astype("<f2")
            connection.executemany(
                "INSERT INTO vectors (space_id, content_id, vector) VALUES (1, ?, ?)",
                ((number, vector.tobytes()) for number, vector in enumerate(vectors, start + 1)),
            )
        for number, share in enumerate(SHARES, 2):
            connection.execute("INSERT INTO tags VALUES (?, ?, ?)", [number, f"{share:g}", f"{share:g}"])
            every = round(1 / share)
            connection.execute("INSERT INTO content_tags SELECT ?, id FROM contents WHERE id % ? = 1", [number, every])
        connection.execute("COMMIT")
    # With no index on disk the first searches would be exact, and beside them codes be made on the same cores.
    with locked(folder), Library.open(folder, policy=policy) as library:
        library.vectors.save(1)
    return Searcher(Library.open(folder, policy=policy), Encoders(offline=True))


def searching(folder: Path, count: int, dim: int, policy: Policy) -> list[Case]:
    """Whole searches for one picture, for three, and for one among some."""
    searcher = made_library(folder, count, dim, policy=policy)
    engine = searcher.library.vectors.get(1)
    assert isinstance(engine, LocalEngine)
    # Each a picture that no other search of this run asks for; every hundredth is missing.
    ids = (number for number in range(2, count) if number % 100)

    def case(name: str, kept: int, terms: int, rest: str = "") -> Case:
        tier = "exact" if rest and kept <= policy.subset_rows else engine.tier
        row = 2 * dim if tier == "exact" else -(-dim // WORD) * WORD // 8 + 8

        def work() -> object:
            return searcher.search(parse(" ".join(f"like:{next(ids)}" for _ in range(terms)) + rest))

        return Case(name, kept * row, work, tier)

    cases = [case("one term", count, 1), case("three terms", count, 3)]
    return cases + [
        case(f"one, {share:.1%} kept".replace(".0%", "%"), max(1, round(share * count)), 1, f" tag:{share:g}")
        for share in SHARES
    ]


def report(cases: list[Case], repeat: int) -> tuple[list[tuple[str, ...]], tuple[float, float]]:
    """Measure all cases in each of `repeat` rounds: a row of text for each, and median copy bandwidths."""
    copy = Copy(max(case.reads for case in cases))
    for case in cases:
        case.work()
    took: list[list[float]] = []
    speeds: list[tuple[float, float]] = []
    for _ in range(repeat):
        speeds.append(copy.bandwidths())
        took.append([seconds(case.work) for case in cases])
    rows: list[tuple[str, ...]] = []
    for number, case in enumerate(cases):
        times = [round_[number] for round_ in took]
        floors = [case.reads / max(speed) for speed in speeds]
        ratio = statistics.median(own / floor for own, floor in zip(times, floors, strict=True))
        first = statistics.median(round_[number] / round_[0] for round_ in took)
        p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
        milliseconds = (
            f"{1e3 * statistics.median(times):.2f}",
            f"{1e3 * p95:.2f}",
            f"{1e3 * statistics.median(floors):.3f}",
        )
        rows.append((case.name, case.tier, *milliseconds, f"{ratio:.2f}", f"{first:.2f}"))
    one, shared = (statistics.median(column) for column in zip(*speeds, strict=True))
    return rows, (one, shared)


def numbers(_context: click.Context, _option: click.Parameter, value: str) -> list[int]:
    """A comma-separated list of whole numbers above 0."""
    try:
        found = [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers, such as 10000,100000") from None
    if min(found) < 1:
        raise click.BadParameter(f"{min(found)} is not above 0")
    return found


@click.command()
@click.option("--sizes", default="10000,100000,1000000", show_default=True, callback=numbers, help="Vectors.")
@click.option("--dims", default="512,768", show_default=True, callback=numbers, help="Their dimensions.")
@click.option("--repeat", default=41, show_default=True, type=click.IntRange(2), help="Rounds.")
@click.option("--searcher", is_flag=True, help="Whole searches, each in its tier, not exact scoring alone.")
@click.option("--exact-rows", default=DEFAULT.exact_rows, show_default=True, help="Largest library in the exact tier.")
def main(sizes: list[int], dims: list[int], repeat: int, searcher: bool, exact_rows: int) -> None:
    """Measure scoring, or whole searches, and print a Markdown table."""
    compiled = seconds(prepare)
    policy = replace(DEFAULT, exact_rows=exact_rows)
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, numpy {np.__version__}; {repeat} rounds; compiling the kernel "
        f"took {compiled:.2f} s\n"
    )
    speeds, rows = {}, []
    for dim in dims:
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                cases = searching(Path(folder), size, dim, policy) if searcher else scoring(size, dim)
                found, speeds[size, dim] = report(cases, repeat)
                rows += [(f"{size:,}", dim, *row) for row in found]
    print(table(HEADERS, rows))
    print("\nCopy bandwidth, one thread and all cores, GB/s:")
    for (size, dim), (one, shared) in speeds.items():
        print(f"- {size:,} x {dim}: {one / 1e9:.0f} and {shared / 1e9:.0f}")


if __name__ == "__main__":
    main()
