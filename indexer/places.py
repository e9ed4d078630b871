"""Where roots lie, and what is there: on disks and shares of this machine, and at addresses."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import Final

from indexer.mounts import mount_of
from store.addresses import is_address
from store.descriptors import open_below
from store.fetched import fetched
from store.objects import objects
from store.paths import to_bytes, to_path

_UUIDS: Final = Path("/dev/disk/by-uuid")
# File systems whose `f_fsid` is of what they hold, and not of the number of the device, which changes at each start.
_STABLE_FSID: Final = frozenset(("ext2", "ext3", "ext4", "btrfs", "f2fs", "tmpfs"))


def place_of(folder: Path) -> tuple[int, int] | None:
    """What a folder is as long as its disk stays mounted: device and inode; None where it is not there."""
    if is_address(folder):
        return zlib.crc32(objects(folder).place.encode()), 0
    try:
        facts = folder.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def inode_of(folder: Path) -> int:
    """The inode of a root; 0 of an address, which has none.

    Raises:
        OSError: the folder is not there.
    """
    return 0 if is_address(folder) else folder.stat().st_ino


def device_of(folder: Path) -> str:
    """Name the disk or share a folder lies on, by what stays the same when it is mounted again.

    On Linux the UUID of the file system, the address of a share, or an id of the file system; on Windows the serial
    number of the volume. Else where it is mounted: that tells at least a disk from the empty folder below it. Of an
    address, the service that answers there, and the bucket.
    """
    if is_address(folder):
        return objects(folder).place
    if os.name == "nt":
        return f"volume {folder.stat().st_dev:x}"
    if sys.platform == "linux" and (mount := mount_of(folder)) is not None:
        at, kind, source = os.fsdecode(mount.at), mount.kind, mount.source
        if not source.startswith("/dev/") and (":" in source or source.startswith("//") or kind == "zfs"):
            return f"share {source}"
        if (uuid := _uuid(source)) is not None:
            return f"{kind} {uuid}"
        fsid = os.statvfs(folder).f_fsid if kind in _STABLE_FSID else 0
        return f"{kind} {fsid:x}" if fsid else f"{kind} at {at}"
    while not folder.is_mount() and folder != folder.parent:
        folder = folder.parent
    return f"at {folder}"


def _uuid(source: str) -> str | None:
    """The UUID of the file system on a block device."""
    try:
        device = Path(source).stat().st_rdev
        return next((link.name for link in _UUIDS.iterdir() if device and link.stat().st_rdev == device), None)
    except OSError:
        return None


def looks_of(root: Path, path: bytes) -> tuple[int, int] | None:
    """The size and mtime (ns) of the regular file at a path below a root.

    None where there is none, or no answer.
    """
    if is_address(root):
        try:
            return objects(root).facts(path)[:2]
        except OSError:
            return None
    try:
        facts = to_path(to_bytes(root), path).stat()
    except (OSError, ValueError):
        return None
    return (facts.st_size, facts.st_mtime_ns) if stat.S_ISREG(facts.st_mode) else None


def hash_of(root: Path, path: bytes) -> bytes | None:
    """The SHA-256 of the file at a path below a root; None where it can't be read."""
    try:
        if is_address(root):
            with fetched(root, path) as file, file.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").digest()
        with os.fdopen(open_below(root, path, follow_links=True), "rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return None


def is_gone(root: Path, path: bytes) -> bool:
    """Whether there is no file at a path below a root; False where that can't be told."""
    try:
        if is_address(root):
            objects(root).facts(path)
        else:
            os.lstat(to_path(to_bytes(root), path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def names_in(root: Path, folder: bytes) -> list[bytes]:
    """The names of all that lies in a folder below a root.

    Raises:
        OSError: there is no such folder, or it can't be listed.
    """
    if is_address(root):
        return [entry.name for entry in objects(root).listed(folder)]
    with os.scandir(os.fsencode(to_path(to_bytes(root), folder))) as entries:
        return [entry.name for entry in entries]
