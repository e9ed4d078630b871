"""Comparison of files with what was indexed: `verify --files`. Nothing is written anywhere."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from indexer.places import names_in
from sightline.humanize import count
from store.addresses import is_address
from store.fetched import fetched
from store.library import Library
from store.objects import ObjectFacts, objects
from store.paths import to_bytes, to_path
from store.tables.known_files import IndexedFile
from store.tables.records import RootState

# More threads than a disk answers at once only make its head run to and fro.
_THREADS: Final = 4
_AHEAD: Final = 64


@dataclass(frozen=True, slots=True)
class FileFinding:
    """A file that is not what was indexed, or a root that is not there."""

    state: Literal["missing", "changed", "unreadable"]
    path: bytes
    text: str


def compare(library: Library, report: Callable[[int], None]) -> Iterator[FileFinding]:
    """Hash every file that the library takes for present, and compare.

    Args:
        library: open; it is only read.
        report: called with the number of files dealt with, again and again.

    Yields:
        What is not as it was indexed, by root and path.
    """
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), thread_name_prefix="verify") as pool:
        try:
            for root in library.catalog.roots():
                if _is_there(to_path(root.path)):
                    yield from _compare_root(library, root, pool, report)
                elif root.photos:
                    report(root.photos)
                    text = f"the folder is not there; its {count(root.photos, 'file')} could not be compared"
                    yield FileFinding("missing", root.path, text)
        finally:
            pool.shutdown(cancel_futures=True)


def _compare_root(
    library: Library, root: RootState, pool: ThreadPoolExecutor, report: Callable[[int], None]
) -> Iterator[FileFinding]:
    waiting: deque[Future[FileFinding | None]] = deque()
    for file in library.catalog.indexed_files(root.id):
        if len(waiting) >= _AHEAD:
            yield from _taken(waiting, report)
        waiting.append(pool.submit(_compare, to_path(root.path), file))
    while waiting:
        yield from _taken(waiting, report)


def _taken(waiting: deque[Future[FileFinding | None]], report: Callable[[int], None]) -> Iterator[FileFinding]:
    finding = waiting.popleft().result()
    report(1)
    if finding is not None:
        yield finding


def _is_there(root: Path) -> bool:
    if not is_address(root):
        return root.is_dir()
    try:
        names_in(root, b"")
    except OSError:
        return False
    return True


def _hashed(root: Path, path: bytes) -> tuple[bytes, ObjectFacts]:
    """The hash of a file or object, and what it is: size, mtime and ctime.

    Raises:
        OSError: it can't be read.
    """
    if is_address(root):
        facts = objects(root).facts(path)
        with fetched(root, path) as local, local.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest(), facts
    with to_path(to_bytes(root), path).open("rb") as opened:
        found = os.fstat(opened.fileno())
        looks = ObjectFacts(found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return hashlib.file_digest(opened, "sha256").digest(), looks


def _compare(root: Path, file: IndexedFile) -> FileFinding | None:
    where = to_bytes(to_path(to_bytes(root), file.path))
    try:
        digest, facts = _hashed(root, file.path)
        if digest == file.hash:
            return None
    except FileNotFoundError:
        return FileFinding("missing", where, "the file is gone; index its folder again")
    except OSError as error:
        return FileFinding("unreadable", where, f"it can't be read: {error.strerror or error}")
    looks = (facts.size, facts.mtime_ns)
    if looks != (file.size, file.mtime_ns) or file.ctime_ns not in (None, facts.version):
        return FileFinding("changed", where, "it was changed since it was indexed; index its folder again")
    return FileFinding(
        "changed", where,
        "its bytes are not those that were indexed, though its size and times are: compare it with a backup, or index "
        "its folder with --rescan",
    )  # fmt: skip
