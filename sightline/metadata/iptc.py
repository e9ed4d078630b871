"""IPTC records (IIM 4.2) and the Photoshop image resources that they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sightline.metadata.said import Said
from sightline.metadata.text import MAX_CAPTION, clean_text, decoded

IPTC_RESOURCE: Final = 0x0404
_UTF8: Final = b"\x1b%G"
_MOST_RECORDS: Final = 10_000


def resources(data: bytes) -> dict[int, bytes]:
    """The image resources of Photoshop by number: 0x0404 is IPTC, 0x0422 EXIF, 0x0424 XMP.

    Layout: Adobe Photoshop File Formats Specification, "Image Resource Blocks".
    """
    found: dict[int, bytes] = {}
    at = data.find(b"8BIM")
    while at >= 0 and data[at : at + 4] == b"8BIM" and len(data) >= at + 12:
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        at += 6 + (data[at + 6] + 2) // 2 * 2  # a name, with its length, padded to an even number of bytes
        size = int.from_bytes(data[at : at + 4], "big")
        found.setdefault(number, data[at + 4 : at + 4 + size])
        at += 4 + (size + 1) // 2 * 2
    return found


def iptc_said(data: bytes) -> Said:
    """What IPTC records say. Bytes in resources of Photoshop are unpacked. Nothing raises."""
    if data[:4] == b"8BIM":
        data = resources(data).get(IPTC_RESOURCE, b"")
    values: dict[int, list[bytes]] = {}
    is_utf8 = False
    for record, number, value in _records(data):
        if (record, number) == (1, 90):
            is_utf8 = value.startswith(_UTF8)
        elif record == 2:
            values.setdefault(number, []).append(value)

    def text(number: int, limit: int = 200) -> str | None:
        return next((found for value in values.get(number, ()) if (found := clean(value, limit))), None)

    def clean(value: bytes, limit: int) -> str | None:
        return clean_text(value.decode("utf-8", "replace") if is_utf8 else decoded(value), limit)

    said = Said(
        title=text(5),
        caption=text(120, MAX_CAPTION),
        keywords=tuple(found for value in values.get(25, ()) if (found := clean(value, 200))),
        address=(text(90), text(95), text(101)),
    )
    for kind, day, time in (("original", 55, 60), ("digitised", 62, 63)):
        if written := text(day):
            said.add_date(kind, f"{written} {text(time) or ''}")
    return said


def _records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Record, number and bytes of each dataset; it ends where the data makes no sense."""
    at = data.find(b"\x1c")
    for _ in range(_MOST_RECORDS):
        if at < 0 or data[at : at + 1] != b"\x1c" or len(data) < at + 5:
            return
        record, number, size = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5], "big")
        at += 5
        if size & 0x8000:  # an extended dataset: the rest is the length of its length
            width = size & 0x7FFF
            size = int.from_bytes(data[at : at + width], "big") if width <= 8 else len(data)
            at += width
        yield record, number, data[at : at + size]
        at += size
