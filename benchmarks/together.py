"""Searching while an indexer works on the same library and cores: how much longer a search takes.

    python benchmarks/together.py [--count 100000] [--pictures 600] [--searches 150]

A made-up library of `--count` pictures is searched, one new question at a time, with a pause between, first
alone and then while `python -m indexer` encodes drawn pictures into another space of it with a ViT-B/32 of random
weights. The indexer's commits change the library under the searches, as they do for a page that is open meanwhile.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# As the page's command line sets it, and before anything starts OpenMP's threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import click
from search import made_library
from tables import table
from weights import random_model

from indexer.demo.pictures import write_pictures
from sightline.query.parser import parse
from store import progress

PAUSE = 0.05  # seconds between two searches, as of a quick reader
DIM = 512


def timed(search: Callable[[], object], count: int, goes_on: Callable[[], bool]) -> list[float]:
    """Seconds of each of up to `count` searches."""
    took: list[float] = []
    while len(took) < count and goes_on():
        begun = time.perf_counter()
        search()
        took.append(time.perf_counter() - begun)
        time.sleep(PAUSE)
    return took


@click.command()
@click.option("--count", default=100_000, show_default=True, type=click.IntRange(1_000), help="Pictures searched.")
@click.option("--pictures", default=600, show_default=True, type=click.IntRange(10), help="Pictures indexed meanwhile.")
@click.option("--searches", default=150, show_default=True, type=click.IntRange(20), help="Of each kind, at most.")
def main(count: int, pictures: int, searches: int) -> None:
    """Print a Markdown table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, photos, weights = (Path(scratch) / name for name in ("library", "photos", "model"))
        for made in (folder, weights):
            made.mkdir()
        write_pictures(photos, pictures, 11, (640, 480))
        searcher = made_library(folder, count, DIM)
        ids = iter(number for number in range(2, count) if number % 100)  # every hundredth is missing

        def search() -> None:
            searcher.search(parse(f"like:{next(ids)}"))

        timed(search, 10, lambda: True)
        alone = timed(search, searches, lambda: True)
        command = [sys.executable, "-m", "indexer", str(photos), "--library", str(folder), "--quiet"]
        indexer = subprocess.Popen([*command, "--space", random_model(weights, "ViT-B-32")])
        while indexer.poll() is None and not ((state := progress.read(folder)) and state.done):
            time.sleep(0.05)
        beside = timed(search, searches, lambda: indexer.poll() is None)
        indexer.terminate()
        indexer.wait()
        searcher.library.close()
    if len(beside) < 20:
        raise SystemExit(f"Only {len(beside)} searches came in while the indexer ran; say more --pictures.")
    rows = []
    for name, own in (("alone", alone), ("while indexing", beside)):
        p95 = statistics.quantiles(own, n=20, method="inclusive")[-1]
        rows.append([name, str(len(own)), f"{1e3 * statistics.median(own):.1f}", f"{1e3 * p95:.1f}"])
    ratios = [f"{float(rows[1][column]) / float(rows[0][column]):.2f}" for column in (2, 3)]
    print(f"{count:,} pictures searched, {DIM} wide; {pictures} indexed meanwhile.\n")
    print(table(["searches", "count", "median, ms", "p95, ms"], [*rows, ["ratio", "", *ratios]]))


if __name__ == "__main__":
    main()
