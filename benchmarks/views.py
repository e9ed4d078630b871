"""Seconds of arranging a map, and of finding near-duplicates, by the number of pictures.

    python benchmarks/views.py [--sizes 1000,10000] [--rounds 3]

Vectors are made as scale_data.py says; one in twenty is a near-duplicate of another, at cosines of 0.97 to 1. The map
is its principal components and UMAP's arrangement of up to `map_layout.LANDMARKS` pictures, on one core, without the
seconds that UMAP takes to compile itself.
Near-duplicates are all pairs from a cosine of 0.95: every pair compared, and only the likely ones, as is done for more
pictures than `near_pairs.EXACT`; the share of pairs that the second finds is of those that the first does. Groups,
names and facts are not in it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

import click
import numpy as np
from scale_data import World
from search import numbers, seconds
from tables import table

from sightline.duplicates import near_pairs
from sightline.maps import layout
from store.arrays import Floats
from store.vectors.local import LocalEngine

FLOOR = 0.95


def pictures(count: int, dim: int) -> Floats:
    """Unit vectors float32 (count, dim), one in twenty near another."""
    world = World(dim)
    rows = world.pictures(count, 4)
    pick = np.random.default_rng(5)
    copies = pick.choice(count, count // 20, replace=False)
    noise = pick.standard_normal((len(copies), dim), dtype=np.float32) / np.float32(dim**0.5)
    near = rows[(copies + 1) % count] + noise * pick.uniform(0, 0.24, (len(copies), 1)).astype(np.float32)
    rows[copies] = near / np.linalg.norm(near, axis=1, keepdims=True)
    return rows


def median(work: Callable[[], object], rounds: int) -> float:
    """The median seconds of doing `work`."""
    return statistics.median(seconds(work) for _ in range(rounds))


@click.command()
@click.option("--sizes", default="1000,10000", show_default=True, callback=numbers, help="Pictures.")
@click.option("--dim", default=512, show_default=True, type=click.IntRange(8))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
def main(sizes: list[int], dim: int, rounds: int) -> None:
    """Print a Markdown table."""
    begun = time.perf_counter()
    small = pictures(64, dim)
    layout.umap_positions(small, small[:, :2].copy())
    compiled = time.perf_counter() - begun
    rows = []
    for size in sizes:
        vectors, ids = pictures(size, dim), np.arange(1, size + 1)
        index = LocalEngine(dim)
        index.add([(ids, ids, vectors.astype(np.float16))])
        marks = min(size, layout.LANDMARKS)

        def arrange(index: LocalEngine = index, ids: np.ndarray = ids, marks: int = marks) -> None:
            points = layout.principal_components(index.vectors_of, ids)
            layout.umap_positions(points[:marks], points[:marks, :2].copy())

        def near(exact: int, index: LocalEngine = index, ids: np.ndarray = ids) -> near_pairs.Pairs:
            return near_pairs.find_pairs(index, ids, FLOOR, lambda done, doing: None, exact=exact)

        likely = near(0)
        cells = [f"{size:,}", f"{median(arrange, rounds):.1f}", "", f"{median(lambda: near(0), rounds):.1f}", ""]
        if size <= near_pairs.EXACT:
            every = near(size)
            cells[2] = f"{median(lambda: near(size), rounds):.1f}"  # noqa: B023
            cells[4] = f"{len(likely.cosines) / max(1, len(every.cosines)):.4f}"
        rows.append(cells)
    print(f"{os.cpu_count()} cores; medians of {rounds}. UMAP took {compiled:.1f} s to compile itself.\n")
    headers = ["pictures", "map, s", "every pair, s", "likely pairs, s", "share of the pairs that are found"]
    print(table(headers, rows))


if __name__ == "__main__":
    main()
