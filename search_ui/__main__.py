"""The command line: `python -m search_ui` opens the page, its command `query` prints hits."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

# Nothing heavy up here: --help answers at once, and HF_HUB_OFFLINE must be set before huggingface_hub is imported.
from search_ui.cli import address, concepts, label, marks, search
from search_ui.cli.mistakes import Group
from search_ui.cli.options import echo, library_option, offline_option, port_option
from store.checked_files import is_there
from store.handles import raise_limit
from store.paths import is_folder
from store.printing import PrintableFormatter, printable


class _Folders(Group):
    """Takes a folder in the place of a command: the page is opened with it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:  # fmt: skip
        """Return the command of the first argument, or the one that opens the page."""
        given = args[0]
        if self.get_command(ctx, given) is None and not given.startswith("-"):
            place = Path(given).expanduser()
            if len(args) == 1 and is_folder(place):
                return "FOLDER", _open, args
            if len(args) == 1 and not is_there(place) and (os.sep in given or given.startswith(("~", "."))):
                raise click.UsageError(f"There is no folder {printable(given)}.", ctx)
        return super().resolve_command(ctx, args)


@click.command(hidden=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_context
def _open(context: click.Context, folder: Path) -> None:
    assert context.parent is not None
    _serve(context.parent.params, folder.expanduser().resolve())


@click.group(cls=_Folders, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@library_option
@offline_option
@port_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on. Mind who can reach it.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Another name browsers may use for this server, as behind a proxy.",
)
@click.option(
    "--token/--no-token",
    default=True,
    show_default=True,
    help="Answer only who has the token: the address that is opened has it. Without it every user of this machine can "
    "see and mark the pictures; beyond this machine it is needed.",
)
@click.option("--browser/--no-browser", default=None, help="Open the page in a browser. [default: in a terminal]")
@click.option(
    "--manage/--no-manage",
    default=None,
    help="Let pages index folders, copy files and open folders on this machine. [default: if only it can reach them]",
)
@click.pass_context
def cli(
    context: click.Context, port: int, host: str, hosts: tuple[str, ...], token: bool, browser: bool | None,
    manage: bool | None,
) -> None:  # fmt: skip
    """Search your own pictures by describing them, or by showing one. Without a command: open the page.

    With a FOLDER in the place of a command, the page offers to index that.
    """
    _environment()
    if context.invoked_subcommand is None:
        _serve(context.params, None)


def _serve(options: Mapping[str, Any], folder: Path | None) -> None:
    from search_ui.server.serve import serve

    serve(
        options["host"], options["port"], options["hosts"],
        browser=sys.stderr.isatty() if options["browser"] is None else options["browser"],
        manage=options["manage"], guarded=options["token"], folder=folder,
    )  # fmt: skip


for command in (*search.COMMANDS, *label.COMMANDS, *marks.COMMANDS, *concepts.COMMANDS, *address.COMMANDS):
    cli.add_command(command)


def _environment() -> None:
    raise_limit()
    # Spinning OpenMP threads would take the cores from the pages' own threads; see indexer/__main__.py.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # What Pillow has to say of a damaged file's tags helps nobody; a file it can't read gets a line in `failures`.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def main(arguments: Sequence[str] | None = None, group: click.Group = cli, program: str = "sightline") -> NoReturn:
    """Run the command line of `program`, with the commands of `group`, and exit.

    0 done, 1 done with failed files, 2 could not run, 130 interrupted, 141 nobody reads the output.
    """
    try:
        code = group.main(arguments, prog_name=program, standalone_mode=False)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        echo(said.getvalue().rstrip("\n"), err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        # Imported here, once something failed anyway: SQLAlchemy takes longer than --help may.
        from sqlalchemy.exc import DatabaseError

        from store.disk_errors import disk_sentence
        from store.errors import SightlineError
        from store.paths import display

        if isinstance(error, SightlineError):
            echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        if isinstance(error, DatabaseError):
            echo(f"Error: the library's database said: {error.orig}.", err=True)
            sys.exit(2)
        if isinstance(error, OSError):
            about = f": {display(os.fsencode(error.filename))}" if error.filename else ""
            echo(f"Error: {disk_sentence(error) or f'{error.strerror or error}{about}'}", err=True)
            sys.exit(2)
        raise
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main(program="python -m search_ui")
