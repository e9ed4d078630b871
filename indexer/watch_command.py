"""The command `watch`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import click

from indexer.common_options import json_option, library_option
from indexer.messages import echo, set_up_logging
from indexer.signals import stop_on_signals
from indexer.walk_arguments import walk_options
from sightline_cli.mistakes import Command
from store.addresses import is_address, local_folder
from store.paths import default_library, display, to_bytes
from store.walk_options import WalkChoice


@click.command(cls=Command)
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER...]")
@library_option
@click.option(
    "--switched", is_flag=True, help="Without FOLDER: watch those that were switched on at the Library page."
)  # fmt: skip
@click.option(
    "--every",
    type=click.FloatRange(0.5, 86_400),
    default=None,
    metavar="N",
    help="Look for changes every N seconds: addresses are watched only so. Default: as soon as the system reports "
    "them; on network drives every 60.",
)
@click.option("--space", default=None, metavar="NAME", help="The model, as `index` takes it.")
@click.option("--device", default="auto", show_default=True, metavar="NAME", help="Where the model runs.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=None, metavar="N", help="Threads that read and decode at once."
)
@walk_options
@click.option("--offline", is_flag=True, help="Use no network, even where weights are missing.")
@json_option
@click.option("-v", "--verbose", count=True, help="Say more; twice for debugging.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def watch(
    folders: tuple[Path, ...], library_path: Path | None, switched: bool, every: float | None, space: str | None,
    device: str, workers: int | None, walk: WalkChoice, offline: bool, as_lines: bool, verbose: int, quiet: bool,
) -> int:  # fmt: skip
    """Index FOLDERs, then wait for changes and index those: without FOLDER, all of the library.

    A change can be found within seconds of its last write. What is gone is marked missing, and nothing is ever
    forgotten; a drive that goes away is waited for. Other runs may be made meanwhile. With --json, a line for each run.

    Exit codes: 2 could not run, 75 another watcher is at work on the library, 130 or 143 stopped.
    """
    if folders and switched:
        raise click.UsageError("--switched chooses folders by itself. Leave it out, or the folders.")
    from indexer.options import Options
    from indexer.progress_bar import RunScreen
    from indexer.roots import check_before_creating
    from indexer.watcher import Watcher, Watching
    from sightline.models.memory import keep_freed
    from store.library import Library
    from store.lock import watching

    keep_freed()
    set_up_logging(verbose, quiet)
    if every is None and (told := next((folder for folder in folders if is_address(local_folder(folder))), None)):
        raise click.UsageError(
            f"Nobody tells of changes at an address: {display(to_bytes(told))} can't be watched. Say how often it is "
            "looked through, as in --every 600."
        )
    if hasattr(signal, "SIGIO"):
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # see `indexer.growing`

    def say(text: str) -> None:
        if not quiet:
            echo(text, err=True)

    def result(summary: dict[str, Any]) -> None:
        if as_lines:
            click.echo(json.dumps(summary))
            sys.stdout.flush()

    path = (library_path or default_library()).expanduser().absolute()
    if folders:
        check_before_creating(folders, path, walk)
    else:
        Library.open(path).close()
    options = Options(walk, device, workers=workers)
    chosen = Watching(path, folders, switched, space, every, options, offline)
    watcher = Watcher(
        chosen, say, lambda: RunScreen(sys.stderr, quiet=quiet or as_lines, verbose=bool(verbose)), result
    )  # fmt: skip

    def note(text: str) -> None:
        if watcher.is_running:
            say(text)

    with watching(path), stop_on_signals(watcher.interrupt, note) as received:
        watcher.watch()
    return received[0] if received else 0
