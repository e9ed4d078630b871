"""What a run says on stderr beside its progress: its own warnings, and none of other packages."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Final

import click

from sightline_cli.calls import as_called
from store.printing import LAYOUT, PrintableFormatter, printable

STOPPED: Final = "Stopped. What was committed is safe; run the same command to go on."
"""What an interrupted command says."""


def echo(text: str, *, err: bool = False) -> None:
    """Print a text of one or several lines, so that nothing in it drives the terminal.

    What goes to stderr calls commands as the user does.
    """
    click.echo(printable(as_called(text) if err else text, LAYOUT), err=err)


def set_up_logging(verbose: int, quiet: bool) -> None:
    """Set the least level of messages: by `verbose`, 0 to 2, or errors alone."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("indexer", "sightline", "store"):
        logging.getLogger(name).setLevel(level)
    # What Pillow has to say of a damaged file's tags helps nobody; a file it can't read gets a line in `failures`.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    # open_clip speaks through the root logger of what it finds and loads.
    logging.getLogger().setLevel(logging.ERROR if verbose < 2 else logging.INFO)
