"""The marker segments of a JPEG (ITU-T T.81, annex B): its kind, its end, and what pixels need.

Read only where decoding failed or raised a doubt: an ordinary file never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_SOI, _EOI, _SOS, _DHT, _JPG, _DAC, _ADOBE = 0xD8, 0xD9, 0xDA, 0xC4, 0xC8, 0xCC, 0xEE
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {_DHT, _JPG, _DAC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xDA)})
_CRITICAL: Final = _FRAMES | {_DHT, _DAC, 0xDB, 0xDC, 0xDD, _ADOBE}  # tables, frames, restarts, the colour transform
_BESIDE: Final = frozenset({0xE1, 0xE2})  # EXIF, XMP, profiles
_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HIERARCHICAL: Final = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
_JPEG_LS: Final = 0xF7

END: Final = bytes((0xFF, _EOI))


def not_supported(data: bytes) -> str:
    """What kind of JPEG it is, if it is one that can't be decoded here; else nothing."""
    for marker, start, end in _segments(data):
        if marker == _JPEG_LS:
            return "a JPEG-LS file"
        if marker in _FRAMES and end - start >= 8:
            bits, components = data[start + 2], data[start + 7]
            if marker in _LOSSLESS:
                return "a lossless JPEG"
            if marker in _HIERARCHICAL:
                return "a hierarchical JPEG"
            if bits != 8:
                return f"a {bits}-bit JPEG"
            return f"a JPEG of {components} components" if components not in (1, 3, 4) else ""
    return ""


def is_whole(data: bytes) -> bool:
    """Whether the scans give every coefficient of every component to its last bit.

    A progressive file that was cut between two scans has no damage that a decoder could see.
    """
    components = _components(data)
    progressive = any(marker in _PROGRESSIVE for marker, *_ in _segments(data))
    known = {component: [False] * 64 for component in components}
    for marker, start, _ in _segments(data, scans=True):
        if marker != _SOS:
            continue
        count = data[start + 2] if start + 2 < len(data) else 0
        parameters = data[start + 3 + 2 * count : start + 6 + 2 * count]
        if len(parameters) < 3:
            return False
        first, last, low = (parameters[0], parameters[1], parameters[2] & 15) if progressive else (0, 63, 0)
        for component in data[start + 3 : start + 3 + 2 * count : 2]:
            if low == 0 and component in known:
                known[component][first : min(last, 63) + 1] = [True] * (min(last, 63) + 1 - first)
    return bool(known) and all(all(coefficients) for coefficients in known.values())


def count_scans(data: bytes) -> int:
    """How many scans a decoder goes through.

    One, but for progressive files and those with a scan for each component; of these, never too few.
    """
    components = 0
    for marker, start, end in _segments(data):
        if marker in _PROGRESSIVE:
            break
        if marker in _FRAMES and end - start >= 8:
            components = data[start + 7]
        if marker == _SOS and data[start + 2 : start + 3] >= bytes((components,)):
            return 1
    # Entropy-coded data has no such bytes; an EXIF thumbnail does.
    return data.count(bytes((0xFF, _SOS)))


def without_rest(data: bytes) -> bytes | None:
    """The file with what its pixels need, its EXIF, XMP and profile; None where it has no scan.

    Segments of a wrong length, and rubbish between them, are left out.
    """
    made = bytearray((0xFF, _SOI))
    for marker, start, end in _segments(data):
        if marker == _SOS:
            return bytes(made + data[start - 2 :])
        if marker in _CRITICAL or marker in _BESIDE:
            made += data[start - 2 : end]
    return None


def _components(data: bytes) -> bytes:
    """The ids of the components of the frame."""
    for marker, start, end in _segments(data):
        if marker in _FRAMES and end - start >= 8:
            return data[start + 8 : end : 3][: data[start + 7]]
    return b""


def _segments(data: bytes, scans: bool = False) -> Iterator[tuple[int, int, int]]:
    """Each marker, where its segment starts (its length, or the byte after the marker) and ends.

    Ends with the first scan, or at the end of the image with `scans`. A segment is believed where another marker
    follows it; else the next marker is searched for.
    """
    place = 2
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        marker = data[place + 1]
        if marker in (0x00, 0xFF):  # a stuffed byte, or fill before a marker
            place += 1
            continue
        start = place + 2
        if marker == _EOI:
            return
        if marker in _NO_LENGTH - {_SOS} or marker < 0xC0:
            place = start
            continue
        end = start + int.from_bytes(data[start : start + 2], "big")
        if marker == _SOS:
            yield marker, start, end
            if not scans:
                return
            place = end
        elif end >= start + 2 and data[end : end + 1] == b"\xff":
            yield marker, start, end
            place = end
        elif marker in _CRITICAL:  # without it, what is left would give other pixels
            return
        else:
            place = start
