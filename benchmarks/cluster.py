"""What Sightline does beyond one machine, beside what it does on one: each part has a command.

    python benchmarks/cluster.py encode [--folder FOLDER] [--count 400] [--space NAME] [--rounds 3]
    python benchmarks/cluster.py vectors [--sizes 100000] [--queries 200] [--rounds 3] [--scratch FOLDER]

`encode`: pictures per second by workers of a Ray cluster, beside a run of one process; see cluster_encode.py. Without a
folder pictures are drawn, and without --space a ViT-B/32 with random weights is made.

`vectors`: Qdrant's engine in the process beside Sightline's own, on the same vectors; see cluster_vectors.py.

Prints Markdown tables.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import cluster_encode
import cluster_vectors
from search import numbers
from weights import random_model

from indexer.demo.pictures import write_pictures


@click.group()
def cli() -> None:
    """Measure what libraries do beyond one machine."""


@cli.command()
@click.option("--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Pictures.")
@click.option("--count", default=400, help="Pictures that are drawn where no folder is given.")
@click.option("--space", help="The model. Default: a ViT-B/32 with random weights.")
@click.option("--rounds", default=3)
def encode(folder: Path | None, count: int, space: str | None, rounds: int) -> None:
    """Encode by Ray beside one process."""
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            folder = Path(made, "photos")
            write_pictures(folder, count, 0, (1600, 1200))
        space = space or random_model(Path(made, "model"), "ViT-B-32")
        click.echo(cluster_encode.report(folder, space, rounds))


@cli.command()
@click.option("--sizes", default="100000", show_default=True, callback=numbers, help="Vectors.")
@click.option("--queries", default=200, show_default=True, type=click.IntRange(4), help="Of each kind.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--scratch", type=click.Path(path_type=Path, file_okay=False), help="Where sets are kept.")
def vectors(sizes: list[int], queries: int, rounds: int, scratch: Path | None) -> None:
    """Search vectors in Qdrant's engine beside Sightline's own."""
    for size in sizes:
        click.echo(cluster_vectors.measure(size, queries, rounds, scratch))


if __name__ == "__main__":
    cli()
