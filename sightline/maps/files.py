"""A layout on disk: arrays in `space-N.npz`, facts and a SHA-256 of both in `space-N.json`.

A layout is derived from the vectors. A file that is damaged, older, or of another space is made anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from store.arrays import Bytes, Floats, Ids, Mask
from store.files import make_private, replace_file

log = logging.getLogger(__name__)

_FORMAT: Final = 2


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
    """The file of a space's arrays in the folder of its library."""
    return library / "maps" / f"space-{space_id}.npz"


def save(layout: Layout, path: Path) -> None:
    """Write a layout to `path` and the JSON file beside it. Where that fails, it stays in memory only."""
    buffer = io.BytesIO()
    np.savez(buffer, ids=layout.ids, places=layout.places, clusters=layout.clusters)
    data = buffer.getvalue()
    facts = {
        "format": _FORMAT, "space": layout.space, "method": layout.method, "generation": layout.generation,
        "labels": layout.labels, "since": layout.since,
    }  # fmt: skip
    text = json.dumps(facts | {"sha256": _digest(data, facts)})
    with suppress(OSError):
        make_private(path.parent)  # not those around it: a library that was moved is not made anew
        replace_file(path, lambda temporary: temporary.write_bytes(data), durable=False)
        # A crash in between leaves a digest that does not fit, and the layout is made anew.
        replace_file(
            path.with_suffix(".json"), lambda temporary: temporary.write_text(text, encoding="utf-8"), durable=False
        )


def load(path: Path, space: str) -> Layout | None:
    """Read the layout at `path`; None where a file is missing, damaged or older, or of another space."""
    try:
        data, text = path.read_bytes(), path.with_suffix(".json").read_bytes()
    except OSError:
        return None
    try:
        facts = json.loads(text)
        if facts.pop("sha256") == _digest(data, facts) and facts["format"] == _FORMAT:
            if facts["space"] != space:
                return None
            labels = tuple(facts["labels"])
            with np.load(io.BytesIO(data)) as arrays:
                return Layout(
                    space, facts["method"], facts["generation"], arrays["ids"], arrays["places"], arrays["clusters"],
                    labels, facts["since"],
                )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # the JSON file is damaged
    log.warning("the map %s is damaged or of another version; it is made anew", path)
    return None


def _digest(data: bytes, facts: dict[str, Any]) -> str:
    return hashlib.sha256(data + json.dumps(facts).encode()).hexdigest()
