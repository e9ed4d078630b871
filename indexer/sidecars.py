"""XMP sidecars of pictures: `a.jpg.xmp` and `a.xmp` beside `a.jpg`, with the ending in any case.

Where none has just that name, one that differs in case alone is taken: elsewhere both may be one name.

The library keeps them with each photo as one value: names, times (mtime, ctime) and sizes. It differs when
a sidecar comes, goes or is written.
"""

from __future__ import annotations

import logging
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
    by_base: dict[bytes, list[bytes]] = {}
    for name, size, mtime_ns, ctime_ns in sorted(sidecars):
        by_base.setdefault(name[: -len(ENDING)], []).append(b"%s:%d:%d:%d" % (name, mtime_ns, ctime_ns, size))
    names = {file[0][start:] for file in files}
    folded = {name.lower() for name in names}
    by_case = _in_another_case(by_base, names)
    found = []
    for file in files:
        name = file[0][start:]
        stem = _stem(name)
        # The first is the one that names the file whole. `a.jpg.xmp` beside `a.jpg` is no sidecar of `a.jpg.png`.
        own = by_base.get(name, []) + (by_base.get(stem, []) if stem not in names else [])
        if by_case and not own:
            own = by_case.get(name.lower()) or (by_case.get(stem.lower(), []) if stem.lower() not in folded else [])
        found.append((*file[:5], b"/".join(own)) if own else file)
    return found


def _in_another_case(by_base: dict[bytes, list[bytes]], names: set[bytes]) -> dict[bytes, list[bytes]]:
    """Those whose name suits no file as it is, by their base in lower case."""
    taken = names | {_stem(name) for name in names}
    return {base.lower(): noted for base, noted in by_base.items() if base not in taken}


def _stem(name: bytes) -> bytes:
    return name[: name.rfind(b".")] if b"." in name else name


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
