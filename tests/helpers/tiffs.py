"""TIFFs of any kind, written tag by tag: encoders make few of those that exist."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_BYTES = {1: 1, 3: 2, 4: 4, 16: 8}


def tiff(
    parts: Sequence[bytes], width: int, height: int, *, order: str = "<", big: bool = False,
    types: dict[int, int] | None = None, **tags: int | Sequence[int],
) -> bytes:  # fmt: skip
    """A file of one page with these strips; `tags` by number, as in `t262=2`. `types`: other than the usual ones."""
    pointer = 16 if big else 4
    given: dict[int, Sequence[int]] = {
        int(name[1:]): [value] if isinstance(value, int) else list(value) for name, value in tags.items()
    }
    given |= {256: [width], 257: [height], 279: [len(part) for part in parts]}
    given.setdefault(278, [height])
    start = 16 if big else 8
    offsets, place = [], start
    for part in parts:
        offsets.append(place)
        place += len(part) + len(part) % 2
    given[273] = offsets
    blob = b"".join(part + b"\0" * (len(part) % 2) for part in parts)
    entries = b""
    for tag in sorted(given):
        kind = (types or {}).get(tag) or (pointer if tag in (273, 279) else 4 if tag in (256, 257, 278) else 3)
        value = struct.pack(f"{order}{len(given[tag])}{_CODES[kind]}", *given[tag])
        room = 8 if big else 4
        if len(value) > room:
            blob += b"\0" * (len(blob) % 2)
            value, blob = struct.pack(f"{order}{'Q' if big else 'I'}", start + len(blob)), blob + value
        entries += struct.pack(f"{order}HH{'Q' if big else 'I'}", tag, kind, len(given[tag])) + value.ljust(room, b"\0")
    blob += b"\0" * (len(blob) % 2)
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, start + len(blob))
        return head + blob + struct.pack(f"{order}Q", len(given)) + entries + bytes(8)
    head = mark + struct.pack(f"{order}HI", 42, start + len(blob))
    return head + blob + struct.pack(f"{order}H", len(given)) + entries + bytes(4)


def packed(values: NDArray[Any], bits: int) -> bytes:
    """Numbers of `bits` bits, highest first; each row of `values` begins with a byte."""
    rows = values.reshape(len(values), -1).astype(np.uint64)
    ones = (rows[..., None] >> np.arange(bits - 1, -1, -1, dtype=np.uint64)) & np.uint64(1)
    return np.packbits(ones.astype(np.uint8).reshape(len(values), -1), axis=1).tobytes()
