"""Files that matter are replaced, never edited; what is made is its owner's alone, whatever the umask."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TEMPORARY = ".tmp-"


def writable(path: Path) -> bool:
    """Whether this process may write `path`, by its effective user, not its real one."""
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.W_OK, effective_ids=effective)


def open_private(path: Path, *, new: bool = False) -> int:
    """Open a file for reading and writing, made with mode 0600 where it is missing.

    The caller closes the descriptor.

    A folder with the setgid bit is shared with its group on purpose: what is made there gets its rights for the group.

    Raises:
        FileExistsError: it must be `new`, and something is there.
        OSError: it can't be made or opened.
    """
    flags = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if new:
            raise
        return os.open(path, flags)
    if os.name != "nt":
        with suppress(OSError):  # file systems without rights
            os.fchmod(descriptor, file_mode(path.parent))
    return descriptor


def file_mode(folder: Path) -> int:
    """The mode of a file that is made in a folder, see `open_private`."""
    return 0o600 | _of_group(folder) & 0o060


def make_private(folder: Path, *, parents: bool = False) -> None:
    """Make a folder with mode 0700, and with `parents` those around it.

    One that is there is left as it is.

    As for files, see `open_private`, it gets the rights for the group of a folder with the setgid bit.

    Raises:
        OSError: it can't be made.
    """
    if folder.is_dir():
        return
    if parents and folder.parent != folder:
        make_private(folder.parent, parents=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    if os.name != "nt":
        shared = _of_group(folder.parent)
        with suppress(OSError):
            folder.chmod(0o700 | shared | (stat.S_ISGID if shared else 0))


def _of_group(folder: Path) -> int:
    with suppress(OSError):
        mode = folder.stat().st_mode
        return mode & 0o070 if mode & stat.S_ISGID else 0
    return 0


def replace_file(
    target: Path, write: Callable[[Path], object], *, durable: bool = True, folder: Path | None = None
) -> None:
    """Put a new file at `target` so that a reader, or a crash, sees the old one or the new one whole.

    `write` is given a temporary path in `folder`, on the target's drive; without it, beside the target. With `durable`
    the bytes and the folder's entry are synced, so that after a power cut the name never leads to an empty file;
    without, only a crash of this process is covered. The file's mode is that of `open_private`.

    Raises:
        OSError: the disk is full, the folder can't be written; it names the target. The old file is still there, no
            temporary is left.
    """
    # One writer per process and thread at a time, so no two share a name.
    temporary = (folder or target.parent) / f"{TEMPORARY}{os.getpid()}-{threading.get_ident()}"
    try:
        _make_anew(temporary)
        write(temporary)
        if durable:
            sync(temporary)
        temporary.replace(target)
        if durable:
            with suppress(OSError):
                sync(target.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary), temporary):
            error.filename = str(target)
        raise


def _make_anew(path: Path) -> None:
    """Make an empty file; what a killed process of the same number left, or a link, goes first."""
    try:
        descriptor = open_private(path, new=True)
    except FileExistsError:
        path.unlink(missing_ok=True)
        descriptor = open_private(path, new=True)
    os.close(descriptor)


def sweep_temporaries(folder: Path) -> int:
    """Remove what killed writers left in `folder` and the folders in it; returns how many files.

    Only for who holds the library's lock. Not deeper, where thousands of thumbnails lie: none is written there.
    """
    left = [*folder.glob(f"{TEMPORARY}*"), *folder.glob(f"*/{TEMPORARY}*")]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk; Windows can't sync folders.

    Raises:
        OSError: this can't be synced, as folders on some network drives.
    """
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
