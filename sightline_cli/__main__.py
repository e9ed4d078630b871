"""The command `sightline`: the page, the searches and the indexer, all behind one name."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

# Nothing heavy up here: --help answers at once.
from indexer.__main__ import main as run_indexer
from indexer.commands import cli as indexer
from search_ui.__main__ import cli as search_ui
from search_ui.__main__ import main as run_search_ui
from sightline_cli.calls import COMMAND, is_of_library, one_command
from sightline_cli.completion import COMPLETE, completion
from sightline_cli.desktop import desktop_entry
from sightline_cli.mistakes import Group

_HELP: Final = """Find your own pictures by describing them, or by showing one. Without a command: open the page.

\b
sightline index ./photos     index a folder of pictures
sightline                    open the page
sightline ./photos           open the page, to index a folder there
sightline query red boat     print what matches
"""


def _joined() -> Group:
    """Make the group of all commands: those of the page's program, then the indexer's."""
    group = copy.copy(search_ui)
    group.help = _HELP
    others = {"address": search_ui.commands["address"], "completion": completion, "desktop-entry": desktop_entry}
    group.commands = {**indexer.commands, **search_ui.commands, **others}
    own = [name for name in search_ui.commands if name not in others]
    # `export` of both is one: its options say whether the library or pictures are meant.
    index = [name for name in indexer.commands if name not in search_ui.commands]
    group.sections = {"Index": index, "Search": own, "Others": list(others)}
    return group


cli: Final = _joined()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit, as the program does that the command is of."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if COMPLETE in os.environ:
        cli.main(given, prog_name=COMMAND)
    place = _place_of_command(given)
    with one_command(frozenset(indexer.commands)):
        if place is not None and _is_indexers(given[place], given[place + 1 :]):
            run_indexer([given[place], *given[:place], *given[place + 1 :]], COMMAND)
        run_search_ui(given, cli)


def _is_indexers(name: str, rest: Sequence[str]) -> bool:
    """Whether a command is the indexer's."""
    return name in indexer.commands and (name not in search_ui.commands or is_of_library(rest))


def _place_of_command(given: Sequence[str]) -> int | None:
    """Find the first word that is no option and no value of one."""
    valued = {
        name for option in cli.params if isinstance(option, click.Option) and not option.is_flag for name in option.opts
    }
    place = 0
    while place < len(given) and given[place].startswith("-"):
        place += 2 if given[place] in valued else 1
    return place if place < len(given) else None


if __name__ == "__main__":
    main()
