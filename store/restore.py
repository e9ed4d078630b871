"""A library from a backup: unpacked and checked beside what is there, and only then put in its place."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from store.archive import (
    DATABASE_MEMBER,
    Manifest,
    Progress,
    hash_of_member,
    not_a_backup,
    read_manifest,
    unpack,
)
from store.errors import LibraryError, LibraryLockedError
from store.files import TEMPORARY, make_private, open_private, sync
from store.images.thumbnails import Thumbnails
from store.library import Library
from store.lock import FORMER, LOCK, RUN, locked
from store.remote import DATABASE, remote_of, shown
from store.tables.copying import close_journal, close_runs, look_at
from store.tables.migrations import check_version

_STAGING: Final = "restoring-"
_ASIDE: Final = "before-restore-"
_MARKS: Final = "marks-before-"
# What may lie in the folder of a library that is restored: it is left where it is.
_LEFT: Final = (LOCK, RUN, *FORMER)
_LEFT_STARTS: Final = (_STAGING, _ASIDE, _MARKS, TEMPORARY)
# What a library holds.
_PARTS: Final = (
    DATABASE,
    f"{DATABASE}-wal",
    f"{DATABASE}-shm",
    f"{DATABASE}-journal",
    "vectors",
    "thumbnails",
    "previews",
    "maps",
)


@dataclass(frozen=True, slots=True)
class Restored:
    """A library that was restored.

    Attributes:
        manifest: what the backup says of itself.
        thumbnails: how many came with it.
        aside: where the library that was there is now; None where there was none.
    """

    manifest: Manifest
    thumbnails: int
    aside: Path | None


def check_backup(source: Path, progress: Progress) -> Manifest:
    """Read a whole backup and compare it with its checksums; nothing is written.

    Raises:
        LibraryError: it is no backup, is damaged, or is of a newer layout.
        OSError: it can't be read.
    """
    check_version(read_manifest(source).layout, f"in the backup {source}")
    return unpack(source, lambda name: open(os.devnull, "wb"), progress)  # noqa: PTH123


def restore(source: Path, library: Path, *, replace: bool, progress: Progress) -> Restored:
    """Make a library from a backup; one of an older layout is brought up to date.

    Args:
        source: the backup.
        library: the folder: missing, empty, or with `replace` a library, which is kept in a folder inside it.
        replace: whether a library may be there.
        progress: called with bytes.

    Raises:
        LibraryLockedError: an indexer is at work there, or with `replace`, a page has the library open.
        LibraryError: the backup is damaged or newer, the folder holds something, or the disk is full. What was there
            is still there as it was.
        OSError: the backup can't be read, or the folder can't be written.
    """
    check_version(read_manifest(source).layout, f"in the backup {source}")
    _check_place(library, replace)
    is_new = not library.exists()
    try:
        with _explained(library, source), locked(library):
            _check_place(library, replace)  # another one may have been faster
            for left in library.glob(f"{_STAGING}*"):
                shutil.rmtree(left)
            staging = library / f"{_STAGING}{os.getpid()}"
            make_private(staging)
            try:
                manifest, thumbnails = _unpack(source, staging, progress)
                aside = _exchange(staging, library)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except BaseException:
        if is_new:  # no empty folder is left behind; one with something in it stays
            with suppress(OSError):
                (library / LOCK).unlink(missing_ok=True)
                library.rmdir()
        raise
    return Restored(manifest, thumbnails, aside)


def _check_place(library: Path, replace: bool) -> None:
    if not library.exists():
        return
    if remote_of(library).database is not None:
        raise LibraryError(
            f"The library {shown(library)} is on PostgreSQL, and a backup becomes a library in a folder. Restore it to "
            "one, and copy that to an empty database: python -m indexer export --library FOLDER --to "
            "postgresql://USER@HOST/NAME. What pg_dump wrote, pg_restore brings back. Nothing was changed."
        )
    if not library.is_dir():
        raise LibraryError(f"{library} is a file. Choose a folder for the library with --library.")
    names = sorted(path.name for path in library.iterdir())
    found = [name for name in names if name not in _LEFT and not name.startswith(_LEFT_STARTS)]
    if not found:
        return
    others = [name for name in found if name not in _PARTS]
    if others and DATABASE not in found:
        raise LibraryError(
            f"The folder {library} is not empty, and what it holds is no library: {others[0]}. Nothing was changed. "
            "Choose a folder that is empty or not there yet with --library."
        )
    if not replace:
        raise LibraryError(
            f"There is a library in {library}. Nothing was changed. Choose another folder with --library, or say "
            f"--replace: what is there is kept in it, as {_ASIDE}DATE."
        )


def _unpack(source: Path, staging: Path, progress: Progress) -> tuple[Manifest, int]:
    """Unpack into an empty folder, check all of it, and bring it up to date."""
    pictures = Thumbnails(staging / "thumbnails")
    make_private(pictures.folder)
    held = 0

    def open_member(name: str) -> BinaryIO:
        nonlocal held
        content_hash = hash_of_member(name)
        held += content_hash is not None
        # No other name gets through `unpack`.
        target = staging / DATABASE if content_hash is None else pictures.path(content_hash)
        make_private(target.parent)
        return os.fdopen(open_private(target, new=True), "wb")

    manifest = unpack(source, open_member, progress)
    layout, _, _ = look_at(staging / DATABASE, f"The {DATABASE_MEMBER} in the backup {source}")
    if layout != manifest.layout:
        raise not_a_backup(source, f"its layout is {layout}, and it says {manifest.layout}")
    Library.create(staging).close()
    close_runs(staging / DATABASE)
    close_journal(staging / DATABASE)
    sync(staging / DATABASE)
    return manifest, held


def _exchange(staging: Path, library: Path) -> Path | None:
    """Move the library that is there into a folder inside it, and the new one to its place.

    All of it, or nothing.

    Returns:
        Where the old one is now; None where there was none.
    """
    # Nothing else is moved: someone may keep a library among other files.
    there = [library / name for name in _PARTS if (library / name).exists()]
    aside = _aside(library) if there else None
    moved: list[tuple[Path, Path]] = []
    try:
        if aside is not None:
            _let_go(library / DATABASE)
            make_private(aside)
            # The journal is gone now, unless the database is damaged.
            _move_all([path for path in there if path.exists()], aside, moved)
        # The database last: without it there is no library.
        _move_all(sorted(staging.iterdir(), key=lambda path: path.name == DATABASE), library, moved)
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        if aside is not None and aside.exists():
            aside.rmdir()
        raise
    with suppress(OSError):
        sync(library)
    return aside


def _move_all(paths: list[Path], folder: Path, moved: list[tuple[Path, Path]]) -> None:
    for path in paths:
        path.rename(folder / path.name)
        moved.append((path, folder / path.name))


def _let_go(database: Path) -> None:
    """Make sure that no other program has a database open."""
    if not database.exists():
        return
    try:
        close_journal(database)
    except sqlite3.OperationalError as error:
        raise LibraryLockedError(
            f"Another program has the library {database.parent} open ({error}): a page, perhaps. Nothing was changed. "
            "Stop it, and restore again."
        ) from error
    except sqlite3.DatabaseError:
        return  # it is damaged, which may be why a backup is restored: it is kept as it is, with its journal


def _aside(library: Path) -> Path:
    stem = f"{_ASIDE}{date.today().isoformat()}"
    names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(path for path in (library / name for name in names) if not path.exists())


@contextmanager
def _explained(library: Path, source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(library, source) from error
        raise
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise _full(library, source) from error
        raise LibraryError(f"The library of the backup {source} could not be put in its place ({error}).") from error


def _full(library: Path, source: Path) -> LibraryError:
    return LibraryError(
        f"The disk of {library} is full: the library needs about {source.stat().st_size / 1e6:,.0f} MB, and some more "
        "to be brought up to date. Make room, or choose another disk with --library. What was there is as it was."
    )
