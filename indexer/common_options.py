"""Options that several commands of the indexer have."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

library_option: Final = click.option(
    "--library", "library_path", type=click.Path(path_type=Path, file_okay=False), default=None, metavar="DIR",
    help="The library's folder. Default: SIGHTLINE_LIBRARY, else the user's data folder.",
)  # fmt: skip
json_option: Final = click.option("--json", "as_lines", is_flag=True, help="Print JSON on stdout: one object a line.")
