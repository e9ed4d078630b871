"""Costs of the indexer besides encoding: starting, finding changes, writing, memory, growth.

    python benchmarks/running.py [--files 20000] [--pictures 20000] [--rounds 5]

Prints a Markdown table of measured value and goal. Files are tiny JPEGs in a scratch folder, encoded by the demo model;
where only the writer is measured, made-up pictures go through its own door. Processes are started as a user would.
Times are those of the processor, of all threads.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from tables import table

from indexer.pipeline import COMMIT_PICTURES
from store.library import Library
from store.lock import locked
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

DIM = 512


def seconds(work: Callable[[], object]) -> float:
    """The processor time of `work`: on a machine that others share, the time on the clock says little."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def indexer(*arguments: str | Path) -> tuple[float, float]:
    """Run the indexer in its own process; returns its processor time, s, and peak resident memory, MB."""
    command = [sys.executable, "-m", "indexer", *map(str, arguments)]
    # Its own resource record: RUSAGE_CHILDREN would remember the largest of all.
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode > 1:
        raise click.ClickException(f"the indexer ended with {child.returncode}: {said.decode()[-500:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def tiny_pictures(folder: Path, count: int) -> None:
    """`count` JPEGs of 16 x 16 px, all different, 500 to a folder."""
    from PIL import Image

    picture = Image.new("RGB", (16, 16), "grey")
    for number in range(count):
        place = folder / f"{number // 500:04d}"
        if number % 500 == 0:
            place.mkdir(parents=True)
        # The comment makes the bytes differ, whatever JPEG does to the pixels.
        picture.save(place / f"{number:06d}.jpg", comment=str(number))


def bare_walk(folder: Path) -> int:
    """Names, sizes and times of every file, as plainly as Python can; returns how many."""
    count, waiting = 0, [os.fsencode(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


def resident() -> float:
    """What of this process is in memory now and is not a file's, MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def feed(library: Library, space_id: int, root_id: int, first: int, count: int) -> float:
    """Commit made-up pictures, a batch at a time; returns the seconds it took."""
    writer = Writer(library.catalog.engine)
    random = np.random.default_rng(first)
    spent = 0.0
    for start in range(first, first + count, COMMIT_PICTURES):
        vectors = random.standard_normal((COMMIT_PICTURES, DIM), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = [
            Indexed(
                File(root_id, f"{number // 500:05d}/{number:08d}.jpg".encode(), 1_000_000 + number, number),
                random.bytes(32),
                {"width": 4000, "height": 3000, "format": "JPEG", "orientation": 1},
                {space_id: vector},
            )
            for number, vector in enumerate(vectors, start)
        ]
        spent += seconds(lambda: writer.commit(batch, []))  # noqa: B023 - called at once
    return spent


def growth(folder: Path, pictures: int) -> tuple[float, float]:
    """Grow a library to ten times `pictures`.

    Returns:
        The cost of a picture at the end over that at the start, and the memory that the writer keeps, MB per 100,000.
    """
    with locked(folder), Library.create(folder) as library:
        writer = Writer(library.catalog.engine)
        space_id = writer.add_space(SpaceIdentity("0" * 32, "made up", "made up", "none", "{}", DIM, False))
        root_id = writer.add_root(b"/made/up")
        step = max(COMMIT_PICTURES, pictures // 10 // COMMIT_PICTURES * COMMIT_PICTURES)
        feed(library, space_id, root_id, 0, pictures - step)
        small = feed(library, space_id, root_id, pictures, step)
        before, held = resident(), 2 * pictures
        feed(library, space_id, root_id, held, 8 * pictures)
        kept = (resident() - before) / (8 * pictures) * 100_000
        large = feed(library, space_id, root_id, 11 * pictures, step)
    return large / small, kept


@click.command()
@click.option("--files", default=20_000, show_default=True, type=click.IntRange(100), help="For the run without news.")
@click.option("--pictures", default=2_000, show_default=True, type=click.IntRange(512), help="The small library's.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(files: int, pictures: int, rounds: int) -> None:
    """Measure the costs besides encoding and print a table."""
    with tempfile.TemporaryDirectory() as scratch:
        photos, library = Path(scratch) / "photos", Path(scratch) / "library"
        tiny_pictures(photos, files)
        first, memory = indexer(photos, "--library", library, "--space", "demo", "--quiet")
        one, small = Path(scratch) / "one", Path(scratch) / "small"
        tiny_pictures(one, 1)
        indexer(one, "--library", small, "--space", "demo", "--quiet")
        rows = []
        for _ in range(rounds):
            walking = seconds(lambda: bare_walk(photos))
            again, lean = indexer(photos, "--library", library, "--quiet")
            start, _ = indexer(one, "--library", small, "--quiet")
            status, _ = indexer("status", "--library", library)
            rows.append((walking, again, lean, start, status, (again - start) / walking, again / walking))
        medians = (statistics.median(column) for column in zip(*rows, strict=True))
        walking, again, lean, start, status, ratio, whole = medians
        larger, kept = growth(Path(scratch) / "growing", pictures)
    said = [
        (f"first run, {files:,} tiny files", f"{first:.1f} s, {memory:.0f} MB at most", ""),
        ("`status`", f"{status:.2f} s", "under 0.5 s"),
        ("a run over one file that is known", f"{start:.2f} s", "under 0.5 s"),
        (f"a bare walk with `stat`, {files:,} files", f"{walking:.3f} s", ""),
        ("a run that finds nothing new", f"{again:.2f} s, {lean:.0f} MB at most", ""),
        ("that, over the bare walk", f"{whole:.1f}; less the run over one file {ratio:.1f}", "at most 3"),
        (f"writing a picture at {10 * pictures:,} over one at {pictures:,}", f"{larger:.2f}", "at most 1.2"),
        ("memory kept for 100,000 pictures written", f"{kept:.0f} MB", "under 50 MB"),
    ]
    print(table(("what", "measured", "goal"), said))
    print(f"\nThis process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most.")


if __name__ == "__main__":
    main()
