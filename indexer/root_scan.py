"""What the walk of one target has seen, so that the end of a run knows what is gone."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from indexer.growing import Growing
from indexer.roots import Target
from indexer.walk import WalkedFile
from store.addresses import is_address
from store.paths import to_bytes, to_path
from store.tables.catalog import Catalog, KnownFailure, KnownPhoto
from store.tables.writer import Failed

# So many files of which only the inode is another are read again, at most, or one in so many of the root.
OTHER_INODES, OTHER_INODES_SHARE = 16, 50

Look = tuple[int | None, int, int]
"""The inode and ctime of a file, and the id of the photo that is to keep them."""


@dataclass(slots=True)
class RootScan:
    """What the walk of one target has seen. Complete only when the walk came to its end."""

    target: Target
    root_id: int
    failures: dict[bytes, KnownFailure]
    last_photo_id: int  # photos above it were added by this run
    rescan: bool = False  # read every file, whatever it looks like
    place: tuple[int, int] | None = None  # of the root as it began, see `indexer.identity.place_of`
    growing: Growing | None = None  # which files are left to a later run
    files: int = 0
    news: int = 0  # files that are not what the library knows of them
    present: int = 0  # photos that were seen and that the library did not take for missing
    seen: bytearray = field(default_factory=bytearray)  # a flag per photo id: a set would take 60 bytes an id
    # The first and the last path of what was walked and known, without a gap and without news: both in order.
    firsts: list[bytes] = field(default_factory=list)
    lasts: list[bytes] = field(default_factory=list)
    seen_failures: set[bytes] = field(default_factory=set)
    unreadable: list[Failed] = field(default_factory=list)
    left: list[bytes] = field(default_factory=list)  # files that are still being written
    drives: list[bytes] = field(default_factory=list)  # folders on other devices than what is around them
    # What rows of photos are to keep of files that have not changed.
    looks: deque[Look] = field(default_factory=deque)
    # Files of which only the inode is another; None where these are so many that inodes tell nothing here.
    other_inodes: list[tuple[WalkedFile, KnownPhoto]] | None = field(default_factory=list)
    _most_other_inodes: int | None = None

    def see(self, photo_ids: Sequence[int]) -> None:
        """Note that known photos are still there."""
        last = max(photo_ids, default=0)
        if last >= len(self.seen):
            self.seen.extend(bytes(max(last + 1 - len(self.seen), len(self.seen))))
        for photo_id in photo_ids:
            self.seen[photo_id] = 1

    def leaves(self, file: WalkedFile) -> bool:
        """Whether a file is left to a later run, because it is still being written; notes that."""
        if self.growing is None or is_address(self.target.root):  # objects are there whole, or not at all
            return False
        path = to_path(to_bytes(self.target.root), file.path)
        if is_left := self.growing.is_growing(path, max(file.mtime_ns, file.ctime_ns)):
            self.left.append(file.path)
        return is_left

    def take_inode(self, catalog: Catalog, file: WalkedFile, photo: KnownPhoto) -> None:
        """Deal with another inode alone: of few files, they are to be read; else it is only kept.

        Where a file system makes inodes up, as exFAT and many that are mounted over a network or by a program, all are
        others after each mount. See docs/decisions/what-tells-that-a-file-changed.md.
        """
        if photo.inode is None or photo.ctime_ns is None or self.other_inodes is None:
            self.looks.append((file.inode, file.ctime_ns, photo.id))
            return
        self.other_inodes.append((file, photo))
        if len(self.other_inodes) > max(OTHER_INODES, self._one_in_many(catalog)):
            self.looks.extend((other.inode, other.ctime_ns, known.id) for other, known in self.other_inodes)
            self.other_inodes = None

    def _one_in_many(self, catalog: Catalog) -> int:
        if self._most_other_inodes is None:
            self._most_other_inodes = catalog.count_present(self.root_id, self.target.prefix) // OTHER_INODES_SHARE
        return self._most_other_inodes

    def gone(self, catalog: Catalog) -> list[int]:
        """The known photos that a complete walk could have found, and did not."""
        # Where nothing is new, all that was seen is all that is there: no need to look at each.
        if not self.news and self.present == catalog.count_present(self.root_id, self.target.prefix):
            return []
        return [photo_id for photo_id, path in catalog.present_photos(self.root_id) if self.lacks(photo_id, path)]

    def lacks(self, photo_id: int, path: bytes) -> bool:
        """Whether the walk could have found this photo, and did not."""
        seen = photo_id > self.last_photo_id or (photo_id < len(self.seen) and bool(self.seen[photo_id]))
        return not seen and not self._is_within(path) and self.covers(path)

    def _is_within(self, path: bytes) -> bool:
        at = bisect.bisect_right(self.firsts, path) - 1
        return at >= 0 and path <= self.lasts[at]

    def covers(self, path: bytes) -> bool:
        """Whether the walk could have seen this path: inside the target and not below an unreadable folder."""
        if not path.startswith(self.target.prefix):
            return False
        blind = (failed.file.path for failed in self.unreadable)
        return not any(not folder or path == folder or path.startswith(folder + b"/") for folder in blind)
