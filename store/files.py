"""Files that matter are replaced, never edited."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TEMPORARY = ".tmp-"


def writable(path: Path) -> bool:
    """Whether this process may write `path`, by its effective user, not its real one."""
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.W_OK, effective_ids=effective)


def replace_file(
    target: Path, write: Callable[[Path], object], *, durable: bool = True, folder: Path | None = None
) -> None:
    """Put a new file at `target` so that a reader, or a crash, sees the old one or the new one whole.

    `write` is given a temporary path in `folder`, on the target's drive; without it, beside the target. With `durable`
    the bytes and the folder's entry are synced, so that after a power cut the name never leads to an empty file;
    without, only a crash of this process is covered.

    Raises:
        OSError: the disk is full, the folder can't be written; the old file is still there, no temporary is left.
    """
    # One writer per process and thread at a time, so no two share a name.
    temporary = (folder or target.parent) / f"{TEMPORARY}{os.getpid()}-{threading.get_ident()}"
    try:
        write(temporary)
        if durable:
            sync(temporary)
        temporary.replace(target)
        if durable:
            with suppress(OSError):
                sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
