"""A walk for files that may be pictures. Only files without an extension are opened, for 32 bytes."""

from __future__ import annotations

import bisect
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from indexer.exclusions import Exclusions
from indexer.file_names import may_be_by_name
from indexer.other_programs import is_in_a_bin, is_other_programs_folder
from indexer.sidecars import ENDING, Sidecar, Walked, with_sidecars
from indexer.stat_numbers import LARGEST, SMALLEST, inode_of, time_of
from sightline.images.formats import EXTENSIONS, SNIFF, begins_like_picture
from store.paths import relative_bytes, to_bytes, to_path
from store.walk_options import WalkOptions

_USUAL = frozenset(map(os.fsencode, EXTENSIONS))
_DOT = ord(".")
_path = attrgetter("path")


class WalkedFile(NamedTuple):
    """A regular file that may be a picture: its path from the root as bytes, and what it looks like.

    `sidecars` are its XMP sidecars, see `indexer.sidecars`; `inode` is None where a listing of a folder gives none.
    """

    path: bytes
    size: int
    mtime_ns: int
    inode: int | None
    ctime_ns: int
    sidecars: bytes | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder or entry the walk could not look into; what is known below it must be kept."""

    path: bytes
    reason: str


@dataclass(slots=True)
class WalkCounts:
    """What the walk passed over without a word, and what else it came by.

    Attributes:
        other_files: files that are no pictures.
        links: that were not followed, or lead nowhere.
        caches: how many bins and caches of other programs, by name.
        patterns: exclude patterns that could have left something out, and where they begin.
        matched: those of them that did.
        drives: folders, by path, that lie on another device than the folder they are in.
        folder: that is being listed.
        entered: when that began, by `time.monotonic`.
        listed: all folders that were listed, where that is asked for.
        is_unchanged: tells of an object, by its path, size, mtime and ctime, that it is a picture as before.
    """

    other_files: int = 0
    links: int = 0
    caches: dict[bytes, int] = field(default_factory=dict)
    patterns: set[tuple[bytes, str]] = field(default_factory=set)
    matched: set[tuple[bytes, str]] = field(default_factory=set)
    drives: list[bytes] = field(default_factory=list)
    folder: Path = Path()
    entered: float = 0.0
    listed: list[Path] | None = None
    is_unchanged: Callable[[bytes, int, int, int], bool] | None = None


def walk(
    root: Path, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path] = (), start: Path | None = None
) -> Iterator[WalkedFile | Unreadable]:
    """Every file under `root` that may be a picture, in byte order of their paths: see `walk_folders`."""
    for files, unreadable in walk_folders(root, options, counts, skip, start):
        yield from map(WalkedFile._make, files)
        yield from unreadable


def walk_folders(
    root: Path, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path] = (), start: Path | None = None
) -> Iterator[tuple[list[Walked], list[Unreadable]]]:
    """Every file under `root` that may be a picture, and what could not be read, a folder at a time.

    Paths come in byte order, so what the library knows between two of them can be asked for at once: a folder's files
    are in parts where folders in it lie between them by name.

    Iterative, so depth is bounded by the file system and not by the stack. A folder reached twice, through a link or a
    loop, is visited once, by its own path if it has one here. FIFOs, sockets and devices are never opened. Links to
    files and folders are followed only with `follow_symlinks`.

    Args:
        root: the folder that paths are relative to.
        options: what to pass over.
        counts: raised as entries are passed over.
        skip: folders to leave out, such as the library's own.
        start: a folder inside `root` to walk instead of all of it; itself it is never passed over.

    Yields:
        The fields of `WalkedFile`, as bare tuples: making them is most of the cost of walking an unchanged folder.
    """
    start = start or root
    own = {_identity(path) for path in skip if path.exists()}
    seen: set[tuple[int, int]] = set()
    above = _relative(start, root)
    scopes = scopes_of(options, counts, above + b"/" if above else b"")
    waiting: list[tuple[Path, int | None] | list[Walked]] = [(start, None)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            yield item, []
            continue
        folder, device_around = item
        counts.folder, counts.entered = folder, time.monotonic()
        try:
            identity = _identity(folder)
            if identity in seen or identity in own:
                continue
            seen.add(identity)
            with os.scandir(os.fsencode(folder)) as entries:
                listed = list(entries)
            if counts.listed is not None:
                counts.listed.append(folder)
        except OSError as error:
            yield [], [Unreadable(_relative(folder, root), _reason(error))]
            continue
        # Once a folder, not once a file: a `Path` of each took most of the time of a run that finds nothing new.
        below = _relative(folder, root)
        if device_around is not None and identity[0] != device_around:
            counts.drives.append(below)
        below += b"/" if below else b""
        scope = next(scope for scope in scopes if below.startswith(scope.prefix))
        exclusions = scope.exclusions
        inner: list[tuple[bytes, Path]] = []
        files: list[Walked] = []
        unreadable = []
        sidecars: list[Sidecar] = []
        for entry in listed:
            name = entry.name
            # Nearly every file of a folder of pictures, without a call of our own. `stat` follows nothing here.
            if name[0] != _DOT and name[name.rfind(b".") :].lower() in _USUAL:
                try:
                    if entry.is_file(follow_symlinks=False):
                        if exclusions is not None and exclusions.leave_out(below + name, name, is_folder=False):
                            continue
                        facts = entry.stat(follow_symlinks=False)
                        inode, mtime, ctime = facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns
                        if inode > LARGEST:
                            inode -= 2**64
                        if not (SMALLEST <= mtime <= LARGEST and ctime <= LARGEST):
                            mtime, ctime = time_of(mtime), time_of(ctime)
                        files.append((below + name, facts.st_size, mtime, inode or None, ctime, None))
                        continue
                except OSError:
                    pass  # asked again below, where it is told what is wrong
            found = _look(entry, below, folder, scope, counts)
            if isinstance(found, Path):
                if entry.is_symlink() and _is_come_by(found, root, start, options):
                    counts.links += 1
                    continue
                inner.append((below + name + b"/", found))
            elif isinstance(found, Unreadable):
                unreadable.append(found)
            elif found is None:
                inner.extend(_parts_below(scopes, root, below + name + b"/"))
            elif found[0].endswith(ENDING):
                sidecars.append((name, *found[1:3], found[4]))
            else:
                files.append(found)
        files.sort()
        if sidecars:
            files = with_sidecars(files, sidecars, len(below))
        unreadable.sort(key=_path)
        if not inner:
            yield files, unreadable
            continue
        waiting.extend(reversed(_between(files, inner, identity[0])))
        if unreadable:
            yield [], unreadable
    for scope in scopes:
        if scope.exclusions is not None:
            counts.matched |= scope.exclusions.matched


def is_passed_over(root: Path, prefix: bytes, options: WalkOptions) -> bool:
    """Whether a walk of `root` would not come to the folder `prefix` in it, a path that ends with a slash."""
    below = b""
    for name in prefix.rstrip(b"/").split(b"/"):
        here = options.at(below)
        exclusions = Exclusions(options.patterns_at(below))
        is_left_out = exclusions.leave_out(below + name, name, is_folder=True) or (name[0] == _DOT and not here.hidden)
        around = to_bytes(to_path(to_bytes(root), below))
        below += name + b"/"
        if below in options.parts:
            continue
        if is_left_out or (not here.caches and is_other_programs_folder(around, name)):
            return True
    return False


def _is_come_by(link: Path, root: Path, start: Path, options: WalkOptions) -> bool:
    """Whether a walk comes to a folder by its own path: a link must not take its pictures' paths away."""
    try:
        folder, base = link.resolve(), root.resolve()
    except (OSError, RuntimeError):
        return False
    if not folder.is_relative_to(start.resolve()):
        return False
    below = _relative(folder, base)
    return not below or not is_passed_over(root, below + b"/", options)


@dataclass(frozen=True, slots=True)
class Scope:
    """A folder of the root, by its path with a slash at the end, and what is passed over in it."""

    prefix: bytes
    options: WalkOptions
    exclusions: Exclusions | None


def scopes_of(options: WalkOptions, counts: WalkCounts, start: bytes) -> list[Scope]:
    """The scopes of a walk that starts at `start`, the innermost first."""
    scopes = []
    for prefix in sorted({b"", *options.parts}, key=len, reverse=True):
        patterns = options.patterns_at(prefix)
        # Others may be meant for what is not walked.
        counts.patterns.update(pattern for pattern in patterns if pattern[0].startswith(start))
        scopes.append(Scope(prefix, options.at(prefix), Exclusions(patterns) if patterns else None))
    return scopes


def _parts_below(scopes: Sequence[Scope], root: Path, path: bytes) -> list[tuple[bytes, Path]]:
    """The folders below one that is passed over, or itself, for which something else was chosen."""
    if len(scopes) == 1:
        return []
    inside = [scope.prefix for scope in scopes if scope.prefix.startswith(path)]
    return [(prefix, folder) for prefix in inside if (folder := to_path(to_bytes(root), prefix)).is_dir()]


def _between(files: list[Walked], folders: list[tuple[bytes, Path]], device: int) -> list[Any]:
    """Sorted folders (paths that end in a slash), and the sorted files before, between and after them."""
    parts: list[Any] = []
    start = 0
    for path, folder in sorted(folders):
        end = bisect.bisect_left(files, (path,), start)
        if end > start:
            parts.append(files[start:end])
        parts.append((folder, device))
        start = end
    return [*parts, files[start:]] if start < len(files) else parts


def _look(
    entry: os.DirEntry[bytes], below: bytes, folder: Path, scope: Scope, counts: WalkCounts
) -> Walked | Unreadable | Path | None:
    """One entry: a possible picture, a sidecar, a folder to go into, a failure, or nothing.

    `below` is the path of its folder from the root, with a slash at the end unless it is the root.
    """
    name, options = entry.name, scope.options
    relative = below + name
    try:
        if scope.exclusions is not None and scope.exclusions.leave_out(relative, name, is_folder=_is_folder(entry)):
            return None
        if not options.hidden and name[0] == _DOT:
            return None
        # Inside too: where a file system gives no types, this asks it.
        if entry.is_symlink() and not options.follow_symlinks:
            counts.links += 1
            return None
        facts = entry.stat()
    except FileNotFoundError:  # a broken link, or gone since it was listed
        counts.links += entry.is_symlink()
        return None
    except OSError as error:
        return Unreadable(relative, _reason(error))
    if stat.S_ISDIR(facts.st_mode):
        if not options.caches and is_other_programs_folder(to_bytes(folder), name):
            counts.caches[name] = counts.caches.get(name, 0) + 1
            return None
        return Path(os.fsdecode(entry.path))
    if not stat.S_ISREG(facts.st_mode) or (not options.caches and is_in_a_bin(name)):
        return None
    is_sidecar = name[-len(ENDING) :].lower() == ENDING
    if not is_sidecar and not may_be_picture(Path(os.fsdecode(entry.path))):
        counts.other_files += 1
        return None
    return (
        relative[: -len(ENDING)] + ENDING if is_sidecar else relative,
        facts.st_size, time_of(facts.st_mtime_ns), inode_of(facts.st_ino), time_of(facts.st_ctime_ns), None,
    )  # fmt: skip


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # told where it is looked at
        return False


def may_be_picture(path: Path) -> bool:
    """Whether a file is worth reading: by its extension in any case, or without one by its first bytes."""
    told = may_be_by_name(path.suffix.lower())
    return _has_picture_bytes(path) if told is None else told


def _has_picture_bytes(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF)
    except OSError:
        return True  # the reader will say why it can't be read
    return begins_like_picture(head)


def _identity(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def _relative(path: Path, root: Path) -> bytes:
    relative = relative_bytes(path.relative_to(root))
    return b"" if relative == b"." else relative


def _reason(error: OSError) -> str:
    return f"{error.strerror or type(error).__name__}"
