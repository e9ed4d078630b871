"""Lenses in the maker notes of Canon, Nikon, Sony, Fujifilm, Olympus (OM System), Panasonic and Leica.

Only where EXIF names no lens: by the note's own name of it, or by its focal lengths and apertures. No tables of lens
numbers: makers of lenses share numbers, and such tables are the GPL's. Layouts and tags: the makers' notes as the
documentation of ExifTool describes them (exiftool.org/TagNames).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sightline.metadata.said import lens_name, range_of_lens
from sightline.metadata.text import clean_text
from sightline.metadata.tiff import Directory, Tiff

_NOTE: Final = 0x927C


def lens_of(details: Directory) -> str | None:
    """The lens by the maker note of an Exif directory; None where it says nothing."""
    place = details.place(_NOTE)
    if place is None:
        return None
    tiff = details.tiff
    mark = tiff.read(place, 20)
    inside = place - tiff.base  # offsets in some notes count from the beginning of the TIFF
    if mark.startswith(b"Nikon\0\x02"):
        return _nikon(tiff, place + 10)
    if mark.startswith((b"SONY ", b"\0\0SONY PIC")):
        return _sony(tiff.directory(inside + 12))
    if mark.startswith(b"FUJIFILM"):
        note = replace(tiff, base=place, endian="<")
        return _fujifilm(note.directory(int.from_bytes(mark[8:12], "little")))
    if mark.startswith(b"OLYMP\0"):
        return _olympus(tiff.directory(inside + 8))
    for name, at in ((b"OLYMPUS\0", 8), (b"OM SYSTEM\0\0\0", 12)):
        if mark.startswith(name):
            note = replace(tiff, base=place, endian=">" if mark[at : at + 2] == b"MM" else "<")
            return _olympus(note.directory(at + 4))
    if mark.startswith(b"LEICA\0"):
        return lens_name(clean_text(replace(tiff, base=place).directory(8).data(0x0303, 256)))
    if mark.startswith(b"Panasonic\0\0\0"):
        return lens_name(clean_text(tiff.directory(inside + 12).data(0x0051, 256)))
    # Canon's note has no mark; what is no directory of Canon's has no such tags.
    return _canon(tiff.directory(inside))


def _canon(note: Directory) -> str | None:
    if name := lens_name(clean_text(note.data(0x0095, 256))):
        return name
    settings = note.numbers(0x0001)
    if len(settings) < 26 or not settings[25]:
        return None
    longest, shortest, units = (settings[number] or 0 for number in (23, 24, 25))
    return range_of_lens((shortest / units, longest / units))


def _nikon(tiff: Tiff, place: int) -> str | None:
    head = tiff.read(place, 8)
    endian = {b"II": "<", b"MM": ">"}.get(head[:2])
    if endian is None or len(head) < 8:
        return None
    first = int.from_bytes(head[4:], "little" if endian == "<" else "big")
    return range_of_lens(replace(tiff, base=place, endian=endian).directory(first).numbers(0x0084))


def _sony(note: Directory) -> str | None:
    """The lens by its specification.

    Decimal digits of half a byte each: a byte of flags, twice two of mm, two of tenths of the f-number, flags.
    """
    digits = (note.data(0xB02A, 8) or b"").hex()
    if len(digits) != 16 or not digits[2:14].isdecimal():
        return None
    short, long, wide, narrow = int(digits[2:6]), int(digits[6:10]), int(digits[10:12]), int(digits[12:14])
    return range_of_lens((short, long, wide / 10, narrow / 10))


def _fujifilm(note: Directory) -> str | None:
    return range_of_lens(tuple(note.number(tag) for tag in (0x1404, 0x1405, 0x1406, 0x1407)))


def _olympus(note: Directory) -> str | None:
    entry = note.entries.get(0x2010)
    if entry is None:
        return None
    # Older bodies keep the directory of the equipment in the tag, later ones point to it.
    equipment = note.tiff.directory(entry[2] - note.tiff.base) if entry[0] == 7 else note.inner(0x2010)
    if name := lens_name(clean_text(equipment.data(0x0203, 256))):
        return name
    wide, narrow, short, long = (equipment.number(tag) for tag in (0x0205, 0x0206, 0x0207, 0x0208))
    apertures = (2 ** (value / 512) if value and value < 8192 else None for value in (wide, narrow))
    return range_of_lens((short, long, *apertures))
