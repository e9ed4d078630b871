"""A walk of a folder in a store of objects, as of a folder of this machine.

Rules, order and outcome are the same. A store has no folders of its own: what lies before a slash of a name is taken
for one. An object's `ctime` is a number made of its ETag, and its inode unknown: see
docs/decisions/pictures-in-object-stores.md.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from indexer.file_names import may_be_by_name
from indexer.other_programs import is_in_a_bin, is_other_programs_folder
from indexer.sidecars import ENDING, Sidecar, Walked, with_sidecars
from indexer.stat_numbers import time_of
from indexer.walk import Scope, Unreadable, WalkCounts, scopes_of
from sightline.images.formats import SNIFF, begins_like_picture
from store.addresses import address_of, is_address
from store.objects import Listed, Objects, objects
from store.paths import to_bytes, to_path
from store.remote import remote_of
from store.walk_options import WalkOptions

_DOT: Final = ord(".")
# s3fs takes what follows for the number of a version: it finds no object with such a name.
_VERSION: Final = b"?versionId="


def walk_objects(
    root: Path, options: WalkOptions, counts: WalkCounts, skip: Sequence[Path] = (), start: Path | None = None
) -> Iterator[tuple[list[Walked], list[Unreadable]]]:
    """Every object under the address `root` that may be a picture: see `indexer.walk.walk_folders`.

    Listed a folder at a time: so much is held in memory, and what was listed of a folder whose listing then fails
    counts for nothing. Links are never followed. Left out are the thumbnails of the libraries in `skip`.

    Yields:
        As `walk_folders` does.
    """
    store, place = objects(root), to_bytes(root)
    above = to_bytes(start or root)[len(place) :].strip(b"/")
    own = {address_of(path) for path in skip}
    own |= {address_of(kept) for path in skip if not is_address(path) and (kept := remote_of(path).thumbnails)}
    scopes = scopes_of(options, counts, above + b"/" if above else b"")
    # Folders, and whether they may be gone; and files before, between and after them.
    waiting: list[tuple[bytes, bool] | list[Walked]] = [(above, False)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            yield item, []
            continue
        folder, may_be_gone = item
        counts.folder, counts.entered = to_path(place, folder), time.monotonic()
        if own and address_of(counts.folder) in own:
            continue
        try:
            listed = store.listed(folder)
        except OSError as error:
            if not (may_be_gone and isinstance(error, FileNotFoundError)):
                yield [], [Unreadable(folder, f"{error.strerror or type(error).__name__}")]
            continue
        below = folder + b"/" if folder else b""
        scope = next(scope for scope in scopes if below.startswith(scope.prefix))
        files: list[Walked] = []
        inner: list[tuple[bytes, bool]] = []
        unreadable: list[Unreadable] = []
        sidecars: list[Sidecar] = []
        for entry in listed:
            found = _look(store, entry, below, place, scope, counts)
            if isinstance(found, Unreadable):
                unreadable.append(found)
            elif isinstance(found, bytes):
                inner.append((found, False))
            elif found is None:
                path = below + entry.name + b"/"
                inner.extend((each.prefix[:-1], True) for each in scopes if each.prefix.startswith(path))
            elif found[0].endswith(ENDING):
                sidecars.append((entry.name, *found[1:3], found[4]))
            else:
                files.append(found)
        files.sort()
        if sidecars:
            files = with_sidecars(files, sidecars, len(below))
        waiting.extend(reversed(_between(files, inner)))
        if unreadable:
            yield [], unreadable
    for scope in scopes:
        if scope.exclusions is not None:
            counts.matched |= scope.exclusions.matched


def _look(
    store: Objects, entry: Listed, below: bytes, place: bytes, scope: Scope, counts: WalkCounts
) -> Walked | Unreadable | bytes | None:
    """One entry: a possible picture, a sidecar, a folder to go into, a failure, or nothing."""
    name, options = entry.name, scope.options
    relative = below + name
    if not name:
        return Unreadable(below, "a name in it has two slashes after each other, and can't be listed")
    if scope.exclusions is not None and scope.exclusions.leave_out(relative, name, is_folder=entry.kind == "folder"):
        return None
    if not options.hidden and name[0] == _DOT:
        return None
    if entry.kind == "folder":
        around = place + b"/" + below.rstrip(b"/") if below else place
        if not options.caches and is_other_programs_folder(around, name):
            counts.caches[name] = counts.caches.get(name, 0) + 1
            return None
        return relative
    if entry.kind != "file":
        counts.links += entry.kind == "link"
        return None
    if not options.caches and is_in_a_bin(name):
        return None
    is_sidecar = name[-len(ENDING) :].lower() == ENDING
    facts = entry.facts
    looks = (facts.size, time_of(facts.mtime_ns), facts.version)
    if not is_sidecar and not _may_be_picture(store, relative, looks, counts):
        counts.other_files += 1
        return None
    if _VERSION in name and store.address.startswith("s3"):
        return Unreadable(relative, f"its name has {_VERSION.decode()} in it, by which no object can be read")
    path = relative[: -len(ENDING)] + ENDING if is_sidecar else relative
    return path, looks[0], looks[1], None, looks[2], None


def _may_be_picture(store: Objects, path: bytes, looks: tuple[int, int, int], counts: WalkCounts) -> bool:
    name = path.rpartition(b"/")[2].decode("utf-8", "surrogateescape")
    told = may_be_by_name(PurePosixPath(name).suffix.lower())
    if told is not None:
        return told
    if counts.is_unchanged is not None and counts.is_unchanged(path, *looks):
        return True  # no unchanged picture is read again, not even its beginning
    try:
        return begins_like_picture(store.begins(path, SNIFF))
    except OSError:
        return True  # the reader will say why it can't be read


def _between(files: list[Walked], folders: list[tuple[bytes, bool]]) -> list[tuple[bytes, bool] | list[Walked]]:
    """Folders by their paths with a slash, and the sorted files before, between and after them."""
    parts: list[tuple[bytes, bool] | list[Walked]] = []
    start = 0
    for path, may_be_gone in sorted(folders, key=lambda folder: folder[0] + b"/"):
        end = bisect.bisect_left(files, (path + b"/",), start)
        if end > start:
            parts.append(files[start:end])
        parts.append((path, may_be_gone))
        start = end
    return [*parts, files[start:]] if start < len(files) else parts
