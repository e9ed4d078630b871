"""The commands for tags, favourites and saved searches."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from search_ui.cli.mistakes import (
    favourites_meant,
    left_marks_meant,
    lists_meant,
    saves_meant,
    searches_meant,
    tags_meant,
)
from search_ui.cli.options import (
    TextCommand,
    check_something,
    complete_saved,
    complete_tag,
    echo,
    filled_searcher,
    json_option,
    library_option,
    offline_option,
    parsed,
    query_of,
    text_argument,
    write_lines,
)
from sightline_cli.mistakes import Command, joined
from store.printing import json_text

# Nothing heavy up here: --help answers at once.
if TYPE_CHECKING:
    from store.library import Library


class _Id(click.IntRange):
    """The id of a picture."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            if str(value).lstrip("-").isdecimal():
                raise
            self.fail(f"{value!r} is no id. `query --json` gives the ids of pictures.", param, ctx)


# SQLite's largest integer is the largest id.
_ids_argument = click.argument("ids", nargs=-1, type=_Id(1, 2**63 - 1), metavar="[ID]...")
_query_option = click.option("--query", "text", metavar="TEXT", help="All matches of TEXT, near-duplicates too.")


@click.command(cls=Command, meant=tags_meant)
@_ids_argument
@_query_option
@click.option(
    "--add",
    "added",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_tag,
    help="A tag to give them; may be given again.",
)
@click.option(
    "--remove",
    "removed",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_tag,
    help="A tag to remove; may be given again.",
)
@library_option
@offline_option
def tag(ids: Sequence[int], text: str | None, added: Sequence[str], removed: Sequence[str]) -> None:
    """Add tags to pictures, or remove them. IDs are those that `query --json` gives."""
    if not added and not removed:
        raise click.UsageError("There is nothing to change: say --add NAME or --remove NAME.")
    from sightline.humanize import count

    library, chosen = _chosen(ids, text)
    library.marks.change(chosen, add=added, remove=removed)
    click.echo(f"{count(len(chosen), 'picture')} changed", err=True)


@click.command(cls=Command, meant=favourites_meant)
@_ids_argument
@_query_option
@click.option("--remove", is_flag=True, help="They are favourites no more.")
@library_option
@offline_option
def favourite(ids: Sequence[int], text: str | None, remove: bool) -> None:
    """Make pictures favourites. IDs are those that `query --json` gives."""
    from sightline.humanize import count

    library, chosen = _chosen(ids, text)
    library.marks.favourite(chosen, not remove)
    click.echo(f"{count(len(chosen), 'picture')} changed", err=True)


@click.command(cls=Command, meant=lists_meant)
@json_option
@library_option
def tags(as_json: bool) -> None:
    """List the tags, each with the number of its pictures: `tag<TAB>number` lines."""
    from search_ui.cli import opened

    found = opened.library().marks.tags()
    write_lines(
        json_text({"tag": name, "pictures": number}) if as_json else f"{name}\t{number}" for name, number in found
    )
    if not found:
        echo("There are no tags yet. python -m search_ui tag ID --add NAME gives one.", err=True)


@click.command(cls=TextCommand, meant=saves_meant)
@click.argument("name")
@text_argument
@library_option
def save(name: str, text: Sequence[str]) -> None:
    """Save the search TEXT under NAME, or replace it. `query --saved NAME` searches for it."""
    from search_ui.cli import opened
    from sightline.query.types import QueryError
    from sightline.records import saved_text

    if not text:
        raise QueryError(
            "There is nothing to save: give a name, and then the search. "
            f"To do that: python -m search_ui save NAME {joined([name])}"
        )
    opened.library().marks.save_search(name, saved_text(parsed(" ".join(text))))
    echo(f"Saved the search {name!r}. To search for it: python -m search_ui query --saved {joined([name])}", err=True)


@click.command(cls=Command, meant=searches_meant)
@click.option(
    "--delete",
    "deleted",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_saved,
    help="Delete this one; may be given again.",
)
@json_option
@library_option
def searches(deleted: Sequence[str], as_json: bool) -> None:
    """List the saved searches: `name<TAB>text` lines."""
    from search_ui.cli import opened
    from sightline.query.types import QueryError

    marks = opened.library().marks
    for name in deleted:
        if not marks.delete_search(name):
            raise QueryError(f"There is no saved search {name!r}. `searches` lists them.")
    if deleted:
        from sightline.humanize import count

        echo(f"{count(len(deleted), 'saved search', 'saved searches')} deleted", err=True)
        return
    found = marks.saved_searches()
    write_lines(json_text(asdict(search)) if as_json else f"{search.name}\t{search.query}" for search in found)
    if not found:
        echo("There are no saved searches yet. python -m search_ui save NAME TEXT makes one.", err=True)


@click.command("left-marks", cls=Command, meant=left_marks_meant)
@_ids_argument
@click.option("--all", "everything", is_flag=True, help="All of them, not only IDs.")
@click.option("--move", is_flag=True, help="Give them to the picture that lies at their path now.")
@click.option("--delete", is_flag=True, help="Delete them.")
@json_option
@library_option
def left_marks(ids: Sequence[int], everything: bool, move: bool, delete: bool, as_json: bool) -> None:
    """List marks of pictures whose file holds another picture now, move them to that one, or delete them.

    IDs are those of the old pictures, as this command and `python -m indexer status` list them.
    """
    from search_ui.cli import opened
    from sightline.humanize import count
    from sightline.left_marks import left_marks_record, left_marks_text
    from store.tables.marks import MarksError

    if move and delete:
        raise click.UsageError("--move and --delete can't go together: say one of them.")
    if (move or delete) and bool(ids) == everything:
        raise click.UsageError("Say which marks: IDs, or --all.")
    marks = opened.library().marks
    left = marks.left()
    if unknown := set(ids) - {each.content_id for each in left}:
        shown = ", ".join(map(str, sorted(unknown)))
        raise MarksError(f"No marks were left behind by picture {shown}. `left-marks` without IDs lists who did.")
    chosen = [each for each in left if not ids or each.content_id in ids]
    if move:
        done = marks.move_left(chosen)
        click.echo(f"Marks of {count(done, 'picture')} moved", err=True)
        if still := {each.content_id for each in chosen if each.now is None}:
            click.echo(f"Left: marks of {count(len(still), 'picture')} whose file is missing or not known", err=True)
    elif delete:
        click.echo(f"Marks of {count(marks.drop_left(chosen), 'picture')} deleted", err=True)
    else:
        write_lines(json_text(left_marks_record(each)) if as_json else left_marks_text(each) for each in chosen)
        if not chosen:
            echo("No marks stayed with an old version of a picture.", err=True)


@click.command("export-marks", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@library_option
def export_marks(file: Path) -> None:
    """Write tags, favourites, saved searches, concepts and what is marked for removal to FILE as JSON.

    Pictures are named by their content, photos by their place too.
    """
    from search_ui.cli import opened
    from store.marks_backup import write_marks

    marks = opened.library().marks.export()
    if str(file) == "-":
        write_lines(json_text(marks, indent=1).split("\n"))
    else:
        write_marks(file.absolute(), marks)
    echo(f"Exported {_exported(marks)}{'' if str(file) == '-' else f' to {file}'}", err=True)


@click.command("import-marks", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@library_option
def import_marks(file: Path) -> int:
    """Add the marks in FILE, from `export-marks`: tags, saved searches, concepts and others.

    FILE `-` is stdin. What is there stays. Marks of pictures that this library does not have are counted, and the exit
    code is 1; so are photos that are not at their place or hold something else there.
    """
    from search_ui.cli import opened
    from sightline.humanize import count
    from store.tables.marks import MarksError

    try:
        done = opened.library().marks.restore(_json_in(file))
    except RecursionError:
        raise MarksError(f"{file} is nested too deeply. Give a file that `export-marks` wrote.") from None
    added = (
        count(done.tags, "tag"),
        count(done.favourites, "favourite"),
        f"{done.searches} saved search{'' if done.searches == 1 else 'es'}",
        count(done.set_aside, "photo marked for removal", "photos marked for removal"),
        *([count(done.selected, "picture of a selection", "pictures of selections")] if done.selected else []),
        *([count(done.taught, "picture of a concept", "pictures of concepts")] if done.taught else []),
    )
    click.echo(f"{', '.join(added)} added", err=True)
    for name in done.kept:
        echo(f"Kept: the saved search {name!r} has another text here", err=True)
    for name in done.other_selections:
        echo(f"Kept: the selection {name} has other pictures here", err=True)
    if done.unknown:
        click.echo(
            f"Left out: marks of {count(len(done.unknown), 'picture')} not in this library, by SHA-256:", err=True
        )
        for digest in done.unknown:
            echo(f"  {digest}", err=True)
    if done.elsewhere:
        click.echo(
            f"Left out: {count(len(done.elsewhere), 'photo')} marked for removal, not in this library or changed:",
            err=True,
        )
        for path in done.elsewhere:
            echo(f"  {path}", err=True)
    return 1 if done.unknown or done.elsewhere else 0


def _exported(marks: Mapping[str, Any]) -> str:
    """Say how many marks there are, from `Marks.export`."""
    from sightline.humanize import count

    tagged = sum(map(len, marks["tags"].values()))
    return ", ".join(
        (
            f"{count(len(marks['tags']), 'tag')} of {count(tagged, 'picture')}",
            count(len(marks["favourites"]), "favourite"),
            count(len(marks["searches"]), "saved search", "saved searches"),
            count(len(marks["set_aside"]), "photo marked for removal", "photos marked for removal"),
            *([count(len(concepts), "concept")] if (concepts := marks.get("concepts")) else []),
        )
    )


def _json_in(file: Path) -> Any:
    from store.tables.marks import MarksError

    try:
        data = json.loads(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
        # JSON can spell half of a surrogate pair, which the library's database can't hold.
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MarksError(
            f"{file} has half a character (a surrogate) in it. Give a file that `export-marks` wrote."
        ) from None
    except ValueError as error:
        raise MarksError(f"{file} is no JSON ({error}). Give a file that `export-marks` wrote.") from error
    return data


def _chosen(ids: Sequence[int], text: str | None) -> tuple[Library, list[int]]:
    """Return the library, and the content ids that a command line names: ids, and matches of a query."""
    from sightline.query.types import QueryError

    if not ids and text is None:
        raise click.UsageError("There are no pictures to change: give ids, or --query TEXT.")
    searcher = filled_searcher()
    catalog = searcher.library.catalog
    unknown = [id_ for id_ in ids if catalog.hash_of(id_) is None]
    if unknown:
        shown = ", ".join(map(str, unknown[:10]))
        raise QueryError(f"There is no picture {shown} in this library. Ids are those that `query --json` gives.")
    chosen = dict.fromkeys(ids)
    if text is not None:
        # One by one: in an order of dates a hit that is only near the threshold can have one above it folded into it.
        wanted = replace(check_something(query_of([text])[0]), dedup=False)
        chosen |= dict.fromkeys(hit.photo.content_id for hit in searcher.matches(wanted) if hit.band == "strong")
    return searcher.library, list(chosen)


COMMANDS: Final = (tag, favourite, tags, save, searches, left_marks, export_marks, import_marks)
