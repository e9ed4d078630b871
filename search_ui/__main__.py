"""The command line: `python -m search_ui` opens the page, `python -m search_ui query "two red boats"` prints hits."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

# Nothing heavy up here: --help answers at once, and HF_HUB_OFFLINE must be set before huggingface_hub is imported.
if TYPE_CHECKING:
    from search_ui.searcher import Found

_LIBRARY = click.option(
    "--library", type=click.Path(path_type=Path, file_okay=False), envvar="SIGHTLINE_LIBRARY", show_envvar=True,
    help="The library's folder; without it the one in your user data folder.",
)  # fmt: skip
_OFFLINE = click.option("--offline", is_flag=True, help="Never touch the network, not even for a model's weights.")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@_LIBRARY
@_OFFLINE
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on. Mind who can reach it.")
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="Another name browsers may use for this server."
)
@click.option("--browser/--no-browser", default=None, help="Open the page in a browser. [default: in a terminal]")
@click.pass_context
def cli(
    context: click.Context, library: Path | None, offline: bool, port: int, host: str, hosts: tuple[str, ...],
    browser: bool | None,
) -> None:  # fmt: skip
    """Search your own pictures by describing them, or by showing one. Without a command: open the page."""
    _environment(library, offline)
    if context.invoked_subcommand is None:
        from search_ui.serve import serve

        serve(host, port, hosts, browser=sys.stderr.isatty() if browser is None else browser)


@cli.command()
@click.argument("text", nargs=-1)
@_LIBRARY
@_OFFLINE
@click.option("--image", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A picture to search with.")
@click.option("--like", type=int, metavar="ID", help="A picture of the library, by the id that --json gives.")
@click.option("-k", type=int, default=20, show_default=True, help="How many pictures at most, 1 to 500.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def query(
    text: tuple[str, ...], library: Path | None, offline: bool, image: Path | None, like: int | None, k: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Print the pictures that suit TEXT, a picture, or both: `score<TAB>path` lines, best first."""
    _environment(library, offline)
    from search_ui.query import MAX_PICTURE_BYTES, Query, QueryError
    from search_ui.searcher import Searcher
    from search_ui.services import services

    data = None
    if image is not None:
        try:
            with image.open("rb") as file:
                data = file.read(MAX_PICTURE_BYTES + 1)
        except OSError as error:
            raise QueryError(f"The picture {image} can't be read: {error.strerror}.") from error
    wanted = Query(" ".join(text), data, like, k)
    searcher: Searcher = services().searcher()
    result = searcher.search(wanted)
    _print_lines([_json_line(rank, hit) if as_json else _line(hit) for rank, hit in enumerate(result.hits, 1)])
    click.echo(f"{len(result.hits)} of {result.total} pictures, {result.seconds * 1000:.0f} ms", err=True)


def _environment(library: Path | None, offline: bool) -> None:
    # The variables are how the page, a script of its own in this process, learns of them.
    if library is not None:
        os.environ["SIGHTLINE_LIBRARY"] = str(library.expanduser().absolute())
    # Spinning OpenMP threads would take the cores from the pages' own threads; see indexer/__main__.py.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def _line(hit: Found) -> str:
    from store.paths import display, to_bytes, to_path

    return f"{hit.score:.4f}\t{display(to_bytes(to_path(hit.photo.root, hit.photo.path)))}"


def _json_line(rank: int, hit: Found) -> str:
    from store.paths import as_json, to_bytes, to_path

    photo = hit.photo
    record: dict[str, Any] = {"rank": rank, "id": photo.content_id, "score": round(hit.score, 6)}
    record["parts"] = {name: round(score, 6) for name, score in hit.parts.items()}
    absolute = to_bytes(to_path(photo.root, photo.path))
    for name, path in (("path", photo.path), ("root", photo.root), ("absolute", absolute)):
        record |= {key.replace("path", name): value for key, value in as_json(path).items()}
    return json.dumps({**record, "copies": photo.copies, **photo.facts}, ensure_ascii=False)


def _print_lines(lines: Sequence[str]) -> None:
    """Print as UTF-8 whatever the terminal claims: JSON is UTF-8, and a path must not stop the list."""
    stdout = sys.stdout.buffer
    try:
        for line in lines:
            stdout.write(line.encode("utf-8", "backslashreplace") + b"\n")
        stdout.flush()
    except BrokenPipeError:
        # Whoever read has enough. Caught here, because click would exit 1; and Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 2 could not run, 130 interrupted, 141 nobody reads the output."""
    try:
        cli.main(arguments, prog_name="sightline", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        # Imported here, once something failed anyway: SQLAlchemy takes longer than --help may.
        from sqlalchemy.exc import DatabaseError

        from store.errors import SightlineError

        if isinstance(error, SightlineError):
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        if isinstance(error, DatabaseError):
            click.echo(f"Error: the library's database can't be read ({error.orig}).", err=True)
            sys.exit(2)
        raise
    sys.exit(0)


if __name__ == "__main__":
    main()
