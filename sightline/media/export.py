"""Export photos of the library as copies or links to a folder of the user's choice.

No existing file is ever replaced, nothing is written outside the folder, and no file is written in part. Photos are
read as `sightline.media.opened` says, and written as `sightline.media.target_folder` does.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, Literal

from sightline.media.opened import OpenedPhoto, first_usable
from sightline.media.target_folder import TargetFolder, folder_in, make_folder
from store.addresses import is_address
from store.library import Library
from store.paths import to_path
from store.tables.catalog import PhotoRow

Link = Literal["copy", "hard", "symbolic"]
Outcome = Literal["written", "there", "failed"]

# Beyond this many files of one name something is wrong with the folder, not with the names.
_MOST_NAMESAKES: Final = 10_000


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
    library: Library, photos: Iterable[PhotoRow], folder: Path, *, link: Link = "copy", tree: bool = False,
    dry_run: bool = False,
) -> Iterator[Exported]:  # fmt: skip
    """Export photos to a folder, one after the other; a photo that fails does not stop the rest.

    What is exported is what was indexed, by its hash. Where the file of a photo changed or is gone, another one of the
    same content is exported under the photo's name.

    File names are kept. Where another file has the name, " (2)", " (3)" ... is added before the suffix. Where the same
    file has it, nothing is done, so a stopped export can be run again.

    Args:
        library: the photos' library.
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
        make_folder(base)
    planned: set[Path] = set()
    for photo in photos:
        parts = _parts(photo, tree=tree)
        wanted = base.joinpath(*parts)
        try:
            if dry_run:
                yield _plan(library, photo, wanted, link, planned)
            else:
                yield _one(library, photo, base, parts, link)
        except OSError as error:
            yield Exported(to_path(photo.root, photo.path), wanted, "failed", error.strerror or str(error))


def inside_roots(library: Library, folder: Path) -> list[Path]:
    """Return the indexed folders that `folder` is or lies in: the next run indexes files exported there."""
    target = folder.expanduser().resolve()
    roots = [root for root in map(to_path, (each.path for each in library.catalog.roots())) if not is_address(root)]
    return [root for root in roots if target.is_relative_to(root.resolve())]


def _parts(photo: PhotoRow, *, tree: bool) -> list[str]:
    # A path of the library never holds "..", unless the database was changed by something else.
    parts = [part for part in os.fsdecode(photo.path).split("/") if part not in ("", ".", "..")]
    return [to_path(photo.root).name or "root", *parts] if tree else parts[-1:] or ["picture"]


def _one(library: Library, photo: PhotoRow, base: Path, parts: Sequence[str], link: Link) -> Exported:
    """Export one photo: the file that is shown, or else another one of the same content."""

    def use(opened: OpenedPhoto) -> Exported:
        with opened, folder_in(base, parts[:-1]) as target:
            if link != "copy":
                opened.check()  # a copy is hashed while it is written
            source = to_path(opened.place.root, opened.place.path)
            for own in _namesakes(parts[-1]):
                made = target.path / own
                if (there := target.look(own)) is not None:
                    if _same(opened, target, own, there, link):
                        return Exported(source, made, "there")
                    continue
                try:
                    _write(opened, source, target, own, link)
                except FileExistsError:
                    continue  # somebody else was quicker
                return Exported(source, made, "written")
        raise OSError(errno.EEXIST, f"there are {_MOST_NAMESAKES:,} files of this name already")

    return first_usable(library, photo.content_id, photo.hash, use, photo.photo_id)


def _plan(library: Library, photo: PhotoRow, wanted: Path, link: Link, planned: set[Path]) -> Exported:
    """What `_one` would do, as far as a look tells: no file is hashed but one that has the name already."""

    def use(opened: OpenedPhoto) -> Exported:
        source = to_path(opened.place.root, opened.place.path)
        target = TargetFolder(wanted.parent, None)
        with opened:
            for own in _namesakes(wanted.name):
                made = wanted.with_name(own)
                if made in planned:
                    continue
                if (there := target.look(own)) is None:
                    planned.add(made)
                    return Exported(source, made, "written")
                if _same(opened, target, own, there, link):
                    return Exported(source, made, "there")
        raise OSError(errno.EEXIST, f"there are {_MOST_NAMESAKES:,} files of this name already")

    return first_usable(library, photo.content_id, photo.hash, use, photo.photo_id)


def _namesakes(wanted: str) -> Iterator[str]:
    yield wanted
    name = PurePath(wanted)
    for number in range(2, _MOST_NAMESAKES + 1):
        yield f"{name.stem} ({number}){name.suffix}"


def _same(opened: OpenedPhoto, folder: TargetFolder, name: str, there: os.stat_result, link: Link) -> bool:
    """Whether what has the name is already what would be written."""
    if link == "symbolic":
        leads_to = folder.leads_to(name) if stat.S_ISLNK(there.st_mode) else None
        return leads_to is not None and (leads_to.st_dev, leads_to.st_ino) == opened.identity
    # A copy must not be the original under another name: it would change with it.
    is_original = (there.st_dev, there.st_ino) == opened.identity
    if not stat.S_ISREG(there.st_mode) or is_original or link == "hard":
        return stat.S_ISREG(there.st_mode) and is_original and link == "hard"
    try:
        return there.st_size == opened.place.size and _hash_of(folder.open(name), there.st_size) == opened.hash
    except OSError:
        return False


def _hash_of(descriptor: int, size: int) -> bytes | None:
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size != size:
            return None
        return hashlib.file_digest(file, "sha256").digest()


def _write(opened: OpenedPhoto, source: Path, folder: TargetFolder, name: str, link: Link) -> None:
    if link != "copy" and is_address(source):
        raise OSError(errno.EXDEV, "it lies in a store of objects, which a link can't reach; use copies")
    if link == "symbolic":
        folder.link_to(source.absolute(), name)
    elif link == "hard":
        try:
            folder.link(source.resolve(), name, opened.identity)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            raise OSError(errno.EXDEV, "it lies on another drive, which a hard link can't reach; use copies") from error
    else:
        folder.write(name, opened.chunks(), (opened.facts.st_atime_ns, opened.facts.st_mtime_ns))
