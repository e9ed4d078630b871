"""XMP sidecars of pictures: `a.jpg.xmp` and `a.xmp` beside `a.jpg`.

Case matters only where names differ in nothing else: drives of Windows, cards and Macs know none.

The library keeps them with each photo as one value: names, times (mtime, ctime) and sizes. It differs when
a sidecar comes, goes or is written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from store.paths import to_bytes, to_path

Walked = tuple[bytes, int, int, int | None, int, bytes | None]
"""The fields of an `indexer.walk.WalkedFile`, of which the last are the sidecars."""

Sidecar = tuple[bytes, int, int, int]
"""The name, size, mtime and ctime of a sidecar."""

ENDING: Final = b".xmp"


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


def paths_of(picture: bytes, sidecars: bytes | None) -> tuple[bytes, ...]:
    """The paths of a picture's sidecars, as `with_sidecars` noted them, below the same root as its own."""
    folder = picture[: picture.rfind(b"/") + 1]
    return tuple(folder + noted.rsplit(b":", 3)[0] for noted in (sidecars or b"").split(b"/") if noted)


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
