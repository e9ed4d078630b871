"""Which folders the system reports no changes of: those on network drives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from indexer.mounts import is_below, mount_of, mounts
from store.paths import to_bytes

# What other machines write to, without this one being told. All that is called `fuse.` is taken for such; `fuseblk`
# (NTFS, exFAT) is a disk of this machine.
_NETWORK: Final = frozenset(
    "9p afs beegfs ceph cifs coda davfs drvfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 prl_fs smb smb3 smbfs "
    "vboxsf virtiofs vmhgfs".split()
)


def network_drive(folder: Path) -> str:
    """The kind of the network drive that a folder, or a folder in it, lies on; empty where none does.

    Known on Linux. Hidden folders in it don't count.
    """
    if sys.platform != "linux":
        return ""
    path = to_bytes(folder.resolve())
    inside = [
        mount for mount in mounts()
        if mount.at != path and is_below(mount.at, path) and b"/." not in mount.at[len(path.rstrip(b"/")) :]
    ]  # fmt: skip
    own = mount_of(folder)
    return next((mount.kind for mount in ([own] if own else []) + inside if _is_network(mount.kind)), "")


def mounts_at(folder: Path) -> tuple[object, ...]:
    """What is mounted around a folder and in it: another tuple where a drive came or went."""
    path = to_bytes(folder)
    return tuple(mount for mount in mounts() if is_below(mount.at, path) or is_below(path, mount.at))


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or kind.startswith("fuse.")
