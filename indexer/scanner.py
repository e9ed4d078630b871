"""The walk, compared with what the library knows: a stream of the files that must be read.

Runs ahead of the reading in a thread of its own, so that the progress bar soon knows how much there is to do.
"""

from __future__ import annotations

import bisect
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from indexer.roots import Target
from indexer.summary import Summary
from indexer.walk import WalkCounts, WalkedFile, WalkOptions, walk_folders
from store.tables.catalog import CHUNK, Catalog, KnownFailure, KnownPhoto
from store.tables.writer import Failed, File

# Tasks the walk may run ahead: some 200 bytes each.
AHEAD = 100_000
# Files that are compared with what is known at once.
AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read: under which root, where, and what the library knew of its path.

    Attributes:
        header_only: the size and time with which only its header is to be read again; with others all of it is.
    """

    root: Path
    root_id: int
    path: bytes
    old_content: int | None
    was_missing: bool
    header_only: tuple[int, int] | None = None


@dataclass(slots=True)
class RootScan:
    """What the walk of one target has seen. Complete only when the walk came to its end."""

    target: Target
    root_id: int
    failures: dict[bytes, KnownFailure]
    last_photo_id: int  # photos above it were added by this run
    files: int = 0
    news: int = 0  # files that are not what the library knows of them
    present: int = 0  # photos that were seen and that the library did not take for missing
    seen: bytearray = field(default_factory=bytearray)  # a flag per photo id: a set would take 60 bytes an id
    # The first and the last path of what was walked and known, without a gap and without news: both in order.
    firsts: list[bytes] = field(default_factory=list)
    lasts: list[bytes] = field(default_factory=list)
    seen_failures: set[bytes] = field(default_factory=set)
    unreadable: list[Failed] = field(default_factory=list)

    def see(self, photo_ids: Sequence[int]) -> None:
        """Note that known photos are still there."""
        last = max(photo_ids, default=0)
        if last >= len(self.seen):
            self.seen.extend(bytes(max(last + 1 - len(self.seen), len(self.seen))))
        for photo_id in photo_ids:
            self.seen[photo_id] = 1

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
        space_id: int,
        scans: Sequence[RootScan],
        options: WalkOptions,
        skip: Sequence[Path],
        summary: Summary,
    ) -> None:
        self.scans = list(scans)
        self.found = 0
        self.finished = False
        self.ended = False
        self._catalog = catalog
        self._space_id = space_id
        self._options = options
        self._skip = skip
        self._summary = summary
        self._counts = WalkCounts()
        self._queue: queue.Queue[Task | BaseException | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="walk", daemon=True)

    def start(self) -> None:
        """Begin to walk."""
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
            self._summary.other_files, self._summary.links = self._counts.other_files, self._counts.links
        return item

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
        walked = changes(self._catalog, scan, self._space_id, self._options, self._counts, self._skip)
        for unchanged, others in walked:
            if self._stopped.is_set():
                return
            self._summary.unchanged += unchanged
            for change, file, photo in others:
                if change == "failed":
                    self._summary.failed += 1
                    continue
                old = None if photo is None else photo.content_id
                missing = photo is not None and bool(photo.missing)
                header_only = (file.size, file.mtime_ns) if change == "outdated" else None
                yield Task(scan.target.root, scan.root_id, file.path, old, missing, header_only)


Change = Literal["failed", "new", "back", "changed", "unencoded", "outdated"]


def changes(
    catalog: Catalog, scan: RootScan, space_id: int, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path]
) -> Iterator[tuple[int, list[tuple[Change, WalkedFile, KnownPhoto | None]]]]:
    """Walk a target: compare sizes and times with what the library knows; note in `scan` what is there.

    Yields:
        For many files at a time: how many are unchanged, and all others with what they are.
    """
    waiting: list[tuple[bytes, int, int]] = []
    older = catalog.has_older_facts()
    for files, unreadable in walk_folders(scan.target.root, options, counts, skip, scan.target.start):
        for item in unreadable:
            reason = f"can't be looked into: {item.reason}"
            scan.unreadable.append(Failed(File(scan.root_id, item.path, 0, 0), "walk", reason))
        waiting += files
        while len(waiting) >= AT_ONCE:
            yield from _compare(catalog, scan, space_id, older, waiting[:AT_ONCE])
            del waiting[:AT_ONCE]
    if waiting:
        yield from _compare(catalog, scan, space_id, older, waiting)


def _compare(
    catalog: Catalog, scan: RootScan, space_id: int, older: bool, files: list[tuple[bytes, int, int]]
) -> Iterator[tuple[int, list[tuple[Change, WalkedFile, KnownPhoto | None]]]]:
    failed: list[tuple[bytes, int, int]] = []
    if scan.failures:  # such as the raw files beside a camera's JPEGs: each of these is looked at
        failed = [file for file in files if file[0] in scan.failures]
        files = [file for file in files if file[0] not in scan.failures]
    if files:
        first, last = files[0][0], files[-1][0]
        # One comparison of lists where nothing changed, as nearly everywhere: no word of Python for each file.
        if catalog.known_between(scan.root_id, first, last, space_id, len(files), older=older) == files:
            scan.files += len(files)
            scan.present += len(files)
            scan.firsts.append(first)
            scan.lasts.append(last)
            yield len(files), []
            files = []
    for some in (failed, files):
        for start in range(0, len(some), CHUNK):
            yield _compare_each(catalog, scan, space_id, older, some[start : start + CHUNK])


def _compare_each(
    catalog: Catalog, scan: RootScan, space_id: int, older: bool, files: list[tuple[bytes, int, int]]
) -> tuple[int, list[tuple[Change, WalkedFile, KnownPhoto | None]]]:
    rows = catalog.known_rows(scan.root_id, [file[0] for file in files], space_id, older=older)
    known = {row[0]: row for row in rows}
    scan.see([row[1] for row in rows])
    scan.files += len(files)
    scan.present += len(rows)
    others: list[tuple[Change, WalkedFile, KnownPhoto | None]] = []
    for path, size, mtime_ns in files:
        row = known.get(path)
        # Of a `KnownPhoto`: time, size, missing, encoded, older.
        is_known = row is not None and row[4] == mtime_ns and row[3] == size and not row[5] and row[6] and not row[7]
        if not is_known or path in scan.failures:
            file, photo = WalkedFile(path, size, mtime_ns), None if row is None else KnownPhoto._make(row)
            change = _change(scan, file, photo)
            if change is not None:
                others.append((change, file, photo))
                scan.news += change != "failed"
                scan.present -= photo is not None and bool(photo.missing)
    return len(files) - len(others), others


def _change(scan: RootScan, file: WalkedFile, photo: KnownPhoto | None) -> Change | None:
    """What a file is by its size and time; None where nothing can have changed."""
    failure = scan.failures.get(file.path)
    looks = (file.size, file.mtime_ns)
    if failure is not None:
        scan.seen_failures.add(file.path)
        # What failed in the model is tried again: another space, or precision, may do better.
        if (failure.size, failure.mtime_ns) == looks and failure.stage != "encode":
            return "failed"
    if photo is None:
        return "new"
    if photo.missing:
        return "back"
    if (photo.size, photo.mtime_ns) != looks:
        return "changed"
    if not photo.encoded:
        return "unencoded"
    return "outdated" if photo.older else None
