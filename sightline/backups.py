"""Backups of a library, and libraries from backups: `sightline.backup` and `sightline.restore`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sightline
from store import backup as backups
from store import restore as restores
from store.paths import default_library

PathLike = str | os.PathLike[str]


def backup(
    file: PathLike, library: PathLike | None = None, *, thumbnails: bool = False, replace: bool = False
) -> dict[str, Any]:
    """Write a backup of a library to one file, also while it is indexed and searched.

    Args:
        file: to write, for its owner alone.
        library: its folder. Default: the environment variable SIGHTLINE_LIBRARY, else the user's data folder.
        thumbnails: take them along; without, they are made again from the pictures.
        replace: also where `file` is there; it stays until the new one is whole.

    Returns:
        What the backup says of itself: `made_at`, `counts`, `roots`, `layout` and others.

    Raises:
        LibraryError: there is no library, it is damaged, the file is there, or the disk is full.

    Example: `sightline.backup("/backups/pictures.backup")["counts"]["pictures"]`
    """
    done = backups.back_up(
        _folder(library), Path(file).expanduser().absolute(), thumbnails=thumbnails, replace=replace,
        program=sightline.__version__, progress=_nothing,
    )  # fmt: skip
    return asdict(done.manifest)


def restore(file: PathLike, library: PathLike | None = None, *, replace: bool = False) -> dict[str, Any]:
    """Make a library from a backup, in a folder that is missing or empty.

    Args:
        file: that `backup` wrote. Restore only your own: its checksums do not tell who wrote it.
        library: the folder. Default: as for `backup`.
        replace: also where a library is; it is kept in the same folder. No program may have it open.

    Returns:
        What the backup says of itself.

    Raises:
        LibraryError: the backup is damaged or newer, or the folder holds something. What was there stays as it was.

    Example: `sightline.restore("/backups/pictures.backup", "restored.library")`
    """
    source = Path(file).expanduser().absolute()
    return asdict(restores.restore(source, _folder(library), replace=replace, progress=_nothing).manifest)


def _folder(library: PathLike | None) -> Path:
    return (default_library() if library is None else Path(library)).expanduser().absolute()


def _nothing(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""
