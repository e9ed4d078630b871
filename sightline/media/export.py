"""Export photos of the library as copies or links to a folder of the user's choice.

No existing file is ever replaced, nothing is written outside the folder, and no file is written in part.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from store.files import TEMPORARY
from store.library import Library
from store.paths import to_path
from store.tables.catalog import PhotoRow

Link = Literal["copy", "hard", "symbolic"]
Outcome = Literal["written", "there", "failed"]

# Beyond this many files of one name something is wrong with the folder, not with the names.
_MOST_NAMESAKES: Final = 10_000
# What file systems without hard links say when asked for one: FAT, exFAT, some network drives.
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EACCES}


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of exporting one photo.

    Attributes:
        source: the photo.
        target: the exported file; of one that failed, the intended one.
        outcome: `there` where the folder already had the same file under this name.
        reason: why it failed, in words; empty otherwise.
    """

    source: Path
    target: Path
    outcome: Outcome
    reason: str = ""


def export(
    photos: Iterable[PhotoRow], folder: Path, *, link: Link = "copy", tree: bool = False, dry_run: bool = False
) -> Iterator[Exported]:
    """Export photos to a folder, one after the other; a photo that fails does not stop the rest.

    File names are kept. Where another file has the name, " (2)", " (3)" ... is added before the suffix. Where the same
    file has it, nothing is done, so a stopped export can be run again.

    Args:
        photos: the photos to export.
        folder: created with its parents where it does not exist.
        link: a copy (with the original's times), a hard link, or a symbolic one to the absolute path.
        tree: keep the folders below the root, under the root's own name; otherwise all files lie side by side.
        dry_run: write nothing, and yield what would be written.

    Raises:
        OSError: the folder can't be made.
    """
    base = folder.expanduser().absolute()
    if not dry_run:
        base.mkdir(parents=True, exist_ok=True)
    planned: set[Path] = set()
    for photo in photos:
        source = to_path(photo.root, photo.path)
        wanted = base.joinpath(*_parts(photo, tree=tree))
        try:
            yield _one(source, wanted, base, link, planned if dry_run else None)
        except OSError as error:
            yield Exported(source, wanted, "failed", error.strerror or str(error))


def inside_roots(library: Library, folder: Path) -> list[Path]:
    """Return the indexed folders that `folder` is or lies in: the next run indexes files exported there."""
    target = folder.expanduser().resolve()
    roots = [to_path(root.path) for root in library.catalog.roots()]
    return [root for root in roots if target.is_relative_to(root.resolve())]


def _parts(photo: PhotoRow, *, tree: bool) -> list[str]:
    # A path of the library never holds "..", unless the database was changed by something else.
    parts = [part for part in os.fsdecode(photo.path).split("/") if part not in ("", ".", "..")]
    return [to_path(photo.root).name or "root", *parts] if tree else parts[-1:]


def _one(source: Path, wanted: Path, base: Path, link: Link, planned: set[Path] | None) -> Exported:
    if not source.is_file():  # not only what is gone: opening a FIFO would wait for ever
        raise OSError(errno.ENOENT, "the file is not there any more")
    if planned is None:
        _make_parent(wanted.parent, base)
    for target in _namesakes(wanted):
        if planned is not None and target in planned:
            continue
        if os.path.lexists(target):
            if _same(source, target, link):
                return Exported(source, target, "there")
            continue
        if planned is not None:
            planned.add(target)
            return Exported(source, target, "written")
        try:
            _write(source, target, link)
        except FileExistsError:
            continue  # somebody else was quicker
        return Exported(source, target, "written")
    raise OSError(errno.EEXIST, f"there are {_MOST_NAMESAKES:,} files of this name already")


def _make_parent(parent: Path, base: Path) -> None:
    made = base
    for part in parent.relative_to(base).parts:
        made /= part
        made.mkdir(exist_ok=True)
        # Looked at before anything is made in it: a folder of the tree may be a link that leads elsewhere.
        if not made.resolve().is_relative_to(base.resolve()):
            raise OSError(errno.EPERM, f"{made.name} is a link that leads out of the folder")


def _namesakes(wanted: Path) -> Iterator[Path]:
    yield wanted
    for number in range(2, _MOST_NAMESAKES + 1):
        yield wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")


def _same(source: Path, target: Path, link: Link) -> bool:
    """Whether `target` is already what would be written."""
    try:
        if link == "symbolic":
            return target.is_symlink() and target.samefile(source)
        if target.is_symlink() or not target.is_file():
            return False
        # A copy must not be the original under another name: it would change with it.
        original = target.samefile(source)
        return original if link == "hard" else not original and filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False


def _write(source: Path, target: Path, link: Link) -> None:
    if link == "symbolic":
        target.symlink_to(source.absolute())
    elif link == "hard":
        try:
            target.hardlink_to(source.resolve())
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            raise OSError(errno.EXDEV, "it lies on another drive, which a hard link can't reach; use copies") from error
    else:
        temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{threading.get_ident()}")
        try:
            shutil.copyfile(source, temporary)
            facts = source.stat()
            os.utime(temporary, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            _publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _publish(temporary: Path, target: Path) -> None:
    """Give a finished file its name, unless another file has it: a rename would replace that file."""
    try:
        target.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        target.touch(exist_ok=False)
        try:
            temporary.replace(target)
        except BaseException:
            target.unlink()
            raise
