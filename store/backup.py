"""A backup of a library in one file, made while others read and write it."""

from __future__ import annotations

import errno
import io
import os
import shlex
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from store.archive import (
    DATABASE_MEMBER,
    LARGEST_THUMBNAIL,
    MANIFEST,
    ArchiveWriter,
    BackupError,
    Manifest,
    Progress,
    read_manifest,
    thumbnail_member,
    unpack,
)
from store.checked_files import read_file
from store.errors import LibraryError
from store.files import open_private, sync, writable
from store.images.thumbnails import Thumbnails
from store.paths import display, to_bytes
from store.remote import DATABASE, remote_of, shown
from store.tables.copying import copy_database, database_size, look_at


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup that was made: file, bytes, how many thumbnails it has, and what it says of itself."""

    path: Path
    size: int
    thumbnails: int
    manifest: Manifest


def back_up(
    library: Path, target: Path, *, thumbnails: bool, replace: bool, program: str, progress: Progress
) -> BackedUp:  # fmt: skip
    """Write a backup: facts, marks, settings, saved searches and vectors, as they are at one moment.

    Indexers, pages and other programs go on meanwhile. The index, previews and maps are made again from the rest. The
    file is for its owner alone; it is written beside `target`, read again and compared, and then renamed.

    Args:
        library: the folder.
        target: the file; its folder must be there.
        thumbnails: whether they go along; without, they are made again from the pictures.
        replace: whether a file that is there is replaced; the old one stays until the new one is whole.
        program: the version of this program.
        progress: called with bytes.

    Raises:
        LibraryError: there is no library or nothing in it, it is damaged or of a newer layout, the target can't be
            written or is there, or the disk is full; no part of a backup is left.
    """
    if remote_of(library).database is not None:
        raise BackupError(
            f"The library {shown(library)} is on PostgreSQL, whose own programs back it up: pg_dump, or a follower. To "
            "have it in one file of Sightline, copy it to a folder first: python -m indexer export --from "
            f"{shlex.quote(shown(library))} --library FOLDER"
        )
    database = library / DATABASE
    thumbnails = thumbnails and remote_of(library).thumbnails is None  # else they lie in a store of objects, and stay
    if not database.is_file():
        raise LibraryError(f"There is no library in {library}. Choose the one to back up with --library.")
    if target.parent.resolve().is_relative_to(library.resolve()):
        raise BackupError(f"{target} lies in the library itself. Choose another folder, best on another disk.")
    _check_target(target, replace)
    size = database_size(database)
    with _explained(target, 2 * size), _beside(target) as folder:
        _check_room(target, 2 * size)
        copy, part = folder / DATABASE_MEMBER, folder / "backup.tar"
        copy_database(database, copy, lambda done, total: progress("copying", done, total))
        layout, counts, roots = look_at(copy, f"The library {library}")
        now = datetime.now(UTC)
        path = display(to_bytes(library))
        manifest = Manifest(layout, now.isoformat(timespec="seconds"), program, path, thumbnails, counts, roots)
        with os.fdopen(open_private(part, new=True), "wb") as stream:
            held = _write(stream, manifest, copy, Thumbnails(library / "thumbnails"), progress)
        copy.unlink()
        sync(part)
        unpack(part, lambda name: open(os.devnull, "wb"), lambda _, done, total: progress("checking", done, total))  # noqa: SIM115, PTH123
        _put(part, target, replace)
        return BackedUp(target, target.stat().st_size, held, manifest)


def _check_target(target: Path, replace: bool) -> None:
    if target.is_dir():
        raise BackupError(f"{target} is a folder. Name a file in it, such as {target / 'library.backup'}")
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent} to write the backup to. Make it, or choose another.")
    if not writable(target.parent):
        raise BackupError(f"The folder {target.parent} is read-only for this user. Choose another for the backup.")
    if os.path.lexists(target) and not replace:
        raise BackupError(f"{target} is there already. Choose another name, or say --replace to replace it.")
    if os.path.lexists(target) and not target.is_file():
        raise BackupError(f"{target} is no file, and is not replaced. Choose another name.")
    if os.path.lexists(target):
        _check_replaced(target)


def _check_replaced(target: Path) -> None:
    """Let only a backup be replaced, or an empty file: the name may be a slip."""
    try:
        if target.stat().st_size:
            read_manifest(target)
    except BackupError as error:
        raise BackupError(
            f"{target} is no backup, and is not replaced. Choose another name, or remove it yourself."
        ) from error


def _check_room(target: Path, needed: int) -> None:
    if shutil.disk_usage(target.parent).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _explained(target: Path, needed: int) -> Iterator[None]:
    """Say what a full disk needs, and what else SQLite has to say."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise _full(target, needed) from error
        raise LibraryError(f"The library's database could not be copied ({error}). No backup was made.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(target, needed) from error
        raise


def _full(target: Path, needed: int) -> BackupError:
    return BackupError(
        f"The disk of {target} is full: about {needed / 1e6:,.0f} MB are needed while the backup is made, half of it "
        "afterwards, and more with thumbnails. Make room, or choose another disk. No part of a backup is left."
    )


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder on the target's disk, for its owner alone; it is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name[:60]}-", suffix=".part", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(stream: BinaryIO, manifest: Manifest, copy: Path, thumbnails: Thumbnails, progress: Progress) -> int:
    """Write the archive; returns how many thumbnails it has."""
    archive = ArchiveWriter(stream, time.time())
    try:
        told = manifest.to_bytes()
        archive.add(MANIFEST, io.BytesIO(told), len(told))
        total, written = copy.stat().st_size, 0

        def done(size: int) -> None:
            nonlocal written
            written += size
            progress("writing", written, total)

        with copy.open("rb") as database:
            archive.add(DATABASE_MEMBER, cast("BinaryIO", database), total, done)
        held = 0
        if manifest.thumbnails:
            pictures = manifest.counts["pictures"]
            for looked_at, content_hash in enumerate(_hashes(copy), start=1):
                # As they lie there: whoever reads them compares them with their own checksums.
                data = read_file(thumbnails.path(content_hash), LARGEST_THUMBNAIL)
                if data:
                    archive.add(thumbnail_member(content_hash), io.BytesIO(data), len(data))
                    held += 1
                progress("thumbnails", looked_at, pictures)
        archive.close()
    except BaseException:
        archive.discard()
        raise
    return held


def _hashes(database: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(database)) as connection:
        for row in connection.execute("SELECT hash FROM contents WHERE photo_count > 0 ORDER BY hash"):
            yield bytes(row[0])


def _put(part: Path, target: Path, replace: bool) -> None:
    """Give the whole file its name."""
    if replace:
        part.replace(target)
    else:
        _check_target(target, replace)  # what came meanwhile is not overwritten
        part.rename(target)
    try:
        sync(target.parent)
    except OSError:
        return  # a network drive that can't sync folders
