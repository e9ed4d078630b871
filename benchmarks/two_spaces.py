"""A run for two spaces beside two runs for one each: what one walk and one decode save.

    python benchmarks/two_spaces.py FOLDER --space demo --space local-dir:MODEL [--rounds 3]

Every library has seen one picture of another folder in its spaces before, so that no model is tried or compiled while
it is measured. Times are those of the processor, of all threads and processes; the clock tells little on a machine that
others share.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import click
from running import indexer
from tables import table

from indexer.demo.pictures import write_pictures


def measured(folder: Path, first: Path, library: Path, spaces: tuple[str, ...]) -> float:
    """The processor time, s, of a run over `folder` for a library that has these spaces."""
    for space in spaces:
        indexer(first, "--library", library, "--space", space, "--quiet")
    return indexer(folder, "--library", library, "--quiet")[0]


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--space", "spaces", multiple=True, required=True, help="Twice: a model, as the indexer takes it.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="The median of so many.")
def main(folder: Path, spaces: tuple[str, ...], rounds: int) -> None:
    """Print a Markdown table of processor times for the pictures of FOLDER."""
    if len(spaces) != 2:
        raise click.UsageError("Say --space twice.")
    ways = {"first": spaces[:1], "second": spaces[1:], "both in one run": spaces}
    took: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        first = Path(scratch) / "first"
        write_pictures(first, 1, 11, (640, 480))
        for number in range(rounds):
            for way, chosen in ways.items():
                library = Path(scratch) / f"{way}-{number}"
                took[way].append(measured(folder.resolve(), first, library, chosen))
    medians = {way: statistics.median(each) for way, each in took.items()}
    ratio = medians["both in one run"] / (medians["first"] + medians["second"])
    print(table(["run", "processor, s"], [[way, f"{each:.1f}"] for way, each in medians.items()]))
    print(f"\nBoth in one run: {ratio:.2f} of two runs.")


if __name__ == "__main__":
    main()
