"""Forgetting: a folder of a library (`forget`), and what a `--prune` would forget."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from indexer.asking import Question, what_goes
from indexer.messages import echo
from sightline.humanize import count
from store.addresses import is_address, local_folder
from store.errors import LibraryError, SightlineError
from store.library import Library
from store.lock import locked
from store.marks_backup import back_up_marks
from store.paths import absolute, display, to_bytes
from store.remote import has_library, shown
from store.tables.losses import losses
from store.tables.records import RootState
from store.tables.writer import Writer


def forget_folder(path: Path, folder: Path, *, yes: bool, dry_run: bool) -> None:
    """Remove a root, and what only it held, from the library at `path`.

    Args:
        path: the library's folder.
        folder: the root.
        yes: without asking where marks would be lost.
        dry_run: only say what would be lost.

    Raises:
        SightlineError: the library has no such root, or marks would be lost and nobody can be asked.
    """
    if not has_library(path):
        raise LibraryError(f"There is no library in {shown(path)}.")
    if dry_run:
        with Library.open(path) as library:
            ids = library.catalog.photo_ids(_root(library, folder).id)
        say_what_goes(path, ids, as_lines=False)
        return
    with locked(path), Library.create(path) as library:
        root = _root(library, folder)
        ids = library.catalog.photo_ids(root.id)
        lost, question = losses(library.catalog.engine, ids), Question(yes=yes)
        if lost:
            if not question(lost, len(ids)):
                if question.refusal is not None:
                    raise question.refusal
                click.echo("Nothing was forgotten.", err=True)
                return
            echo(f"All marks are kept in {back_up_marks(library)}", err=True)
        library.forget_pictures(Writer(library.catalog.engine).forget_root(root.id))
        for space in library.catalog.spaces():
            library.vectors.save(space.id)
            library.tiles.save(space.id)
    echo(f"Forgot {root.display} and its {count(len(ids), 'photo')}. The files themselves were not touched.", err=True)


def _root(library: Library, folder: Path) -> RootState:
    folder = local_folder(folder)
    wanted = {to_bytes(absolute(folder))} | (set() if is_address(folder) else {to_bytes(folder.resolve())})
    roots = library.catalog.roots()
    found = next((root for root in roots if root.path in wanted), None)
    if found is None:
        names = ", ".join(root.display for root in roots) or "none"
        raise SightlineError(
            f"The library {shown(library.path)} has no folder {display(to_bytes(folder))}; it has: {names}"
        )
    return found


def say_what_goes(path: Path, photo_ids: list[int], as_lines: bool) -> None:
    """Say what would be lost with photos, for `--dry-run`; as JSON on stdout, else on stderr.

    A file that moved is among them, as nothing was read that could tell: it keeps its marks.
    """
    if not has_library(path):
        return
    with Library.open(path) as library:
        lost = losses(library.catalog.engine, photo_ids)
    if as_lines:
        click.echo(json.dumps({"would_forget": len(photo_ids), "would_lose": asdict(lost)}))
    else:
        echo(what_goes(lost, len(photo_ids)), err=True)
