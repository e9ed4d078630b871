"""What opening, adding and replacing cost beside reading or building all of it.

    python benchmarks/growth.py [--size 200000] [--dim 512] [--change 1000] [--rounds 5]

A made-up library on disk: random unit vectors in half precision, once in the exact tier and once as a space above it.
Everything is measured in every round, one after another, and ratios are medians of the rounds' ratios:

- **rebuild**: an index from the tables, saved and measured; in the compressed tier the making of codes included.
- **replace**: `change` contents get other vectors; an index that was open follows, and is saved.
- **add**: as many new ones.
- **open**: from the files to the first answer; beside it, the same files read whole and hashed (SHA-256), which opening
  meant before rows were mapped.
"""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
import tempfile
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from search import made_library, seconds, unit_rows
from tables import table

from store.arrays import Floats
from store.library import Library
from store.lock import locked
from store.remote import DATABASE
from store.vectors.policy import DEFAULT, Policy
from store.vectors.top_k import nearest


def change(folder: Path, contents: range, dim: int, seed: int) -> None:
    """Give contents other vectors, or their first, as a run does that replaces them."""
    vectors = unit_rows(len(contents), dim, seed).astype("<f2")
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        gone = connection.executemany(
            "DELETE FROM vectors WHERE space_id = 1 AND content_id = ?", [(each,) for each in contents]
        )
        if gone.rowcount > 0:
            connection.execute("UPDATE spaces SET epoch = epoch + 1")
        connection.executemany(
            "INSERT INTO vectors (space_id, content_id, vector) VALUES (1, ?, ?)",
            [(each, vector.tobytes()) for each, vector in zip(contents, vectors, strict=True)],
        )
        connection.execute("UPDATE library SET generation = generation + 1")


def first_search(library: Library, query: Floats) -> None:
    """Open the vectors of the space, and search them."""
    nearest(library.vectors.get(1), query[0], 10)


def full_read(files: list[Path]) -> None:
    """Read every byte of these files."""
    for file in files:
        hashlib.sha256(file.read_bytes())


def measure(size: int, dim: int, many: int, rounds: int, policy: Policy) -> dict[str, list[float]]:
    """Seconds by what was done, one for each round."""
    query = unit_rows(1, dim, seed=1)
    took: dict[str, list[float]] = {name: [] for name in ("rebuild", "replace", "add", "open", "full read")}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # Contents enough for those that are added; their vectors come later.
        made_library(folder, size + many * rounds, dim, with_vectors=size).library.close()
        for number in range(rounds):
            for path in (folder / "vectors").glob("space-*"):
                path.unlink()
            with locked(folder), Library.open(folder, policy=policy) as library:
                save = partial(library.vectors.save, 1)
                took["rebuild"].append(seconds(save))
                change(folder, range(1 + many * number, 1 + many * (number + 1)), dim, seed=number)
                took["replace"].append(seconds(save))
                change(folder, range(size + 1 + many * number, size + 1 + many * (number + 1)), dim, seed=number)
                took["add"].append(seconds(save))
            with Library.open(folder, policy=policy) as library:
                took["open"].append(seconds(partial(first_search, library, query)))
            files = list((folder / "vectors").glob("space-*"))
            took["full read"].append(seconds(partial(full_read, files)))
    return took


@click.command()
@click.option("--size", default=200_000, show_default=True, type=click.IntRange(10_000))
@click.option("--dim", default=512, show_default=True, type=click.IntRange(8))
@click.option("--change", "many", default=1_000, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(size: int, dim: int, many: int, rounds: int) -> None:
    """Measure what changes cost and print a Markdown table."""
    print(f"{size:,} x {dim}, {many:,} at a time, {rounds} rounds\n")
    rows = []
    for name, policy in (("exact", DEFAULT), ("compressed", replace(DEFAULT, exact_rows=0, uncoded_rows=0))):
        took = measure(size, dim, many, rounds, policy)
        for what, beside in (("replace", "rebuild"), ("add", "rebuild"), ("open", "full read")):
            ratio = statistics.median(own / other for own, other in zip(took[what], took[beside], strict=True))
            own, other = (f"{statistics.median(took[each]):.3f}" for each in (what, beside))
            rows.append((name, what, own, f"{beside}: {other}", f"**{ratio:.3f}**"))
    print(table(("tier", "what", "s", "beside, s", "ratio"), rows))


if __name__ == "__main__":
    main()
