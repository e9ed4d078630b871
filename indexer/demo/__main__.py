"""Writes pictures of the small world: ``python -m indexer.demo FOLDER``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from .pictures import PicturesError, write_pictures


def _size(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size; write width and height in pixels, like 640x480")
    return int(match[1]), int(match[2])


def _progress(done: int, count: int) -> None:
    if done % 50 == 0 or done == count:
        click.echo(f"{done} of {count} pictures written", err=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(min=1), default=480, show_default=True, help="How many pictures.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed gives other pictures.")
@click.option("--size", callback=_size, default="640x480", show_default=True, help="Width and height in pixels.")
def main(folder: Path, count: int, seed: int, size: tuple[int, int]) -> None:
    """Write drawn pictures with EXIF and captions into FOLDER, the same ones every time."""
    try:
        pictures = write_pictures(folder, count, seed, size, _progress)
    except (PicturesError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    click.echo(f"{folder} holds {len(pictures)} pictures", err=True)


if __name__ == "__main__":
    main(prog_name="python -m indexer.demo")
