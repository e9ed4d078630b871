"""The blocks of a GIF (GIF89a, sections 18 to 26): its first picture without what lies beside it."""

from __future__ import annotations

import struct
from typing import Final

_HEADER: Final = 13
_IMAGE: Final = b"\x2c"
_CONTROL: Final = b"\x21\xf9\x04"
_CONTROL_LENGTH: Final = 8
_MOST_BITS: Final = 8


def without_rest(data: bytes) -> bytes | None:
    """The header, and all from the first picture on that fits in it; None where there is none."""
    if len(data) < _HEADER:
        return None
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    tables = _HEADER + _palette_bytes(flags)
    at = tables
    while (at := data.find(_IMAGE, at)) >= 0 and at + 11 <= len(data):
        left, top, wide, high, local = struct.unpack_from("<HHHHB", data, at + 1)
        codes = at + 10 + _palette_bytes(local)
        fits = 0 < wide <= width - left and 0 < high <= height - top
        if fits and 2 <= (data[codes : codes + 1] or b"\0")[0] <= _MOST_BITS and not local & 0x18:
            control = at - _CONTROL_LENGTH
            if data[control : control + 3] != _CONTROL or control < tables:
                control = at
            return data[:tables] + data[control:]
        at += 1
    return None


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
