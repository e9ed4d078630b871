"""What tells a root from another disk, or another folder, that was put in its place.

Kept with a root, as JSON: the disk or share that it lies on, its inode there, and some of its files with their sizes,
times and hashes. A root whose disk or inode is another is looked at: with less than a third of these files, it is not
what it was. A root that was copied to a new disk has them all. See docs/decisions/roots-have-an-identity.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from indexer.mounts import mount_of
from sightline.humanize import count
from store.errors import RootUnavailableError
from store.paths import display, to_bytes, to_path
from store.tables.known_files import IndexedFile
from store.tables.records import RootState

SAMPLE: Final = 64  # files that are remembered of a root
FEW: Final = 5  # photos: of roots that hold no more, no share tells anything

_UUIDS: Final = Path("/dev/disk/by-uuid")
# File systems whose `f_fsid` is of what they hold, and not of the number of the device, which changes at each start.
_STABLE_FSID: Final = frozenset(("ext2", "ext3", "ext4", "btrfs", "f2fs", "tmpfs"))


# Files of the right size and another time that are hashed, the smallest first; for the rest they stand.
_HASHED: Final = 8


class Sampled(NamedTuple):
    """A file that is remembered: its size, its mtime, and how the hash of its content begins."""

    size: int
    mtime_ns: int
    hash: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What a root was when all of it was last walked.

    Attributes:
        device: the disk or share that it lies on, see `device_of`.
        inode: of the root itself.
        sample: some of its files, by path.
        drives: the same as `device`, of folders in it that lie on others, by path.
        losses: walks that found more than a third of its photos gone: when, as in `missing_since`, and how many photos
            there were before.
    """

    device: str = ""
    inode: int = 0
    sample: Mapping[bytes, Sampled] = field(default_factory=dict)
    drives: Mapping[bytes, str] = field(default_factory=dict)
    losses: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """For the table of roots."""
        plain = asdict(self)
        for name in ("sample", "drives"):
            plain[name] = {path.decode("utf-8", "surrogateescape"): value for path, value in plain[name].items()}
        return json.dumps(plain)


def from_json(text: str | None) -> Identity:
    """Read what `to_json` wrote; what is missing or damaged tells nothing."""
    try:
        read: dict[str, Any] = json.loads(text or "{}")
        sample, drives = (
            {path.encode("utf-8", "surrogateescape"): value for path, value in read.get(name, {}).items()}
            for name in ("sample", "drives")
        )
        losses = {str(since): int(photos) for since, photos in read.get("losses", {}).items()}
        sampled = {path: Sampled(*values) for path, values in sample.items()}
        return Identity(str(read.get("device", "")), int(read.get("inode", 0)), sampled, drives, losses)
    except (ValueError, TypeError, AttributeError):
        return Identity()


def sampled(files: Iterable[IndexedFile]) -> dict[bytes, Sampled]:
    """Make the sample of these files."""
    return {file.path: Sampled(file.size, file.mtime_ns, file.hash.hex()[:16]) for file in files}


def is_large(gone: int, of: int) -> bool:
    """Whether so many photos that are gone make a third of a root doubtful."""
    return of > FEW and 3 * gone > of


def share_in_words(gone: int, of: int) -> str:
    """How many photos of a root are gone, and what the limit is."""
    return f"{gone} of its {count(of, 'photo')} are gone, more than a third"


def refuse_another(root: Path, known: RootState) -> None:
    """Refuse a folder that is not the root that the library knows, but lies at its path.

    Raises:
        RootUnavailableError: the disk, or the folder, is another, and less than a third of the files is there.
    """
    was = from_json(known.identity)
    if not was.sample or not known.photos:
        return
    is_other_disk = device_of(root) != was.device
    if not is_other_disk and (root.stat().st_ino == was.inode or known.photos <= FEW):
        return
    there = _count_there(root, was.sample)
    if 3 * there >= len(was.sample):
        return
    what = "Another disk than before lies at" if is_other_disk else "Another folder than before lies at"
    raise RootUnavailableError(
        f"{what} {display(to_bytes(root))}: of {count(len(was.sample), 'file')} that were looked for, {there} "
        f"{'is' if there == 1 else 'are'} there; below a third of them it is not taken for the same. The library holds "
        f"{count(known.photos, 'photo')} of it. Nothing was changed. Connect the right disk and run again. If this one "
        f"is meant to take its place, index it with --yes, or forget what was there: python -m indexer forget {root}"
    )


def _count_there(root: Path, sample: Mapping[bytes, Sampled]) -> int:
    """How many files of a sample are there; a copy may have another time, and then hashes tell."""
    there = 0
    unsure: list[tuple[int, Path, str]] = []
    for path, was in sample.items():
        file = to_path(to_bytes(root), path)
        try:
            facts = file.stat()
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(facts.st_mode) and facts.st_size == was.size:
            there += facts.st_mtime_ns == was.mtime_ns
            if facts.st_mtime_ns != was.mtime_ns:
                unsure.append((was.size, file, was.hash))
    if not unsure or 3 * there >= len(sample):
        return there
    looked = sorted(unsure)[:_HASHED]
    same = sum(_begins(file, digest) for _, file, digest in looked)
    return there + same * len(unsure) // len(looked)


def _begins(file: Path, digest: str) -> bool:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest().startswith(digest)
    except OSError:
        return False


def place_of(folder: Path) -> tuple[int, int] | None:
    """What a folder is as long as its disk stays mounted: device and inode; None where it is not there."""
    try:
        facts = folder.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def device_of(folder: Path) -> str:
    """Name the disk or share a folder lies on, by what stays the same when it is mounted again.

    On Linux the UUID of the file system, the address of a share, or an id of the file system; on Windows the serial
    number of the volume. Else where it is mounted: that tells at least a disk from the empty folder below it.
    """
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
