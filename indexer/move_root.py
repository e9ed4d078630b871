"""A folder of a library that lies elsewhere now: another mount point, another drive, another machine."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from indexer.places import hash_of, looks_of
from indexer.roots import resolved
from indexer.sidecars import moved_sidecars
from indexer.stat_numbers import inode_of, time_of
from sightline.humanize import count
from sightline.humanize import size as in_words
from store.addresses import checked_address, is_address, local_folder
from store.descriptors import open_below
from store.errors import LibraryError, SightlineError
from store.library import Library
from store.lock import locked
from store.objects import objects
from store.paths import absolute, display, to_bytes, to_path
from store.remote import has_library, shown
from store.tables import root_moves
from store.tables.records import RootState
from store.tables.root_moves import Look, SampleFile

# Files of a root that are looked for, and bytes of them that are read at most (one is, whatever its size).
_SAMPLE: Final = 64
_READ_AT_MOST: Final = 200_000_000
_CHUNK: Final = 2**20
_NAMED: Final = 3
_DRIVE: Final = re.compile(rb"[A-Za-z]:/|//[^/]")


class MoveError(SightlineError):
    """A root was not moved; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A root that was moved.

    Attributes:
        root: as displayed.
        to: likewise, where it is now.
        photos: how many of its photos the library holds.
        looked_for: files of it that were looked for.
        found: files of them that are there, as they were indexed.
    """

    root: str
    to: str
    photos: int
    looked_for: int
    found: int


def move_root(path: Path, old: Path, new: Path, *, yes: bool) -> Moved:
    """Let a root of the library at `path` be at another place. No file is touched.

    Args:
        path: the library's folder.
        old: the root as the library has it; it need not be there, and may be of another system (`C:\\Photos`).
        new: where the same files are now.
        yes: also where `new` is not there now, or none of the files that were looked for is in it.

    Raises:
        LibraryLockedError: an indexer is at work on the library.
        SightlineError: there is no such root, another root is there or around or inside, or the files are not there.
    """
    if not has_library(path):
        raise LibraryError(f"There is no library in {shown(path)}.")
    with locked(path), Library.create(path) as library:
        roots = library.catalog.roots()
        root = find_root(library, roots, old)
        target = _target(new, roots, root, must_be_there=not yes)
        place = to_bytes(target)
        files = root_moves.sample(library.catalog.engine, root.id, _SAMPLE)
        found = _found(target, files, follow_links=root.options.follow_symlinks)
        if files and not found and not yes:
            raise MoveError(_not_there(target, files))
        photos, failures = (_looks(library, root, place, table) for table in ("photos", "failures"))
        root_moves.move_root(library.catalog.engine, root.id, place, photos, failures)
        return Moved(root.display, display(place), root.photos, len(files), len(found))


def find_root(library: Library, roots: Sequence[RootState], given: Path) -> RootState:
    """Find a root by its path, as bytes or as displayed; paths of Windows as Windows takes them.

    Raises:
        MoveError: the library has no such root.
    """
    given = local_folder(given)
    wanted = {os.fsencode(given), to_bytes(given), to_bytes(absolute(given.expanduser()))}
    wanted |= {path.rstrip(b"/") for path in wanted if path.rstrip(b"/")}
    of_windows = {_of_windows(path) for path in wanted} - {None}
    for root in roots:
        drive = _of_windows(root.path)
        if root.path in wanted or root.display == str(given) or (drive is not None and drive in of_windows):
            return root
    around = next((root for root in roots if any(path.startswith(root.path + b"/") for path in wanted)), None)
    if around is not None:
        raise MoveError(
            f"{display(to_bytes(given))} is a part of the folder {around.display}, which moves as a whole. A run finds "
            "files again that moved inside their folder, or to another one that is indexed."
        )
    names = ", ".join(root.display for root in roots) or "none"
    raise MoveError(f"The library {shown(library.path)} has no folder {display(to_bytes(given))}; it has: {names}")


def _of_windows(path: bytes) -> bytes | None:
    """A path of Windows, so that all its spellings are the same; None of other paths."""
    path = path.replace(b"\\", b"/")
    if not _DRIVE.match(path):
        return None
    return os.fsencode(os.fsdecode(path.rstrip(b"/")).casefold())


def _target(new: Path, roots: Sequence[RootState], root: RootState, *, must_be_there: bool) -> Path:
    try:
        target = resolved(new)
        is_folder, is_there = _look(target)
    except (RuntimeError, OSError) as error:
        raise MoveError(f"The folder {display(to_bytes(new))} can't be found ({error}).") from error
    shown = display(to_bytes(target))
    if is_there and not is_folder:
        raise MoveError(f"{shown} is a file. Give the folder that holds what {root.display} held.")
    if not is_folder and must_be_there:
        raise MoveError(
            f"There is no folder {shown}. Connect its drive, or say --yes if it will be there later. "
            "Nothing was changed."
        )
    if to_bytes(target) == root.path:
        raise MoveError(f"The folder {root.display} is at {shown} already. Nothing was changed.")
    for other in roots:
        if other.id == root.id:
            continue
        place = to_path(other.path)
        if target == place or target.is_relative_to(place) or place.is_relative_to(target):
            how = "is" if target == place else "lies inside" if target.is_relative_to(place) else "is around"
            raise MoveError(
                f"{shown} {how} the folder {other.display}, which the library has already. Nothing was changed. If "
                f"the pictures of {root.display} are there, index it, so that they are found as moved: "
                f"python -m indexer {shown}"
            )
    return target


def _look(target: Path) -> tuple[bool, bool]:
    """Whether there is a folder, or anything, at a place."""
    if not is_address(target):
        return target.is_dir(), target.exists()
    try:
        return bool(objects(checked_address(target)).listed()), True
    except NotADirectoryError:
        return False, True
    except FileNotFoundError:
        return False, False


def _found(target: Path, files: Sequence[SampleFile], *, follow_links: bool) -> list[SampleFile]:
    """Those of the files that are there: of the same size, and of the same bytes as far as they are read."""
    found: list[SampleFile] = []
    read = 0
    for file in files:
        if is_address(target):
            looks = looks_of(target, file.path)
            is_right = looks is not None and looks[0] == file.size
            if is_right and (not found or read + file.size <= _READ_AT_MOST):
                read += file.size
                is_right = hash_of(target, file.path) == file.hash
            found += [file] if is_right else []
            continue
        try:
            descriptor = open_below(target, file.path, follow_links=follow_links)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as stream:
            try:
                if os.fstat(descriptor).st_size != file.size:
                    continue
                if not found or read + file.size <= _READ_AT_MOST:
                    read += file.size
                    digest = hashlib.sha256()
                    while data := stream.read(_CHUNK):
                        digest.update(data)
                    if digest.digest() != file.hash:
                        continue
            except OSError:
                continue
        found.append(file)
    return found


def _not_there(target: Path, files: Sequence[SampleFile]) -> str:
    named = ", ".join(f"{display(file.path)} ({in_words(file.size)})" for file in files[:_NAMED])
    more = f" and {count(len(files) - _NAMED, 'other file')}" if len(files) > _NAMED else ""
    return (
        f"{display(to_bytes(target))} does not hold the pictures that were indexed. Looked for, by size and hash: "
        f"{named}{more}; found: none. Nothing was changed. Give the folder in which these paths begin, or say "
        "--yes to move anyway."
    )


def _looks(library: Library, root: RootState, place: bytes, table: Literal["photos", "failures"]) -> list[Look]:
    """What files are at the new place that are as they were when they were read."""
    looks: list[Look] = []
    if is_address(to_path(place)):
        return looks  # the next run reads what lies there: no time of a file is that of an object
    for file in root_moves.files_of(library.catalog.engine, root.id, table):
        path = to_path(place, file.path)
        try:
            facts = path.stat(follow_symlinks=root.options.follow_symlinks)
        except OSError:
            continue
        if (facts.st_size, time_of(facts.st_mtime_ns)) == (file.size, file.mtime_ns):
            sidecars = None if file.sidecars is None else moved_sidecars(path.parent, file.sidecars)
            looks.append(Look(facts.st_dev, inode_of(facts.st_ino), time_of(facts.st_ctime_ns), sidecars, file.id))
    return looks
