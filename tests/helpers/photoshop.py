"""Photoshop documents without layers, small, of every kind that is read."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_MODES = {"bitmap": 0, "grey": 1, "indexed": 2, "rgb": 3, "cmyk": 4, "multichannel": 7, "lab": 9}


def psd(
    channels: Sequence[NDArray[np.uint8]], mode: str = "rgb", *, bits: int = 8, large: bool = False, rle: bool = False,
    resources: Mapping[int, bytes] | None = None, palette: bytes = b"", layers: int = 0,
) -> bytes:  # fmt: skip
    """A PSD, or with `large` a PSB, of these channels, each (height, width) uint8, kept with `bits` bits."""
    height, width = channels[0].shape
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 2 if large else 1, len(channels), height, width, bits, _MODES[mode])
    blocks = b""
    for number, data in (resources or {}).items():
        blocks += struct.pack(">4sHHI", b"8BIM", number, 0, len(data)) + data + bytes(len(data) % 2)
    wide = "Q" if large else "I"
    info = struct.pack(f">{wide}h", 2, layers) + bytes(4)
    section = struct.pack(f">{wide}", len(info)) + info if layers else bytes(8 if large else 4)
    head += struct.pack(">I", len(palette)) + palette + struct.pack(">I", len(blocks)) + blocks + section
    rows = [[_row(row, bits) for row in channel] for channel in channels]
    if not rle:
        return head + b"\0\0" + b"".join(b"".join(each) for each in rows)
    packed = [[_packed(row) for row in each] for each in rows]
    lengths = [len(row) for each in packed for row in each]
    counts = struct.pack(f">{len(lengths)}{'I' if large else 'H'}", *lengths)
    return head + b"\0\1" + counts + b"".join(b"".join(each) for each in packed)


def _row(row: NDArray[np.uint8], bits: int) -> bytes:
    if bits == 1:
        return np.packbits(row == 0).tobytes()
    if bits == 8:
        return row.tobytes()
    if bits == 16:
        return (row.astype(">u2") * 257).astype(">u2").tobytes()
    levels = row / 255
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return light.astype(">f4").tobytes()


def _packed(row: bytes) -> bytes:
    """PackBits: pieces of up to 128 bytes, equal ones as a run."""
    out = b""
    for at in range(0, len(row), 100):
        piece = row[at : at + 100]
        run = len(piece) > 1 and piece == piece[:1] * len(piece)
        out += bytes([257 - len(piece)]) + piece[:1] if run else bytes([len(piece) - 1]) + piece
    return out
