"""A walk for files that may be pictures. Only files without an extension are opened, for 32 bytes."""

from __future__ import annotations

import bisect
import fnmatch
import mimetypes
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from sightline.images.formats import EXTENSIONS, SNIFF, UNREAD_EXTENSIONS, begins_like_picture
from store.paths import to_bytes

# Common beside pictures and never pictures, where the system's type tables are silent.
_OTHER = frozenset(
    """.aae .bak .cfg .crdownload .csv .dat .db .dop .h5 .icloud .idx .ini .json .jsonl .lnk .lock .log .lrcat .lrprev
    .md .modd .moff .npy .npz .nfo .onnx .parquet .part .pickle .pkl .plist .pp3 .properties .pt .pth .py .safetensors
    .sqlite .srt .thm .tmp .toml .txt .url .vcf .xmp .yaml .yml""".split()
)
_USUAL = frozenset(map(os.fsencode, EXTENSIONS))
_DOT = ord(".")
_path = attrgetter("path")


class WalkedFile(NamedTuple):
    """A regular file that may be a picture: its path relative to the root as bytes, its size and time."""

    path: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder or entry the walk could not look into; what is known below it must be kept."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """What to pass over. `exclude`: shell patterns for a name, or with a `/` for a path from the root."""

    exclude: Sequence[str] = ()
    hidden: bool = False
    follow_symlinks: bool = False


@dataclass(slots=True)
class WalkCounts:
    """What the walk passed over without a word."""

    other_files: int = 0
    links: int = 0


def walk(
    root: Path, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path] = (), start: Path | None = None
) -> Iterator[WalkedFile | Unreadable]:
    """Every file under `root` that may be a picture, in byte order of their paths: see `walk_folders`."""
    for files, unreadable in walk_folders(root, options, counts, skip, start):
        yield from map(WalkedFile._make, files)
        yield from unreadable


def walk_folders(
    root: Path, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path] = (), start: Path | None = None
) -> Iterator[tuple[list[tuple[bytes, int, int]], list[Unreadable]]]:
    """Every file under `root` that may be a picture, and what could not be read, a folder at a time.

    Paths come in byte order, so what the library knows between two of them can be asked for at once: a folder's files
    are in parts where folders in it lie between them by name.

    Iterative, so depth is bounded by the file system and not by the stack. A folder reached twice, through a link or a
    loop, is visited once. FIFOs, sockets and devices are never opened. Links to files and folders are followed only
    with `follow_symlinks`.

    Args:
        root: the folder that paths are relative to.
        options: what to pass over.
        counts: raised as entries are passed over.
        skip: folders to leave out, such as the library's own.
        start: a folder inside `root` to walk instead of all of it.

    Yields:
        The fields of `WalkedFile`, as bare tuples: making them is most of the cost of walking an unchanged folder.
    """
    start = start or root
    own = {_identity(path) for path in skip if path.exists()}
    seen: set[tuple[int, int]] = set()
    waiting: list[Path | list[tuple[bytes, int, int]]] = [start]
    plain = not options.exclude
    while waiting:
        folder = waiting.pop()
        if isinstance(folder, list):
            yield folder, []
            continue
        try:
            identity = _identity(folder)
            if identity in seen or identity in own:
                continue
            seen.add(identity)
            with os.scandir(os.fsencode(folder)) as entries:
                listed = list(entries)
        except OSError as error:
            yield [], [Unreadable(_relative(folder, root), _reason(error))]
            continue
        # Once a folder, not once a file: a `Path` of each took most of the time of a run that finds nothing new.
        below = _relative(folder, root)
        below += b"/" if below else b""
        inner = []
        files: list[tuple[bytes, int, int]] = []
        unreadable = []
        for entry in listed:
            name = entry.name
            # Nearly every file of a folder of pictures, without a call of our own. `stat` follows nothing here.
            if plain and name[0] != _DOT and name[name.rfind(b".") :].lower() in _USUAL:
                try:
                    if entry.is_file(follow_symlinks=False):
                        facts = entry.stat(follow_symlinks=False)
                        files.append((below + name, facts.st_size, facts.st_mtime_ns))
                        continue
                except OSError:
                    pass  # asked again below, where it is told what is wrong
            found = _look(entry, below, options, counts)
            if isinstance(found, Path):
                inner.append((below + name + b"/", found))
            elif isinstance(found, Unreadable):
                unreadable.append(found)
            elif found is not None:
                files.append(found)
        files.sort()
        unreadable.sort(key=_path)
        if not inner:
            yield files, unreadable
            continue
        waiting.extend(reversed(_between(files, inner)))
        if unreadable:
            yield [], unreadable


def _between(
    files: list[tuple[bytes, int, int]], folders: list[tuple[bytes, Path]]
) -> list[Path | list[tuple[bytes, int, int]]]:
    """Sorted folders (paths that end in a slash), and the sorted files before, between and after them."""
    parts: list[Path | list[tuple[bytes, int, int]]] = []
    start = 0
    for path, folder in sorted(folders):
        end = bisect.bisect_left(files, (path,), start)
        if end > start:
            parts.append(files[start:end])
        parts.append(folder)
        start = end
    return [*parts, files[start:]] if start < len(files) else parts


def _look(
    entry: os.DirEntry[bytes], below: bytes, options: WalkOptions, counts: WalkCounts
) -> tuple[bytes, int, int] | Unreadable | Path | None:
    """One entry: a file that may be a picture, a folder to go into, a failure, or nothing of interest.

    `below` is the path of its folder from the root, with a slash at the end unless it is the root.
    """
    name = entry.name
    if not options.hidden and name[0] == _DOT:
        return None
    relative = below + name
    if options.exclude and _excluded(os.fsdecode(name), relative, options.exclude):
        return None
    try:
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
        return Path(os.fsdecode(entry.path))
    if not stat.S_ISREG(facts.st_mode):
        return None
    if not may_be_picture(Path(os.fsdecode(entry.path))):
        counts.other_files += 1
        return None
    return relative, facts.st_size, facts.st_mtime_ns


def may_be_picture(path: Path) -> bool:
    """Whether a file is worth reading: by its extension in any case, or without one by its first bytes."""
    extension = path.suffix.lower()
    if extension in EXTENSIONS or extension in UNREAD_EXTENSIONS:
        return True
    if not extension:
        return _has_picture_bytes(path)
    kind, _ = mimetypes.guess_type(f"x{extension}", strict=False)
    return extension not in _OTHER and (kind is None or kind.startswith("image/"))


def _has_picture_bytes(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF)
    except OSError:
        return True  # the reader will say why it can't be read
    return begins_like_picture(head)


def _excluded(name: str, relative: bytes, patterns: Sequence[str]) -> bool:
    path = os.fsdecode(relative)
    for pattern in patterns:
        bare = pattern.strip("/") if pattern.endswith("/") else pattern
        if fnmatch.fnmatchcase(path if "/" in bare else name, bare.lstrip("/")):
            return True
    return False


def _identity(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def _relative(path: Path, root: Path) -> bytes:
    relative = to_bytes(path.relative_to(root))
    return b"" if relative == b"." else relative


def _reason(error: OSError) -> str:
    return f"{error.strerror or type(error).__name__}"
