"""The blocks of a GIF (GIF89a, sections 18 to 26): its first picture without what lies beside it."""

from __future__ import annotations

import struct
from typing import Final

_HEADER: Final = 13
_IMAGE, _EXTENSION, _TRAILER = b"\x2c", b"\x21", b"\x3b"
_CONTROL: Final = b"\x21\xf9\x04"
_CONTROL_LENGTH: Final = 8
_MOST_BITS: Final = 8


def without_rest(data: bytes) -> bytes | None:
    """The header, and all from the first picture on; None where no broken block lies before it.

    It is searched for: a descriptor that fits on the screen, with data that another block follows.
    """
    if len(data) < _HEADER:
        return None
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    tables = at = _HEADER + _palette_bytes(flags)
    while data[at : at + 1] == _EXTENSION:
        at = _end(data, at + 2)
    if data[at : at + 1] == _IMAGE:
        return None
    at = tables
    while (at := data.find(_IMAGE, at)) >= 0 and at + 11 <= len(data):
        left, top, wide, high, local = struct.unpack_from("<HHHHB", data, at + 1)
        codes = at + 10 + _palette_bytes(local)
        fits = 0 < wide <= width - left and 0 < high <= height - top
        if fits and 2 <= (data[codes : codes + 1] or b"\0")[0] <= _MOST_BITS:
            after = data[_end(data, codes + 1) :][:1]
            if after in (_EXTENSION, _IMAGE, _TRAILER):
                control = at - _CONTROL_LENGTH
                has_control = control >= tables and data[control : control + 3] == _CONTROL
                return data[:tables] + data[control if has_control else at :]
        at += 1
    return None


def _end(data: bytes, at: int) -> int:
    """Where a run of sub-blocks ends, behind the empty one."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
