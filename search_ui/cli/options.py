"""What the commands share: their options, text with minus signs in it, and lines on stdout."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from sightline_cli.calls import as_called
from sightline_cli.library_options import library_options
from sightline_cli.mistakes import MARK, Command, joined
from store.printing import LAYOUT, printable

# Nothing heavy up here: --help answers at once, and HF_HUB_OFFLINE must be set before huggingface_hub is imported.
if TYPE_CHECKING:
    from sightline.query.types import Query, QueryError
    from sightline.searcher import Searcher
    from store.library import Library

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Item = TypeVar("_Item")

_WINDOW: Final = 60


class TextCommand(Command):
    """A command whose arguments may begin with a minus that is no option: `-people` excludes people."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let click see as options only what is one; by itself it reads `-house` as `-h -o -u -s -e`."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        own = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        own |= set(self.get_help_option_names(ctx))
        valued = {name for option in options if not option.is_flag for name in option.opts}
        made: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                made += [arg, *rest]
            elif arg in valued:
                made += [arg, *[value for value in [next(rest, None)] if value is not None]]
            elif len(arg) < 2 or not re.match(r"-[^-]", arg) or arg in own or re.fullmatch(r"-k=?\d+", arg):
                made.append(arg)
            else:
                if f"-{arg}" in own:
                    echo(f"Note: {arg} excludes pictures of {arg[1:]!r}. The option is -{arg}.", err=True)
                elif arg == "-n":
                    echo("Note: -n excludes pictures of 'n'. The number of pictures is -k N.", err=True)
                made.append(MARK + arg)
        return super().parse_args(ctx, made)


def _unmarked(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.removeprefix(MARK) for part in value)


def _set_library(context: click.Context, parameter: click.Parameter, folder: Path | None) -> None:
    if folder is not None:
        os.environ["SIGHTLINE_LIBRARY"] = str(folder)


def _set_offline(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ["HF_HUB_OFFLINE"] = "1"


# The variables are how the page, a script of its own in this process, learns of them.
library_option = library_options(
    _set_library, envvar="SIGHTLINE_LIBRARY", show_envvar=True, expose_value=False,
    help="The library's folder, or a PostgreSQL database as postgresql://USER@HOST/NAME; without it the folder in your "
    "user data folder.",
)  # fmt: skip
offline_option = click.option(
    "--offline", is_flag=True, expose_value=False, callback=_set_offline,
    help="Never touch the network, not even for a model's weights.",
)  # fmt: skip
port_option = click.option(
    "--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="The port of the server."
)
text_argument = click.argument("text", nargs=-1, callback=_unmarked)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")

csv_option = click.option("--csv", "as_csv", is_flag=True, help="CSV with a line of names; UTF-8.")
raw_option = click.option(
    "--raw", is_flag=True, help="With --csv: no apostrophe before texts that a spreadsheet would compute, such as =1+1."
)


def complete_saved(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the name of a saved search."""
    return _completed(begun, lambda library: [search.name for search in library.marks.saved_searches()])


def complete_space(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the name of a model of the library."""
    return _completed(begun, lambda library: [space.name for space in library.catalog.spaces()])


def complete_tag(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a tag."""
    return _completed(begun, lambda library: [name for name, _ in library.marks.tags()])


def complete_concept(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the name of a concept."""
    return _completed(begun, lambda library: [concept.name for concept in library.concepts.all()])


def _completed(begun: str, names: Callable[[Library], list[str]]) -> list[str]:
    """The names that begin so, of a library that can be opened; a shell is told no error."""
    from store.errors import LibraryError
    from store.library import Library
    from store.paths import default_library

    try:
        with Library.open(default_library()) as library:
            return [name for name in names(library) if name.casefold().startswith(begun.casefold())]
    except LibraryError:
        return []


def terms(command: _Command) -> _Command:
    """Add the arguments and options of a query: `text`, `saved`, `images`, `likes`; see `query_of`."""
    for decorate in (
        click.option("--like", "likes", type=int, multiple=True, metavar="ID",
                     help="A picture of the library, by the id that --json gives; may be given again."),
        click.option("--image", "images", type=click.Path(path_type=Path, exists=True, dir_okay=False), multiple=True,
                     metavar="FILE", help="A picture to search with; may be given again."),
        click.option("--saved", metavar="NAME", shell_complete=complete_saved,
                     help="The text of a saved search, before TEXT."),
        text_argument,
    ):  # fmt: skip
        command = decorate(command)
    return command


def query_of(
    text: Sequence[str], saved: str | None = None, images: Sequence[Path] = (), likes: Sequence[int] = ()
) -> tuple[Query, Mapping[str, bytes]]:
    """Return the query of a command line, and its pictures by the names "1", "2" ...

    Raises:
        QueryError: the text is wrong, and the message points at the place; a picture can't be read; there is no saved
            search of this name.
        LibraryError: a saved search was asked for, and the library can't be opened.
    """
    from sightline.query.types import Group, Like, Term

    whole = " ".join([*([_saved(saved)] if saved is not None else []), *text])
    pictures = {str(number): _read(path) for number, path in enumerate(images, 1)}
    query = parsed(whole).with_pictures(tuple(pictures))
    return replace(query, groups=(*query.groups, *(Group((Term(Like(id_)),)) for id_ in likes))), pictures


def parsed(text: str) -> Query:
    """A text in the query language, read.

    Raises:
        QueryError: as `sightline.query.parser.parse`, with the text and a mark under the place.
    """
    from sightline.query.parser import parse
    from sightline.query.types import QueryError

    try:
        return parse(text)
    except QueryError as error:
        raise QueryError(f"{error}{_pointed(text, error)}") from error


def _pointed(text: str, error: QueryError) -> str:
    """Return the text around a mistake, and a line of carets under it; empty where its place is unknown."""
    if error.start is None:
        return ""
    end = max(error.start + 1, error.end if error.end is not None else 0)
    # A control character could drive the terminal, and a line end would put the carets under the wrong line.
    plain = "".join(" " if unicodedata.category(char).startswith("C") or char.isspace() else char for char in text)
    first, last = max(0, error.start - _WINDOW), end + _WINDOW
    before, place, after = plain[first : error.start], plain[error.start : end], plain[end:last]
    head, tail = "..." if first else "", "..." if last < len(plain) else ""
    return f"\n  {head}{before}{place}{after}{tail}\n  {' ' * _columns(head + before)}{'^' * max(1, _columns(place))}"


def _columns(text: str) -> int:
    """Return the terminal cells of a text: wide characters take two (UAX #11), combining ones none."""
    widths = (
        2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text if not unicodedata.combining(char)
    )
    return sum(widths)


def _saved(name: str) -> str:
    from search_ui.cli import opened
    from sightline.query.types import QueryError

    found = {search.name: search.query for search in opened.library().marks.saved_searches()}
    if name not in found:
        known = f"There are: {', '.join(found)}." if found else "There are none yet; `save NAME TEXT` makes one."
        raise QueryError(f"There is no saved search {name!r}. {known}")
    return found[name]


def _read(path: Path) -> bytes:
    from sightline.query.types import MAX_PICTURE_BYTES, QueryError

    try:
        with path.open("rb") as file:
            data = file.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise QueryError(f"The picture {path} can't be read: {error.strerror}.") from error
    if len(data) > MAX_PICTURE_BYTES:
        raise QueryError(f"The picture {path} is larger than {MAX_PICTURE_BYTES / 1e6:.0f} MB. Save it smaller.")
    return data


def echo(text: str, *, err: bool = False) -> None:
    """Print a text of one or several lines, so that nothing in it drives the terminal.

    What goes to stderr calls commands as the user does.
    """
    click.echo(printable(as_called(text) if err else text, LAYOUT), err=err)


def write_lines(lines: Iterable[str | bytes], end: bytes = b"\n", *, exact: bool = False) -> None:
    """Print lines as UTF-8, whatever the terminal claims; bytes as they are.

    JSON is UTF-8, and a path that the terminal can't show must not stop the list. Nothing in a text drives a terminal.
    A reader that has enough ends the program with 141.

    Args:
        lines: what is printed.
        end: after each of them.
        exact: texts are for a program, so only a terminal is given them without what drives it.
    """
    stdout, exact = sys.stdout.buffer, exact and not sys.stdout.isatty()
    try:
        for line in lines:
            text = printable(line, "\t") if not exact and isinstance(line, str) else line
            stdout.write((text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")) + end)
        stdout.flush()
    except BrokenPipeError:
        # Caught here, because click would exit 1; and Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


@contextmanager
def named_pictures(paths: Sequence[Path]) -> Iterator[None]:
    """Have errors in a `with` block name the files that `query_of` made pictures of."""
    from sightline.query.types import PictureError, QueryError

    try:
        yield
    except PictureError as error:
        raise QueryError(f"The picture {paths[int(error.name) - 1]} can't be read: {error.reason}.") from error


def filled_searcher() -> Searcher:
    """The searcher of the library.

    Raises:
        LibraryError: there is no library, or no picture in it; the message has the command to run.
    """
    from search_ui.cli import opened
    from store.errors import LibraryError
    from store.remote import shown

    searcher = opened.searcher()
    if not searcher.library.catalog.counts().pictures:
        given = os.environ.get("SIGHTLINE_LIBRARY")
        where = f" --library {joined([given])}" if given else ""
        raise LibraryError(
            f"The library {shown(searcher.library.path)} has no pictures yet. "
            f"Index a folder: python -m indexer ./photos{where}"
        )
    return searcher


def whole_library(wanted: Query) -> Query:
    """The query; every picture there is, duplicates not folded, where it asks for nothing."""
    from store.tables.filters import Number

    return replace(wanted, filters=(Number("size", 0, None),), dedup=False) if wanted.is_of_all else wanted


def check_something(wanted: Query, *, order_is_enough: bool = False) -> Query:
    """The query, unless it asks for nothing.

    An order alone is enough to look at pictures (`order_is_enough`), not to change or copy any.

    Raises:
        QueryError: says so.
    """
    from sightline.query.types import QueryError

    if wanted.is_empty or (wanted.is_of_all and not order_is_enough):
        raise QueryError(
            "There is nothing to search for: give some words, a picture or a filter; --all is the whole library."
        )
    return wanted


def check_one_form(**flags: bool) -> None:
    """Refuse more than one of several ways to print.

    Raises:
        click.UsageError: names those that were given.
    """
    given = [f"--{name}" for name, on in flags.items() if on]
    if len(given) > 1:
        raise click.UsageError(f"Use either {' or '.join(given)}.")


def check_raw(raw: bool, as_csv: bool) -> None:
    """Refuse `--raw` without `--csv`.

    Raises:
        click.UsageError: says so.
    """
    if raw and not as_csv:
        raise click.UsageError("--raw says how --csv writes texts: give both.")


def with_progress(items: Iterable[_Item], doing: str) -> Iterator[_Item]:
    """Return the items, with a progress bar on a terminal where nothing else is printed."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        return iter(items)
    from rich.console import Console
    from rich.progress import track

    return iter(track(items, doing, console=Console(stderr=True), transient=True))
