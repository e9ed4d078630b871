"""The commands that search: `query` prints hits, `export` copies them."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import click

from search_ui.cli.mistakes import exports_meant, likes_meant
from search_ui.cli.options import (
    TextCommand,
    check_one_form,
    check_raw,
    check_something,
    csv_option,
    echo,
    filled_searcher,
    json_option,
    library_option,
    named_pictures,
    offline_option,
    query_of,
    raw_option,
    terms,
    whole_library,
    with_progress,
    write_lines,
)
from search_ui.cli.progress import progress
from sightline_cli.mistakes import joined
from store.paths import is_file
from store.printing import json_text

# Nothing heavy up here: --help answers at once.
if TYPE_CHECKING:
    from sightline.query.types import Query
    from sightline.ranking.handicap import Looks
    from sightline.ranking.results import Hit
    from store.library import Library

T = TypeVar("T")
Form = Literal["lines", "json", "paths", "csv"]

_PAGE: Final = 20
# More than any library has, and within what islice can count: the JSON interface's limit too.
_MOST: Final = 10**12
# Hits whose tags are looked up together.
_BATCH: Final = 500


@click.command(cls=TextCommand, meant=likes_meant)
@terms
@click.option(
    "--limit",
    "-k",
    type=int,
    metavar="N",
    help="At most N pictures, 1 to 500.  [default: 20 in the plain listing, else all matches and possible matches]",
)
@click.option("--offset", type=click.IntRange(0, _MOST), default=0, metavar="N", help="Leave out the first N.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="All matches and possible matches; without TEXT, the whole library.",
)
@json_option
@click.option("--paths", "as_paths", is_flag=True, help="Only paths, just as the file system spells them.")
@csv_option
@raw_option
@click.option("--print0", "-0", is_flag=True, help="With --paths: a zero byte after each, for xargs -0.")
@click.option(
    "--closer",
    is_flag=True,
    help="Look for small things in parts of the first 200 hits: about ten times their encoding. For a library that was "
    "indexed with --tiles it is done already.",
)
@click.option("--explain", is_flag=True, help="Say how TEXT was understood, and search nothing.")
@library_option
@offline_option
def query(
    text: Sequence[str], saved: str | None, images: Sequence[Path], likes: Sequence[int], limit: int | None,
    offset: int, everything: bool, as_json: bool, as_paths: bool, as_csv: bool, raw: bool, print0: bool, closer: bool,
    explain: bool,
) -> None:  # fmt: skip
    """Print the pictures that suit TEXT, pictures, or both: `score<TAB>band<TAB>path` lines, best first.

    Of filters alone there is nothing to score: the lines are paths.

    \b
    query 'sunset beach -people "hot air balloon" date:2023-06..2023-08 camera:sony'
    query --image photo.jpg at night -k 5
    query boats --paths -0 | xargs -0 du -ch
    """
    # numpy's algebra is a few small products here: threads for it cost more to start than they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    check_one_form(json=as_json, paths=as_paths, csv=as_csv)
    check_raw(raw, as_csv)
    check_one_form(limit=limit is not None, all=everything)
    if print0 and not as_paths:
        raise click.UsageError("--print0 says how --paths ends its lines: give both.")
    wanted, pictures = query_of(text, saved, images, likes)
    if len(text) == 1 and not images and is_file(text[0]):
        echo(f"Note: {text[0]} is looked for as words. To search with the picture: --image {joined(text)}", err=True)
    if explain:
        _explain(wanted, as_json=as_json)
        return
    wanted = whole_library(wanted) if everything else check_something(wanted, order_is_enough=True)
    from sightline.humanize import count
    from sightline.query.limits import hints

    searcher = filled_searcher()
    form: Form = "json" if as_json else "paths" if as_paths else "csv" if as_csv else "lines"
    looks: Looks = "closer" if closer else "tiles"
    with named_pictures(images):
        if closer:
            with progress("looking closer") as report:
                searcher.look_closer(wanted, pictures=pictures, report=report)
        if limit is None and (everything or form != "lines"):
            hits = islice(searcher.matches(wanted, pictures=pictures, looks=looks), offset, None)
            printed = _print_hits(searcher.library, hits, form, offset, print0=print0, raw=raw)
            click.echo(count(printed, "picture"), err=True)
            _say(searcher.note(wanted))
            for hint in hints(wanted):
                _say(hint)
            if not printed:
                _say(searcher.search(wanted, pictures=pictures, limit=1, looks=looks).why_empty)
            return
        most = _PAGE if limit is None else limit
        result = searcher.search(wanted, pictures=pictures, limit=most, offset=offset, looks=looks)
        printed = _print_hits(searcher.library, result.hits, form, offset, print0=print0, raw=raw)
    if wanted.terms:
        matches = ("at least " if result.at_least else "") + count(result.strong, "match", "matches")
        of_all = f"{printed} of {result.total} pictures"
        click.echo(f"{of_all}, {matches}, {result.maybe} possible, {result.seconds * 1000:.0f} ms", err=True)
    else:
        of_all = f"{printed:,} of " if printed != result.total else ""
        click.echo(f"{of_all}{count(result.total, 'picture')}", err=True)
    _say(result.note)
    for hint in result.hints:
        _say(hint)
    _say(result.why_empty)


@click.command(cls=TextCommand, meant=exports_meant)
@terms
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="The folder to export to; made where it is not there.",
)
@click.option(
    "--link",
    type=click.Choice(["copy", "hard", "symbolic"]),
    default="copy",
    show_default=True,
    help="Copies, or links to the photos where they are.",
)
@click.option(
    "--flat/--tree", default=True, help="All files side by side, or in the folders they lie in now.  [default: flat]"
)
@click.option(
    "--limit",
    "-k",
    type=click.IntRange(1, _MOST),
    metavar="N",
    help="Only the first N.  [default: all matches and possible matches]",
)
@click.option("--all", "everything", is_flag=True, help="Without TEXT: the whole library.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print `photo<TAB>file` lines of what would be written.")
@library_option
@offline_option
def export(
    text: Sequence[str], saved: str | None, images: Sequence[Path], likes: Sequence[int], folder: Path,
    link: Literal["copy", "hard", "symbolic"], flat: bool, limit: int | None, everything: bool, dry_run: bool,
) -> int:  # fmt: skip
    """Copy the pictures that suit TEXT into a folder, or link to them. Nothing that is there is replaced.

    All matches and possible matches are exported; of near-duplicates the one that is shown, unless TEXT says
    `dedup:off`.
    """
    from sightline.media import export as copies
    from store.paths import display
    from store.remote import is_address

    if is_address(folder):
        raise click.UsageError(
            "--to takes a folder. To copy the whole library to a database: python -m indexer export --to "
            "postgresql://USER@HOST/NAME"
        )
    wanted, pictures = query_of(text, saved, images, likes)
    wanted = whole_library(wanted) if everything else check_something(wanted)
    searcher = filled_searcher()
    for root in copies.inside_roots(searcher.library, folder):
        names = [display(os.fsencode(path)) for path in (folder, root)]
        echo(f"Note: {names[0]} lies in the indexed folder {names[1]}; what is exported will be indexed too.", err=True)
    hits = islice(searcher.matches(wanted, pictures=pictures), limit)
    photos = with_progress((hit.photo for hit in hits), "exporting")
    counts: Counter[str] = Counter()
    try:
        with named_pictures(images):
            for done in copies.export(searcher.library, photos, folder, link=link, tree=not flat, dry_run=dry_run):
                counts[done.outcome] += 1
                names = [display(os.fsencode(path)) for path in (done.source, done.target)]
                if done.outcome == "failed":
                    echo(f"Failed: {names[0]}: {done.reason}", err=True)
                elif dry_run and done.outcome == "written":
                    write_lines(["\t".join(names)])
    finally:
        made = "would be written" if dry_run else "written"
        click.echo(f"{counts['written']} {made}, {counts['there']} there already, {counts['failed']} failed", err=True)
    return 1 if counts["failed"] else 0


def _say(sentence: str | None) -> None:
    if sentence is not None:
        echo(sentence, err=True)


def _explain(wanted: Query, *, as_json: bool) -> None:
    from sightline.query.parser import explain

    lines = explain(wanted)
    if as_json:
        made = [{"kind": line.kind, "text": line.text, "meaning": line.meaning} for line in lines]
        write_lines(json_text(record) for record in made)
    else:
        write_lines(f"{line.kind}\t{line.text}\t{line.meaning}" for line in lines)


def _print_hits(library: Library, hits: Iterable[Hit], form: Form, offset: int, *, print0: bool, raw: bool) -> int:
    """Print hits whose first is at place `offset`; returns how many."""
    from sightline import records

    if form == "csv":
        write_lines([records.csv_line(records.CSV_HEADER)])
    printed = 0
    for batch in _batches(hits):
        ids = [hit.photo.content_id for hit in batch]
        marked = form in ("json", "csv")
        tags = library.marks.tags_of(ids) if marked else {}
        favourites = library.marks.favourites_of(ids) if marked else set()
        lines: list[str | bytes] = []
        for rank, hit in enumerate(batch, offset + printed + 1):
            own, favourite = tags.get(hit.photo.content_id, ()), hit.photo.content_id in favourites
            if form == "json":
                record = records.record(hit, rank, tags=own, favourite=favourite)
                lines.append(json_text(record))
            elif form == "csv":
                lines.append(records.csv_line(records.csv_row(hit, rank, tags=own, favourite=favourite), raw=raw))
            elif form == "paths":
                # A terminal gets a name it can show, a program gets the name.
                lines.append(records.shown(hit.photo) if sys.stdout.isatty() else records.file_name(hit.photo))
            else:
                lines.append(records.line(hit))
        write_lines(lines, b"\0" if print0 else b"\n", exact=form == "csv")
        printed += len(batch)
    return printed


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch


COMMANDS: Final = (query, export)
