"""Which photos are one file: a link and its target, hard links, a folder that is mounted twice.

To delete or move one name of a file frees nothing, and may take the file away from all others.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import groupby

from store.paths import to_bytes, to_path
from store.tables.records import PlacedPhoto


def files(photos: Sequence[PlacedPhoto]) -> list[list[PlacedPhoto]]:
    """Group photos of one content by the file that they name.

    Inodes that differ tell files apart without a look at the disk. Where they don't, or the library does not know them,
    the file system is asked.

    Returns:
        For each file its names, the file itself before links to it; files in the order of their first names.
    """
    inodes = [photo.inode for photo in photos]
    if None not in inodes and len(set(inodes)) == len(inodes):
        return [[photo] for photo in photos]
    found: dict[Hashable, list[PlacedPhoto]] = {}
    for photo in photos:
        found.setdefault(_identity(photo), []).append(photo)
    return [names if len(names) == 1 else sorted(names, key=_is_link) for names in found.values()]


def files_by_content(photos: Iterable[PlacedPhoto]) -> Iterator[tuple[int, list[list[PlacedPhoto]]]]:
    """Yield each content with its files, see `files`; `photos` as `Catalog.photos_of` gives them."""
    for content_id, names in groupby(photos, key=lambda photo: photo.content_id):
        yield content_id, files(list(names))


def identity(path: bytes) -> tuple[int, int] | None:
    """What tells the file at a path from all others, links followed; None where it can't be known.

    It is the inode and the time of the last change of its entry, in nanoseconds. Not the device: that of a network
    folder that is mounted twice may differ, and two files on two devices share both numbers only where one device is
    a clone of the other.
    """
    try:
        facts = os.stat(path)  # noqa: PTH116 - bytes, which pathlib does not take
    except (OSError, ValueError):
        return None
    return (facts.st_ino, facts.st_ctime_ns) if facts.st_ino else None


def path_of(photo: PlacedPhoto) -> bytes:
    """The absolute path of a photo, as the file system spells it."""
    return to_bytes(to_path(photo.root, photo.path))


def _identity(photo: PlacedPhoto) -> Hashable:
    now = identity(path_of(photo))
    if now is not None:
        return now
    # Not to be had now, such as on a drive that is away: what was seen last, marked as such.
    return (photo.device, photo.inode, "then") if photo.device and photo.inode else photo.photo_id


def _is_link(photo: PlacedPhoto) -> bool:
    path = path_of(photo)
    try:
        return os.path.realpath(path) != os.path.normpath(path)
    except OSError:
        return False
