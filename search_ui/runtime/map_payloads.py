"""The points of a map as one block of numbers, and those that pages were told the address of.

The block goes to the GPU as it is: JSON of a million points would be fifty times the work for the browser. All
little-endian: "SLPT", the number of the format, the number of points n, 0, each uint32; x and y of each, float32;
content ids, uint32 (n,); categories, uint8 (n,).
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

import numpy as np

from sightline.lru import Lru
from store.arrays import Bytes, Floats, Ids

NAMES: Final = ("points",)
"""The first parts of the addresses of these routes; `/map` is the page."""

MAGIC: Final = b"SLPT"
FORMAT: Final = 1
_MOST_BYTES: Final = 96 * 2**20


def packed(ids: Ids, places: Floats, categories: Bytes) -> bytes:
    """Points as the page reads them, see the head of this module.

    Args:
        ids: content ids, int64 (n,).
        places: float32 (n, 2).
        categories: uint8 (n,).

    Raises:
        ValueError: an id does not go into 32 bits.
    """
    if len(ids) and int(ids.max()) >= 2**32:
        raise ValueError(f"content id {int(ids.max())} is too large for the map; it draws ids below {2**32}")
    head = MAGIC + np.array([FORMAT, len(ids), 0], "<u4").tobytes()
    return b"".join([head, places.astype("<f4").tobytes(), ids.astype("<u4").tobytes(), categories.tobytes()])


class MapPayloads:
    """Points that pages were told the address of: the newest ones. Safe for use from several threads."""

    def __init__(self) -> None:
        self._kept: Lru[str, bytes] = Lru(max_cost=_MOST_BYTES, cost=len)

    def register(self, space_id: int, data: bytes) -> str:
        """The address of some points, which says what they are: others have another."""
        name = f"{space_id}-{hashlib.sha256(data).hexdigest()[:32]}.bin"
        self._kept.put(name, data)
        return f"/points/{name}"

    def get(self, name: str) -> bytes | None:
        """The points of a name, None where it is not known, or not any more."""
        return self._kept.get(name)


@cache
def map_payloads() -> MapPayloads:
    """Those of this process."""
    return MapPayloads()
