"""What a disk says when it can't be written or read, in sentences with the way out."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

from store.errors import LibraryError
from store.paths import display

_FULL: Final = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk is full for this user, by quota",
    errno.EFBIG: "A file may not grow so large (EFBIG: a limit of the system, or the disk is full)",
}
# After a failed write SQLite and programs give some room back: with less than this a disk counts as full.
_ROOM, _FILES = 1_048_576, 16


class DiskError(LibraryError):
    """The disk of a library is full, read-only or broken: the library itself is not to blame."""


def disk_sentence(error: OSError, path: Path | None = None) -> str | None:
    """Say what a disk, and not a file or its rights, is to blame for; None where it is not.

    `path`: what was written, where the error does not say.
    """
    name = error.filename if path is None else path
    where = "" if name is None or isinstance(name, int) else display(os.fsencode(name))
    if error.errno in _FULL:
        return _full(_FULL[error.errno], where)
    if error.errno == errno.EROFS:
        return _read_only(where)
    if error.errno == errno.EIO:
        return _broken(where, error.strerror or str(error))
    return None


def database_sentence(error: BaseException, database: Path) -> str | None:
    """Say what a disk is to blame for in an error of SQLite's; None where it is not."""
    # The mask: sqlite.org/rescode.html, section 1.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    where = display(os.fsencode(database))
    may_be_full = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(database.parent)
    if code == sqlite3.SQLITE_FULL or may_be_full:
        return _full(_FULL[errno.ENOSPC], where)
    if code == sqlite3.SQLITE_READONLY and _is_read_only(database.parent):
        return _read_only(where)
    return _broken(where, str(error)) if code == sqlite3.SQLITE_IOERR else None


def _full(what: str, where: str) -> str:
    return f"{what}: make room{f' for {where}' if where else ''}, and run the same again."


def _read_only(where: str) -> str:
    what = f"{where} lies on a disk that is" if where else "The disk is"
    return f"{what} mounted read-only (EROFS): mount it so that it can be written, or choose another place."


def _broken(where: str, said: str) -> str:
    return (
        f"The disk reports an error ({said}){f' at {where}' if where else ''}. Check the disk, its cable or its "
        "network, and run the same again."
    )


def _is_full(folder: Path) -> bool:
    try:
        facts = os.statvfs(folder)
    except (OSError, AttributeError):  # Windows has none
        return False
    return facts.f_bavail * facts.f_frsize < _ROOM or (facts.f_files > 0 and facts.f_favail < _FILES)


def _is_read_only(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):
        return False
