"""A layout on disk, in `space-N.map`: a line of JSON, then the arrays; with a checksum.

A layout is derived from the vectors. A file that is damaged, older, or of another space is made anew.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from store.arrays import Bytes, Floats, Ids, Mask
from store.checked_files import read_checked, write_checked

_FORMAT: Final = 3
_MOST_BYTES: Final = 4_000_000_000  # 235 million pictures
# Ids, places, clusters: the type and the numbers of each picture.
_ARRAYS: Final = (("<i8", 1), ("<f4", 2), ("u1", 1))


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the pictures of a space lie on the map.

    Attributes:
        space: the key of the space.
        method: `umap`; `pca` where there are too few pictures for UMAP, or it has not finished.
        generation: of the library when the layout was made.
        ids: content ids, int64 (n,), ascending.
        places: float32 (n, 2), about -1 to 1.
        clusters: the number of each picture's cluster, uint8 (n,), below `len(labels)`.
        labels: the name of each cluster; empty for a cluster without one.
        since: how many pictures were added or removed since the last full layout.
    """

    space: str
    method: Literal["umap", "pca"]
    generation: int
    ids: Ids
    places: Floats
    clusters: Bytes
    labels: tuple[str, ...]
    since: int = 0

    def only(self, keep: Mask) -> Layout:
        """Return the layout of some of the pictures: bool (n,)."""
        return replace(self, ids=self.ids[keep], places=self.places[keep], clusters=self.clusters[keep])


def path_of(library: Path, space_id: int) -> Path:
    """The file of a space's layout in the folder of its library."""
    return library / "maps" / f"space-{space_id}.map"


def save(layout: Layout, path: Path) -> None:
    """Write a layout to `path`. Where that fails, it stays in memory only."""
    facts = {
        "format": _FORMAT, "space": layout.space, "method": layout.method, "generation": layout.generation,
        "count": len(layout.ids), "labels": layout.labels, "since": layout.since,
    }  # fmt: skip
    arrays: tuple[NDArray[Any], ...] = (layout.ids, layout.places, layout.clusters)
    data = b"".join(array.astype(kind).tobytes() for array, (kind, _) in zip(arrays, _ARRAYS, strict=True))
    write_checked(path, json.dumps(facts).encode() + b"\n" + data, _about(layout.space))
    for suffix in (".npz", ".json"):  # of an older version
        with suppress(OSError):
            path.with_suffix(suffix).unlink(missing_ok=True)


def load(path: Path, space: str) -> Layout | None:
    """Read the layout at `path`; None where the file is missing, damaged or older, or of another space."""
    data = read_checked(path, _about(space), _MOST_BYTES)
    if data is None:
        return None
    line, _, rest = data.partition(b"\n")
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        facts = json.loads(line)
        arrays, start = [], 0
        for kind, width in _ARRAYS:
            arrays.append(np.frombuffer(rest, kind, facts["count"] * width, start))
            start += arrays[-1].nbytes
        ids, places, clusters = arrays
        return Layout(
            space, facts["method"], facts["generation"], ids, places.reshape(-1, 2), clusters, tuple(facts["labels"]),
            facts["since"],
        )  # fmt: skip
    return None


def _about(space: str) -> bytes:
    return f"map {_FORMAT} {space}".encode()
