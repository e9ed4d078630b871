"""A layout on disk: one file for each space, made again whenever it does not fit. Nothing in it is more than derived.

The file: 8 bytes that name the format; the SHA-256 of all that follows; the length of the header, uint32; the header,
JSON; content ids int64 (n,), places float32 (n, 2), clusters uint8 (n,). All little-endian.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from store.arrays import Bytes, Floats, Ids
from store.files import replace_file

log = logging.getLogger(__name__)


MAGIC: Final = b"SLMAP\x00\x00\x01"
_DIGEST: Final = 32
_ROW: Final = 8 + 8 + 1


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the pictures of a space lie.

    Attributes:
        space: its key.
        method: `umap`, or `pca` where there are too few pictures for it, or it is still at work.
        generation: of the library, when it was made.
        ids: content ids, int64 (n,), ascending.
        places: float32 (n, 2), about -1 to 1.
        clusters: the number of each picture's cluster, uint8 (n,), below `len(labels)`.
        labels: what each cluster is called; empty where nothing says it.
        since: how many pictures were put in or left out since the whole was laid out.
    """

    space: str
    method: Literal["umap", "pca"]
    generation: int
    ids: Ids
    places: Floats
    clusters: Bytes
    labels: tuple[str, ...]
    since: int = 0

    def only(self, keep: NDArray[np.bool_]) -> Layout:
        """The same with some of the pictures: bool (n,)."""
        return replace(self, ids=self.ids[keep], places=self.places[keep], clusters=self.clusters[keep])


def path_of(library: Path, space_id: int) -> Path:
    """Where the layout of a space lies, in the folder of its library."""
    return library / "maps" / f"space-{space_id}.map"


def save(layout: Layout, path: Path) -> None:
    """Write a layout beside `path` and put it there; where that can't be, it stays in memory only."""
    header = json.dumps(
        {
            "space": layout.space, "method": layout.method, "generation": layout.generation, "count": len(layout.ids),
            "labels": layout.labels, "since": layout.since,
        }
    ).encode()  # fmt: skip
    arrays = (layout.ids.astype("<i8"), layout.places.astype("<f4"), layout.clusters.astype("u1"))
    body = b"".join([len(header).to_bytes(4, "little"), header, *(array.tobytes() for array in arrays)])
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = MAGIC + hashlib.sha256(body).digest() + body
        replace_file(path, lambda temporary: temporary.write_bytes(data), durable=False)


def load(path: Path, space: str) -> Layout | None:
    """The layout kept at `path` if it is of this space, and no bit of it changed; else None."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body = data[len(MAGIC) + _DIGEST :]
    if data[: len(MAGIC)] != MAGIC or data[len(MAGIC) : len(MAGIC) + _DIGEST] != hashlib.sha256(body).digest():
        log.warning("the map %s is damaged or of another version; it is made again", path)
        return None
    start = 4 + int.from_bytes(body[:4], "little")
    header = json.loads(body[4:start])
    count = header["count"]
    if header["space"] != space or len(body) != start + count * _ROW:
        return None
    return Layout(
        space, header["method"], header["generation"],
        ids=np.frombuffer(body, "<i8", count, start).astype(np.int64),
        places=np.frombuffer(body, "<f4", 2 * count, start + 8 * count).reshape(-1, 2).astype(np.float32),
        clusters=np.frombuffer(body, "u1", count, start + 16 * count).copy(),
        labels=tuple(header["labels"]), since=header["since"],
    )  # fmt: skip
