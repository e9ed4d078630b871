"""The commands that look at a library: `status`, `failures`, `spaces`, `verify`; and `forget`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from indexer.common_options import json_option, library_option
from indexer.messages import echo
from sightline_cli.mistakes import Command
from store.paths import default_library


@click.command(cls=Command)
@library_option
@json_option
def status(library_path: Path | None, as_lines: bool) -> None:
    """What the library holds: folders, pictures, models, the last run, and where it lies."""
    from indexer.reports import print_status

    print_status(_open(library_path), as_lines)


@click.command(cls=Command)
@library_option
@json_option
@click.option("--remarks", is_flag=True, help="List the files that were indexed though something of them is amiss.")
def failures(library_path: Path | None, as_lines: bool, remarks: bool) -> None:
    """Every file that could not be indexed, and why. A file is tried again when it changes."""
    from indexer.reports import print_failures, print_remarks

    if remarks:
        print_remarks(_open(library_path), as_lines)
    else:
        print_failures(_open(library_path), as_lines)


@click.command(cls=Command)
@library_option
@click.option(
    "--find",
    "spec",
    metavar="NAME",
    help="Where a model of the library lies now, as --space takes it. It is known by its content.",
)
@click.option("--all", "every", is_flag=True, help="Every model with a short name, not only those of everyday.")
@json_option
def spaces(library_path: Path | None, spec: str | None, every: bool, as_lines: bool) -> None:
    """The models that have a short name, and those of the library."""
    from indexer.reports import print_spaces

    path = (library_path or default_library()).expanduser().absolute()
    if spec is not None:
        from indexer.moved_models import find_model

        space = find_model(path, spec)
        shown = json.dumps(asdict(space)) if as_lines else f"The model {space.name} is at {space.model}."
        echo(shown)
        return
    print_spaces(path, as_lines, every)


@click.command(cls=Command)
@library_option
@json_option
@click.option("--files", is_flag=True, help="Read every file, too, and list those that are not what was indexed.")
@click.option("--repair", is_flag=True, help="Mend what is wrong: from the photos, or from the database.")
def verify(library_path: Path | None, as_lines: bool, files: bool, repair: bool) -> int:
    """Check the library: database, vectors, index files, thumbnails. Changes nothing, but with --repair.

    Exit codes: 0 all well, or repaired; 1 something is wrong, and the way out is said.
    """
    from indexer.reports import print_verification

    return print_verification(_open(library_path), as_lines, files, repair)


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path))
@library_option
@click.option("--yes", is_flag=True, help="Forget without asking, also where marks are lost.")
@click.option("--dry-run", is_flag=True, help="Say what would be forgotten and lost; change nothing.")
def forget(folder: Path, library_path: Path | None, yes: bool, dry_run: bool) -> None:
    """Remove FOLDER and its photos from the library. The pictures themselves are never touched.

    Tags, favourites and other marks of pictures that lie nowhere else go for good. That is asked first, and all marks
    are written to `marks-before-DATE.json` in the library's folder, which `python -m search_ui import-marks` reads.
    """
    from indexer.forget import forget_folder

    path = (library_path or default_library()).expanduser().absolute()
    forget_folder(path, folder, yes=yes, dry_run=dry_run)


def _open(library_path: Path | None) -> Any:
    from store.library import Library

    return Library.open((library_path or default_library()).expanduser().absolute())


COMMANDS: Final = (status, failures, spaces, verify, forget)
