"""The indexer's command line: the only place in this package that prints and decides exit codes."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer import backup_commands, export_command, library_commands, watch_command
from indexer.common_options import checked_grid, json_option, library_option
from indexer.messages import STOPPED, echo, set_up_logging
from indexer.on_arguments import on_options
from indexer.signals import INTERRUPTED, stop_on_signals
from indexer.walk_arguments import walk_options
from sightline.models.changes import LARGEST, SMALLEST, sized
from sightline_cli.mistakes import Group
from store.checked_files import is_there
from store.disk_errors import disk_sentence
from store.errors import SightlineError
from store.paths import as_json, default_library, display, to_bytes

if TYPE_CHECKING:
    from indexer.doubt import Prune
    from indexer.options import OnRay
    from sightline.images.gpu_jpeg import GpuJpegDecoder
    from store.walk_options import WalkChoice

DONE, SOME_FAILED, COULD_NOT = 0, 1, 2
log = logging.getLogger("indexer")


def run(arguments: Sequence[str], program: str = "python -m indexer") -> int:
    """Run the command line `arguments` and return the exit code; every error is one sentence on stderr.

    Args:
        arguments: what follows the name of the program.
        program: that name, as the user typed it.
    """
    try:
        code = cli.main(list(arguments), prog_name=program, standalone_mode=False)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        echo(shown.getvalue().rstrip("\n"), err=True)
        return COULD_NOT
    except (click.Abort, KeyboardInterrupt):
        click.echo(STOPPED, err=True)
        return INTERRUPTED
    except SightlineError as error:
        echo(f"Error: {error}", err=True)
        return error.exit_code
    except OSError as error:
        about = f": {display(os.fsencode(error.filename))}" if error.filename else ""
        echo(f"Error: {disk_sentence(error) or f'{error.strerror or error}{about}'}", err=True)
        return COULD_NOT
    except Exception as error:  # the last resort: no traceback for a user who did not ask for one
        # Imported here, once something failed anyway: SQLAlchemy takes longer than --help may.
        from sqlalchemy.exc import DBAPIError

        if isinstance(error, DBAPIError):
            echo(f"Error: the library's database said: {error.orig}. Check it with: python -m indexer verify", err=True)
            return COULD_NOT
        log.debug("the run ended with", exc_info=error)
        said = f"{type(error).__name__}: {error}"
        echo(f"Error: {said}. Run with -vv for the details, and please report it.", err=True)
        return COULD_NOT
    return code if isinstance(code, int) else DONE


class _DefaultToIndex(Group):
    """A first word that is no command is a folder: `python -m indexer ./photos` means `index ./photos`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        word = args[0] if args else "--help"
        if word not in self.commands and word not in ("-h", "--help", "--version"):
            is_name = not word.startswith("-") and Path(word).name == word and not is_there(Path(word))
            if is_name and not ctx.resilient_parsing:
                meant = self.meant(ctx, args) or f"To search for it: {self.line(ctx, ['query', *args])}"
                raise click.UsageError(f"There is no folder and no command {word!r}. {meant}", ctx=ctx)
            args = ["index", *args]
        return super().parse_args(ctx, args or ["--help"])


@click.group(cls=_DefaultToIndex, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Index folders of pictures, so that they can be found by words or by picture.

    \b
    python -m indexer ./photos            index a folder (the same as: index ./photos)
    python -m indexer ./status            a folder that is named like a command
    """


@cli.command(meant=lambda words: None if words else ["./photos"])
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@library_option
@click.option(
    "--space",
    default=None,
    metavar="NAME",
    help="The model: a preset (see `spaces --all`), MODEL/TAG of open_clip, hf-hub:ORG/NAME or "
    "local-dir:PATH. Default: all models of the library; in a new one `balanced` with a GPU, else `fast`.",
)
@click.option(
    "--size",
    type=click.IntRange(SMALLEST, LARGEST),
    default=None,
    metavar="PX",
    help="The side of the pictures that the model of --space looks at, as in --space fast --size 448: the same as "
    "--space 'fast;size=448'. A space of its own. Models are trained at one size, so quality may fall. Default: the "
    "model's own.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Where the model runs: auto, cuda (every GPU), cuda:1 (one), mps or cpu.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "bf16", "fp16", "fp32"]),
    default="auto",
    show_default=True,
    help="The model's arithmetic; auto is what runs the model fastest on the device.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 256),
    default=None,
    metavar="N",
    help="Pictures encoded at once. Default: measured while running.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    metavar="N",
    help="Threads that read and decode at once. Default: one per core.",
)
@click.option(
    "--decode-on",
    type=click.Choice(["cores", "gpu"]),
    default="cores",
    show_default=True,
    help="What decodes JPEGs: the processor's cores, or a GPU (CUDA, with torchcodec) beside them.",
)
@click.option(
    "--file-seconds",
    type=click.FloatRange(0.1, 86_400),
    default=None,
    metavar="N",
    help="Seconds after which a file whose decoder, or disk, does not answer has failed. Default: 180 for a decoder, "
    "and 90 of a processor; 60 for a disk.",
)
@walk_options
@click.option(
    "--tiles",
    type=int,
    default=None,
    metavar="N",
    callback=checked_grid,
    help="Find small things: encode overlapping parts of each picture too, N along its shorter side. Kept, so later "
    "runs do the same; 0 ends it. Of pictures that are known the files are read again. Costs many times the encoding.",
)
@on_options
@click.option("--dry-run", is_flag=True, help="Print what would be read or is gone; change nothing.")
@click.option(
    "--prune",
    is_flag=True,
    help="Forget photos of these folders that are missing. A picture that no photo is left of loses its tags and its "
    "being a favourite for good; that is asked first.",
)
@click.option(
    "--prune-emptied",
    is_flag=True,
    help="As --prune, and also photos of folders that are gone or empty as a whole, which may be a drive's.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="Forget without asking, also where marks are lost or more than a third of a folder is gone; and take another "
    "disk in the place of a folder's as meant.",
)
@click.option("--lose-marks", is_flag=True, help="Forget where marks are lost without asking; doubt as without --yes.")
@click.option("--rescan", is_flag=True, help="Read every file, also those that look as they did.")
@click.option("--offline", is_flag=True, help="Use no network, even where weights are missing.")
@json_option
@click.option("-v", "--verbose", count=True, help="Say more; twice for debugging.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def index(
    folders: tuple[Path, ...], library_path: Path | None, space: str | None, size: int | None, device: str,
    precision: str, batch_size: int | None, workers: int | None, decode_on: str, file_seconds: float | None,
    walk: WalkChoice, tiles: int | None, on: OnRay | None, dry_run: bool, prune: bool, prune_emptied: bool, yes: bool,
    lose_marks: bool, rescan: bool, offline: bool, as_lines: bool, verbose: int, quiet: bool,
) -> int:  # fmt: skip
    """Index FOLDERs of pictures: encode what is new or changed, note what moved or is gone.

    A FOLDER may be an address in a store of objects: s3://BUCKET/PHOTOS.

    Exit codes: 0 done, 1 done but some files can't be indexed (see `failures`), 2 could not run, 75 another indexer
    is at work on the library, 130 or 143 interrupted.
    """
    from indexer.asking import Question
    from indexer.chosen_spaces import choose
    from indexer.doubt import Prune
    from indexer.model_progress import model_shown
    from indexer.options import Options
    from indexer.pipeline import Pipeline
    from indexer.progress_bar import RunScreen
    from indexer.read_ahead import started_early, threads_of
    from indexer.roots import check_before_creating
    from indexer.run_lock import run_locked
    from indexer.summary_text import print_summary
    from indexer.tiling import costs
    from sightline.models.memory import keep_freed

    keep_freed()
    set_up_logging(verbose, quiet)
    path = (library_path or default_library()).expanduser().absolute()
    planned = Prune(prune_emptied, yes) if prune or prune_emptied else None
    if size is not None:
        if space is None:
            raise click.UsageError(f"--size {size} changes a model: say which, as in --space fast --size {size}.")
        space = sized(space, size)
    if dry_run:
        if rescan:
            raise click.UsageError("--rescan reads every file, and --dry-run none. Leave one out.")
        if tiles is not None:
            raise click.UsageError("--tiles changes the library, and --dry-run nothing. Leave one out.")
        return _dry_run(folders, path, walk, space, offline, as_lines, planned, yes=yes)
    check_before_creating(folders, path, walk)
    from store.library import Library

    decoder = _gpu_decoder(decode_on, device, workers)
    screen = RunScreen(sys.stderr, quiet=quiet or as_lines, verbose=bool(verbose))
    with (
        run_locked(path, folders),
        decoder as gpu,
        started_early(path, threads_of(gpu, workers), file_seconds, on) as early,
        screen,
    ):
        with model_shown(path, folders, screen.show, screen.hide):
            chosen = choose(path, space, device, offline=offline)
        screen.announce(f"Indexing {', '.join(display(to_bytes(folder)) for folder in folders)}")
        options = Options(
            walk, device, precision, batch_size, workers, planned, rescan, file_seconds, yes, tiles, on=on
        )
        with Library.create(path) as library:
            library.sweep()
            for model in () if space is None or quiet else chosen.models:
                if remark := model.remark():
                    screen.note(remark)
            for line in () if tiles is None or quiet else costs(library, chosen.models, tiles):
                screen.note(line)
            question = Question(yes=yes or lose_marks, before=screen.hide)
            pipeline = Pipeline(library, chosen, options, screen.show, (), gpu, question, early)
            with stop_on_signals(pipeline.stop.set, screen.note) as received:
                summary = pipeline.run(folders)
    if as_lines:
        click.echo(
            json.dumps({**summary.to_dict(), "library": display(os.fsencode(path)), "interrupted": bool(received)})
        )
    elif not quiet:
        print_summary(sys.stderr, summary, path, verbose=bool(verbose))
    if received:
        click.echo("Stopped after the batch at hand. Run the same command to go on where it left off.", err=True)
        return received[0]
    if question.refusal is not None:
        raise question.refusal
    if planned is not None and (refusal := planned.refusal()) is not None:
        raise refusal
    return SOME_FAILED if summary.failed else DONE


@contextmanager
def _gpu_decoder(decode_on: str, device: str, workers: int | None) -> Iterator[GpuJpegDecoder | None]:
    """Open the JPEG decoder on the GPU `device`, or the first one; None where only the cores decode."""
    if decode_on == "cores":
        yield None
        return
    from sightline.images.gpu_jpeg import GpuJpegDecoder

    decoder = GpuJpegDecoder(device if device.startswith("cuda") else "cuda", workers or os.cpu_count() or 1)
    try:
        yield decoder
    finally:
        decoder.close()


def _dry_run(
    folders: Sequence[Path], path: Path, walk: WalkChoice, space: str | None, offline: bool, as_lines: bool,
    prune: Prune | None, *, yes: bool,
) -> int:  # fmt: skip
    from indexer.dry_run import plan, planned_spaces
    from indexer.forget import say_what_goes

    space_ids = planned_spaces(path, space, offline=offline)
    for change, target, relative in plan(folders, path, walk, space_ids, prune, yes=yes):
        if as_lines:
            click.echo(json.dumps({"change": change, "root": os.fsdecode(to_bytes(target)), **as_json(relative)}))
        else:
            click.echo(f"{change}\t{display(to_bytes(target) + b'/' + relative)}")
    if prune is not None:
        say_what_goes(path, prune.photo_ids, as_lines)
        if (refusal := prune.refusal()) is not None:
            raise refusal
    return DONE


for _command in (*library_commands.COMMANDS, *backup_commands.COMMANDS, *export_command.COMMANDS, watch_command.watch):
    cli.add_command(_command)
