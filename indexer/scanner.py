"""The walk, compared with what the library knows: a stream of the files that must be read.

Runs ahead of the reading in a thread of its own, so that the progress bar soon knows how much there is to do.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from indexer.root_scan import RootScan
from indexer.sidecars import Walked
from indexer.summary import Summary
from indexer.walk import WalkCounts, WalkedFile
from indexer.walking import walk_folders
from store.errors import SightlineError
from store.paths import display, to_bytes
from store.tables.catalog import CHUNK, Catalog, KnownPhoto
from store.tables.writer import Failed, File, Writer

# Tasks the walk may run ahead: some 200 bytes each.
AHEAD = 100_000
# Files that are compared with what is known at once.
AT_ONCE = 2_000


class SilentError(SightlineError):
    """A folder does not answer: its drive hangs."""


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read: under which root, where, and what the library knew of its path.

    Attributes:
        header_only: the size and times (mtime, ctime) with which only its header is to be read again; with others all
            of it is.
        sidecars: its XMP sidecars, as `indexer.sidecars` notes them.
        facts_due: whether its header and sidecars are to be read even if the library knows its content.
        facts_first: whether they go before those of other files with the same bytes: it has, or had, sidecars.
        follow_links: as of `sightline.images.reader.Place`.
        seen: the size and times (mtime, ctime) that the walk saw.
    """

    root: Path
    root_id: int
    path: bytes
    old_content: int | None
    was_missing: bool
    header_only: tuple[int, int, int] | None = None
    sidecars: bytes | None = None
    facts_due: bool = False
    facts_first: bool = False
    follow_links: Callable[[bytes], bool] | None = None
    seen: tuple[int, int, int] | None = None


class Scanner:
    """Walks targets in a thread and hands out what must be read.

    Attributes:
        scans: one per target, complete once `ended`.
        found: files that must be read, so far.
        finished: the walk is over, so `found` is final.
        ended: and all of them were taken.
    """

    def __init__(
        self,
        catalog: Catalog,
        space_ids: Sequence[int],
        scans: Sequence[RootScan],
        skip: Sequence[Path],
        summary: Summary,
    ) -> None:
        self.scans = list(scans)
        self.found = 0
        self.finished = False
        self.ended = False
        self._catalog = catalog
        self._space_ids = space_ids
        self._skip = skip
        self._summary = summary
        self._counts = WalkCounts()
        self._queue: queue.Queue[Task | BaseException | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="walk", daemon=True)

    def start(self) -> None:
        """Begin to walk."""
        self._counts.entered = time.monotonic()
        self._thread.start()

    def take(self, patience: float) -> Task | None:
        """The next task; None where none comes within `patience` seconds, or ever: see `ended`.

        Raises:
            Exception: whatever ended the walk early.
        """
        try:
            item = self._queue.get(timeout=patience)
        except queue.Empty:
            return None
        if isinstance(item, BaseException):
            raise item
        if item is None:
            self.ended = True
            self._summarise()
        return item

    def is_silent(self, seconds: float) -> bool:
        """Whether the walk has not come to another folder for so long.

        Ask only where nothing of it is left to take.
        """
        return not self.finished and time.monotonic() - self._counts.entered > seconds

    def check(self, seconds: float) -> None:
        """Raise SilentError if the walk `is_silent`."""
        if not self.ended and self.is_silent(seconds):
            raise SilentError(
                f"{display(to_bytes(self._counts.folder))} did not answer for {seconds:,.0f} seconds. What was read "
                "before is in the library, and nothing was marked missing. See whether its drive still works, then run "
                "again."
            )

    def _summarise(self) -> None:
        counts, summary = self._counts, self._summary
        summary.other_files, summary.links = counts.other_files, counts.links
        summary.caches = {display(name): number for name, number in sorted(counts.caches.items())}
        summary.unmatched = sorted({pattern for _, pattern in counts.patterns - counts.matched})

    def keep_looks(self, writer: Writer, least: int) -> None:
        """Write what files look like now that are else what they were, of each root that has so many of them."""
        for scan in self.scans:
            if len(scan.looks) >= least:
                writer.keep_looks([scan.looks.popleft() for _ in range(len(scan.looks))])

    def stop(self) -> None:
        """End the walk where it is."""
        self._stopped.set()
        while True:  # whoever waits for room in the queue must be able to see the flag
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break

    def _run(self) -> None:
        try:
            for scan in self.scans:
                for task in self._scan(scan):
                    self._queue.put(task)
                    self.found += 1
                    if self._stopped.is_set():
                        return
            self.finished = True
        except BaseException as error:  # noqa: BLE001 - handed to the thread that can deal with it
            self._queue.put(error)
        finally:
            self._queue.put(None)

    def _scan(self, scan: RootScan) -> Iterator[Task]:
        walked = changes(self._catalog, scan, self._space_ids, self._counts, self._skip)
        options = scan.target.options
        follows = options.follows_links_in if options.follow_symlinks or options.parts else None
        for unchanged, others in walked:
            self._summary.growing = sum(len(each.left) for each in self.scans)
            if self._stopped.is_set():
                return
            self._summary.unchanged += unchanged
            for change, file, photo in others:
                if change == "failed":
                    self._summary.failed += 1
                    continue
                old = None if photo is None else photo.content_id
                missing = photo is not None and bool(photo.missing)
                seen = (file.size, file.mtime_ns, file.ctime_ns)
                differ = file.sidecars != (None if photo is None else photo.sidecars)
                yield Task(
                    scan.target.root, scan.root_id, file.path, old, missing,
                    seen if change == "outdated" else None, file.sidecars,
                    facts_due=differ or (photo is not None and bool(photo.older)),
                    facts_first=differ or file.sidecars is not None,
                    follow_links=follows,
                    seen=seen,
                )  # fmt: skip


Change = Literal["failed", "new", "back", "changed", "unencoded", "outdated"]


Others = list[tuple[Change, WalkedFile, KnownPhoto | None]]


def changes(
    catalog: Catalog, scan: RootScan, space_ids: Sequence[int], counts: WalkCounts, skip: Sequence[Path]
) -> Iterator[tuple[int, Others]]:
    """Walk a target: compare files with what the library knows; note in `scan` what is there.

    Yields:
        For many files at a time: how many are unchanged, and all others with what they are.
    """
    waiting: list[Walked] = []
    older = catalog.has_older_facts()
    target = scan.target
    drives = len(counts.drives)
    counts.is_unchanged = partial(_is_unchanged, catalog, scan, space_ids)
    for files, unreadable in walk_folders(target.root, target.options, counts, skip, target.start):
        for item in unreadable:
            reason = f"can't be looked into: {item.reason}"
            scan.unreadable.append(Failed(File(scan.root_id, item.path, 0, 0), "walk", reason))
        waiting += files
        while len(waiting) >= AT_ONCE:
            yield from _compare(catalog, scan, space_ids, older, waiting[:AT_ONCE])
            del waiting[:AT_ONCE]
    if waiting:
        yield from _compare(catalog, scan, space_ids, older, waiting)
    scan.drives = counts.drives[drives:]
    if scan.other_inodes:
        # Counted as unchanged before it was known how many there are.
        scan.news += len(scan.other_inodes)
        yield -len(scan.other_inodes), [("changed", file, photo) for file, photo in scan.other_inodes]


def _is_unchanged(
    catalog: Catalog, scan: RootScan, space_ids: Sequence[int], path: bytes, size: int, mtime_ns: int, ctime_ns: int
) -> bool:
    """Whether a name without an ending is that of a picture that is as it was."""
    rows = catalog.known_rows(scan.root_id, [path], space_ids)
    known = [(photo.size, photo.mtime_ns, photo.ctime_ns) for photo in map(KnownPhoto._make, rows)]
    return known == [(size, mtime_ns, ctime_ns)]


def _compare(
    catalog: Catalog, scan: RootScan, space_ids: Sequence[int], older: bool, files: list[Walked]
) -> Iterator[tuple[int, Others]]:
    failed: list[Walked] = []
    if scan.failures:  # such as the raw files beside a camera's JPEGs: each of these is looked at
        failed = [file for file in files if file[0] in scan.failures]
        files = [file for file in files if file[0] not in scan.failures]
    if files and not scan.rescan:
        first, last = files[0][0], files[-1][0]
        # One comparison of lists where nothing changed, as nearly everywhere: no word of Python for each file.
        if catalog.known_between(scan.root_id, first, last, space_ids, len(files), older=older) == files:
            scan.files += len(files)
            scan.present += len(files)
            scan.firsts.append(first)
            scan.lasts.append(last)
            yield len(files), []
            files = []
    for some in (failed, files):
        for start in range(0, len(some), CHUNK):
            yield _compare_each(catalog, scan, space_ids, older, some[start : start + CHUNK])


def _compare_each(
    catalog: Catalog, scan: RootScan, space_ids: Sequence[int], older: bool, files: list[Walked]
) -> tuple[int, Others]:
    rows = catalog.known_rows(scan.root_id, [file[0] for file in files], space_ids, older=older)
    known = {row[0]: row for row in rows}
    scan.see([row[1] for row in rows])
    scan.files += len(files)
    scan.present += len(rows)
    others: Others = []
    left = len(scan.left)
    for each in files:
        row = known.get(each[0])
        if row is not None and _is_the_same(row, each) and not scan.rescan and each[0] not in scan.failures:
            continue
        file, photo = WalkedFile._make(each), None if row is None else KnownPhoto._make(row)
        change = _change(catalog, scan, file, photo)
        if change is not None:
            scan.present -= photo is not None and bool(photo.missing)
            if change != "failed" and scan.leaves(file):
                continue
            others.append((change, file, photo))
            scan.news += change != "failed"
    return len(files) - len(others) - (len(scan.left) - left), others


def _is_the_same(row: tuple[Any, ...], file: Walked) -> bool:
    """Whether the fields of a `KnownPhoto` are those of a file, and nothing is to be done for it."""
    return (
        row[4] == file[2] and row[9] == file[4] and row[3] == file[1] and row[8] == file[3] and row[10] == file[5]
        and not row[5] and row[6] and not row[7]
    )  # fmt: skip


def _change(catalog: Catalog, scan: RootScan, file: WalkedFile, photo: KnownPhoto | None) -> Change | None:
    """What a file is by what it looks like; None where nothing can have changed."""
    looks = (file.size, file.mtime_ns)
    if (failure := scan.failures.get(file.path)) is not None:
        scan.seen_failures.add(file.path)
        # Versions that kept no ctime read less: what failed then is tried once more.
        is_same = (failure.size, failure.mtime_ns, failure.ctime_ns) == (*looks, file.ctime_ns)
        # What failed in the model is tried again: another space, or precision, may do better.
        if is_same and failure.stage != "encode" and not scan.rescan:
            return "failed"
    if photo is None:
        return "new"
    if photo.missing:
        return "back"
    # Programs can set every time but that of the last change (ctime): it tells a file that was put in another's place.
    if scan.rescan or (photo.size, photo.mtime_ns) != looks or photo.ctime_ns not in (None, file.ctime_ns):
        return "changed"
    if not photo.encoded:
        return "unencoded"
    if photo.older or photo.sidecars != file.sidecars:
        return "outdated"
    if photo.inode != file.inode or photo.ctime_ns is None:
        scan.take_inode(catalog, file, photo)
    return None
