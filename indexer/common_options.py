"""Options that several commands of the indexer have."""

from __future__ import annotations

from typing import Final

import click

from sightline.tiles import LEAST_GRID, MOST_GRID
from sightline_cli.library_options import library_options

library_option: Final = library_options(
    lambda context, parameter, folder: folder, default=None,
    help="The library's folder, or a PostgreSQL database as postgresql://USER@HOST/NAME. Default: SIGHTLINE_LIBRARY, "
    "else the user's data folder.",
)  # fmt: skip
json_option: Final = click.option("--json", "as_lines", is_flag=True, help="Print JSON on stdout: one object a line.")


def checked_grid(context: click.Context, parameter: click.Parameter, grid: int | None) -> int | None:
    """A grid as the command line gives it.

    Raises:
        click.BadParameter: it is none.
    """
    if grid is None or grid == 0 or LEAST_GRID <= grid <= MOST_GRID:
        return grid
    why = "one tile is the whole picture, which is encoded anyway" if grid == 1 else f"{grid} is no such number"
    raise click.BadParameter(f"{why}. Give {LEAST_GRID} to {MOST_GRID}, or 0 to end it.", ctx=context, param=parameter)
