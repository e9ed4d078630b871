"""The command `export`: the whole library into another place, to PostgreSQL and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from indexer.common_options import json_option
from indexer.messages import echo
from indexer.steps_shown import steps_shown, terminable
from sightline_cli.calls import is_of_library
from sightline_cli.mistakes import Command, joined
from store.paths import default_library

if TYPE_CHECKING:
    from store.moving import Copied

_STEPS: Final = {"copying": "copying", "comparing": "comparing", "thumbnails": "copying thumbnails"}


class _Export(Command):
    """Tells it from the command of the same name that copies pictures."""

    def _hint(self, context: click.Context, given: list[str], error: click.UsageError) -> str | None:
        if is_of_library(given):
            return super()._hint(context, given, error)
        return f"To copy pictures: python -m search_ui export {joined(given)}".rstrip()


@click.command(cls=_Export)
@click.option("--to", metavar="URL|DIR", help="Where the library is copied to: a database or folder without a library.")
@click.option("--from", "origin", metavar="URL|DIR", help="The library that is copied into that of --library.")
@click.option(
    "--library",
    metavar="DIR|URL",
    help="The library that is copied; with --from the one that is made. Default: SIGHTLINE_LIBRARY, else the user's "
    "data folder.",
)
@click.option("--vectors", metavar="URL", help="Of the new library: see `index`.")
@click.option("--thumbnails", metavar="URL", help="Of the new library: where thumbnails go, as s3://BUCKET/FOLDER.")
@json_option
def export(
    to: str | None, origin: str | None, library: str | None, vectors: str | None, thumbnails: str | None, as_lines: bool
) -> int:
    """Copy the library to a PostgreSQL database, back from one, or into another folder; and compare both.

    Everything is copied: facts, vectors, tags and all other marks, runs, ids, thumbnails and previews; no pictures. The
    old library stays as it is. Run it again where it was stopped: it goes on. Until it is whole and was found equal, by
    counts and checksums of every table, no program opens the copy. Indexers are kept away meanwhile, searches go on.

    \b
    python -m indexer export --to postgresql://photos@db/photos --thumbnails s3://bucket/thumbnails
    python -m indexer export --from postgresql://photos@db/photos --library ~/back
    """
    from store.moving import RefusedError, copy_library
    from store.remote import folder_of, remote_of, shown, write

    if (to is None) == (origin is None):
        raise click.UsageError("Say where to, by --to, or where from, by --from.")
    given = default_library() if library is None else library
    source, goal = (given, to) if origin is None else (origin, given)
    assert goal is not None
    old, new = folder_of(source), folder_of(goal)
    before = remote_of(new)
    folder_of(goal, vectors, thumbnails)
    try:
        with terminable(), steps_shown(_STEPS) as show:
            done = copy_library(old, new, show)
    except RefusedError:
        write(new, before)  # another library's
        raise
    if as_lines:
        click.echo(json.dumps({"from": shown(old), "to": shown(new), **asdict(done)}))
    else:
        echo(_in_words(done, shown(old), shown(new)), err=True)
        if done.damaged:
            echo(
                f"{done.damaged:,} vectors are not what was written, in both: python -m indexer verify --repair "
                f"--library {joined([shown(new)])}", err=True,
            )  # fmt: skip
    return 1 if done.damaged else 0


def _in_words(done: Copied, old: str, new: str) -> str:
    from sightline.humanize import count

    if done.was_there:
        return f"{new} has the whole of {old} already. Both are equal: {count(done.rows, 'row')}, by their checksums."
    also = f" and {count(done.thumbnails, 'thumbnail')}" if done.thumbnails else ""
    return (
        f"Copied {count(done.copied, 'row')}{also} of {old} to {new}. Both are equal: {count(done.rows, 'row')}, by "
        "their checksums."
    )


COMMANDS: Final = (export,)
