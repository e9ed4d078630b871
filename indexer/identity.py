"""What tells a root from another disk, or another folder, that was put in its place.

Kept with a root, as JSON: the disk or share that it lies on, its inode there, and some of its files with their sizes,
times and hashes. A root whose disk or inode is another is looked at: with less than a third of these files, it is not
what it was. A root that was copied to a new disk has them all. See docs/decisions/roots-have-an-identity.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from indexer.places import device_of, hash_of, inode_of, looks_of
from sightline.humanize import count
from store.addresses import is_address
from store.errors import RootUnavailableError
from store.paths import display, to_bytes
from store.tables.known_files import IndexedFile
from store.tables.records import RootState

SAMPLE: Final = 64  # files that are remembered of a root
FEW: Final = 5  # photos: of roots that hold no more, no share tells anything

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
    if not is_other_disk and (inode_of(root) == was.inode or known.photos <= FEW):
        return
    there = _count_there(root, was.sample)
    if 3 * there >= len(was.sample):
        return
    what = "Another disk than before lies at" if is_other_disk else "Another folder than before lies at"
    if is_address(root):
        what = "Another store than before answers at"
    raise RootUnavailableError(
        f"{what} {display(to_bytes(root))}: of {count(len(was.sample), 'file')} that were looked for, {there} "
        f"{'is' if there == 1 else 'are'} there; below a third of them it is not taken for the same. The library holds "
        f"{count(known.photos, 'photo')} of it. Nothing was changed. Connect the right disk and run again. If this one "
        f"is meant to take its place, index it with --yes, or forget what was there: python -m indexer forget {root}"
    )


def _count_there(root: Path, sample: Mapping[bytes, Sampled]) -> int:
    """How many files of a sample are there; a copy may have another time, and then hashes tell."""
    there = 0
    unsure: list[tuple[int, bytes, str]] = []
    for path, was in sample.items():
        looks = looks_of(root, path)
        if looks is not None and looks[0] == was.size:
            there += looks[1] == was.mtime_ns
            if looks[1] != was.mtime_ns:
                unsure.append((was.size, path, was.hash))
    if not unsure or 3 * there >= len(sample):
        return there
    looked = sorted(unsure)[:_HASHED]
    same = sum((hash_of(root, path) or b"").hex().startswith(digest) for _, path, digest in looked)
    return there + same * len(unsure) // len(looked)
