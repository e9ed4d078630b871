"""XMP sidecars of pictures: `a.jpg.xmp` and `a.xmp` beside `a.jpg`.

Case matters only where names differ in nothing else: drives of Windows, cards and Macs know none.

The library keeps them with each photo as one value: names, times (mtime, ctime) and sizes. It differs when
a sidecar comes, goes or is written.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from store.paths import display, to_bytes, to_path

Walked = tuple[bytes, int, int, int | None, int, bytes | None]
"""The fields of an `indexer.walk.WalkedFile`, of which the last are the sidecars."""

Sidecar = tuple[bytes, int, int, int]
"""The name, size, mtime and ctime of a sidecar."""

log = logging.getLogger(__name__)

ENDING: Final = b".xmp"
# Far above what programs write; a sidecar that is larger is no sidecar.
LARGEST: Final = 16 * 2**20


def with_sidecars(files: list[Walked], sidecars: list[Sidecar], start: int) -> list[Walked]:
    """Add to the files of one folder their sidecars.

    Args:
        files: of the folder; their names begin at `start` in their paths.
        sidecars: of the folder.
        start: where names begin.
    """
    names = {file[0][start:] for file in files}
    exact = names | {_stem(name) for name in names}
    by_base: dict[bytes, list[bytes]] = {}
    for name, size, mtime_ns, ctime_ns in sorted(sidecars):
        base = name[: -len(ENDING)]
        noted = b"%s:%d:%d:%d" % (name, mtime_ns, ctime_ns, size)
        by_base.setdefault(base if base in exact else _folded(base), []).append(noted)
    found = []
    for file in files:
        name = file[0][start:]
        stem = _stem(name)
        # The first is the one that names the file whole. `a.jpg.xmp` beside `a.jpg` is no sidecar of `a.jpg.png`.
        bases = (name, _folded(name), *((stem, _folded(stem)) if stem not in names else ()))
        own = [noted for base in dict.fromkeys(bases) for noted in by_base.get(base, ())]
        found.append((*file[:5], b"/".join(own)) if own else file)
    return found


def _stem(name: bytes) -> bytes:
    return name[: name.rfind(b".")] if b"." in name else name


def _folded(name: bytes) -> bytes:
    """A name without case, apart from all names as they are: no name has a slash."""
    return b"/" + os.fsencode(os.fsdecode(name).lower())


def read(picture: Path, sidecars: bytes | None) -> tuple[bytes, ...]:
    """The bytes of a picture's sidecars, as `with_sidecars` noted them, without unreadable ones."""
    if sidecars is None:
        return ()
    found = []
    for noted in sidecars.split(b"/"):
        path = to_path(to_bytes(picture.parent), noted.rsplit(b":", 3)[0])
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            log.warning("the sidecar %s can't be read (%s); its picture is read without it", _shown(path), error)
            continue
        if len(data) > LARGEST:
            most = LARGEST >> 20
            log.warning("the sidecar %s is over %d MB; its picture is read without it", _shown(path), most)
        else:
            found.append(data)
    return tuple(found)


def _shown(path: Path) -> str:
    return display(to_bytes(path))


def moved_sidecars(folder: Path, sidecars: bytes) -> bytes:
    """Note sidecars as they are in another folder: of those with the same mtime and size, the ctime."""
    kept = []
    for noted in sidecars.split(b"/"):
        name, mtime_ns, _, size = noted.rsplit(b":", 3)
        try:
            facts = to_path(to_bytes(folder), name).stat()
        except OSError:
            kept.append(noted)
            continue
        is_same = (facts.st_mtime_ns, facts.st_size) == (int(mtime_ns), int(size))
        kept.append(b"%s:%s:%d:%s" % (name, mtime_ns, facts.st_ctime_ns, size) if is_same else noted)
    return b"/".join(kept)
