"""The commands `backup`, `restore` and `move-root`."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from indexer.common_options import json_option, library_option
from indexer.messages import echo
from indexer.steps_shown import steps_shown, terminable
from sightline_cli.mistakes import Command
from store.paths import default_library

if TYPE_CHECKING:
    from store.archive import Manifest, Progress

_STEPS: Final = {
    "copying": "copying the database",
    "writing": "writing",
    "thumbnails": "writing thumbnails",
    "reading": "reading",
    "checking": "checking what was written",
}


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@library_option
@click.option("--thumbnails", is_flag=True, help="Take thumbnails along. Without, they are made again when needed.")
@click.option("--replace", is_flag=True, help="Replace FILE if it is there; the old one stays until the new is whole.")
@json_option
def backup(file: Path, library_path: Path | None, thumbnails: bool, replace: bool, as_lines: bool) -> None:
    """Write a backup of the library to FILE, also while it is indexed or searched.

    It holds what was read from pictures, vectors, tags and all other marks, settings and saved searches. It holds no
    pictures, and nothing that is made again from the rest. Only its owner may read it. It is read again, and compared,
    before it gets its name.
    """
    import sightline
    from store.backup import back_up

    with terminable(), _progress() as show:
        done = back_up(
            _path(library_path), file.expanduser().absolute(), thumbnails=thumbnails, replace=replace,
            program=sightline.__version__, progress=show,
        )  # fmt: skip
    if as_lines:
        told = {"file": str(done.path), "bytes": done.size, **asdict(done.manifest), "thumbnails": done.thumbnails}
        click.echo(json.dumps(told))
    else:
        held = f", with {done.thumbnails:,} thumbnails" if thumbnails else ""
        echo(f"Backed up {_in_words(done.manifest)}{held}: {done.size / 1e6:,.1f} MB in {done.path}", err=True)


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@library_option
@click.option(
    "--replace",
    is_flag=True,
    help="Also where a library is: it is kept in the same folder, as before-restore-DATE.",
)
@click.option("--dry-run", is_flag=True, help="Read and check FILE, say what it holds; change nothing.")
@json_option
def restore(file: Path, library_path: Path | None, replace: bool, dry_run: bool, as_lines: bool) -> None:
    """Make a library from the backup FILE, in a folder that is missing or empty.

    The whole file is checked before anything is put in place. A backup of an older version is brought up to date.
    Restore only what you made yourself: checksums tell damage, not another author. Where the pictures lie
    elsewhere now, say so by `move-root`.
    """
    from store.restore import check_backup
    from store.restore import restore as put_back

    path, source = _path(library_path), file.expanduser().absolute()
    with terminable(), _progress() as show:
        if dry_run:
            manifest, aside, held = check_backup(source, show), None, 0
        else:
            done = put_back(source, path, replace=replace, progress=show)
            manifest, aside, held = done.manifest, done.aside, done.thumbnails
    if as_lines:
        told = {"file": str(source), **asdict(manifest)}
        if not dry_run:
            told |= {"library": str(path), "thumbnails": held, "aside": None if aside is None else str(aside)}
        click.echo(json.dumps(told))
        return
    if dry_run:
        echo(f"{source} is whole: {_in_words(manifest)}, made {_age(manifest)}.", err=True)
        return
    echo(f"Restored {_in_words(manifest)}, made {_age(manifest)}, into {path}", err=True)
    if aside is not None:
        echo(f"The library that was there is in {aside}", err=True)
    for root in manifest.roots:
        if not Path(root).is_dir():
            echo(
                f"The folder {root} is not here now. If it is elsewhere: python -m indexer move-root {root} NEW",
                err=True,
            )


@click.command("move-root", cls=Command)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@library_option
@click.option("--yes", is_flag=True, help="Also where NEW is not there now, or holds none of the files looked for.")
@json_option
def move_root(old: Path, new: Path, library_path: Path | None, yes: bool, as_lines: bool) -> None:
    """Tell the library that what was in the folder OLD is in the folder NEW now.

    For a disk with another mount point or drive letter, a folder that was renamed, or a library that was restored
    elsewhere. OLD is a folder of the library, as `status` lists it, and need not be there. Some files are looked for
    in NEW, by size and hash. No file is touched; the next run reads those again that look otherwise than in OLD.
    """
    from indexer.move_root import move_root as move

    moved = move(_path(library_path), old, new, yes=yes)
    if as_lines:
        click.echo(json.dumps(asdict(moved)))
        return
    echo(f"{moved.root} is now {moved.to}, with {moved.photos:,} photos.", err=True)
    if moved.found < moved.looked_for:
        missing = moved.looked_for - moved.found
        echo(
            f"Of {moved.looked_for} files that were looked for, {missing} are not there as they were. "
            "The next run finds out which.", err=True,
        )  # fmt: skip


COMMANDS: Final = (backup, restore, move_root)


def _path(library_path: Path | None) -> Path:
    return (library_path or default_library()).expanduser().absolute()


def _in_words(manifest: Manifest) -> str:
    from sightline.humanize import count

    held = manifest.counts
    return f"{count(held.get('pictures', 0), 'picture')} in {count(held.get('photos', 0), 'file')}"


def _age(manifest: Manifest) -> str:
    """When a backup was made, in words; as its file has it where that is no time."""
    from sightline.humanize import ago

    try:
        return ago(manifest.made_at)
    except ValueError:
        return manifest.made_at


def _progress() -> AbstractContextManager[Progress]:
    return steps_shown(_STEPS)
