"""What EXIF says.

Tag numbers and types: CIPA DC-008 (Exif 2.32), sections 4.6.4 to 4.6.6; XP tags are Windows'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sightline.metadata.gps import degrees, degrees_in, position
from sightline.metadata.maker_notes import lens_of
from sightline.metadata.said import Position, Said, lens_name, range_of_lens, stars, stars_of_percent
from sightline.metadata.text import MAX_CAPTION, clean_text, number_in
from sightline.metadata.tiff import Directory, Tiff

_LONGEST_TEXT: Final = 64 * 2**10
_HIGHEST_ISO: Final = 10_000_000
_SENSITIVITIES: Final = (0x8833, 0x8832, 0x8831)  # ISOSpeed, RecommendedExposureIndex, StandardOutputSensitivity
_DATES: Final = (
    ("original", True, 0x9003, 0x9011, 0),
    ("digitised", True, 0x9004, 0x9012, 0),
    ("modified", False, 0x0132, 0x9010, 1),
)
"""Kind, whether it is in the Exif directory, the tag, the tag of its offset, its place in TimeZoneOffset."""


@dataclass(frozen=True, slots=True)
class Exif:
    """The directories of EXIF: the main one, Exif and GPS. A CR3 file keeps each in a TIFF of its own."""

    main: Directory
    details: Directory
    gps: Directory

    @classmethod
    def of(cls, tiff: Tiff) -> Exif:
        """The directories of a TIFF, from the first one on."""
        main = tiff.directory(tiff.first)
        details = main.inner(0x8769)
        gps = main.inner(0x8825) if 0x8825 in main.entries else details.inner(0x8825)
        # TIFF/EP (ISO 12234-2), and the RAW files that follow it, have tags of the Exif directory in the main one.
        return cls(main, Directory(tiff, {**main.entries, **details.entries}), gps)

    @property
    def orientation(self) -> int | None:
        """How the picture lies, 1 to 8, of whatever type the tag is."""
        value = self.main.number(0x0112)
        return value if isinstance(value, int) and 1 <= value <= 8 else None


def exif_said(exif: Exif) -> Said:
    """What EXIF says."""
    main, details = exif.main, exif.details
    make, model = _text(main, 0x010F), _text(main, 0x0110) or _text(main, 0xC614)  # UniqueCameraModel of DNG
    lens = lens_name(_text(details, 0xA434))
    # LensSpecification of Exif, LensInfo of DNG.
    unnamed = lens or lens_of(details) or range_of_lens(details.numbers(0xA432)) or range_of_lens(main.numbers(0xC630))
    said = Said(
        camera_make=make,
        camera_model=model,
        lens=lens,
        unnamed_lens=unnamed,
        iso=_iso(details),
        aperture=aperture_of(_number(details, 0x829D), _number(details, 0x9202)),
        exposure=exposure_of(_number(details, 0x829A), _number(details, 0x9201)),
        focal=focal_of(_number(details, 0x920A)),
        position=_position(exif.gps),
        rating=_rating(main),
        title=_wide_text(main, 0x9C9B),
        caption=_text(main, 0x010E, MAX_CAPTION) or _wide_text(main, 0x9C9C, MAX_CAPTION),
        keywords=tuple(
            word for part in (_wide_text(main, 0x9C9E, MAX_CAPTION) or "").split(";") if (word := clean_text(part))
        ),
    )
    for kind, is_detail, tag, offset_tag, place in _DATES:
        table = details if is_detail else main
        text = _text(table, tag)
        if text:
            said.add_date(kind, text, _text(details, offset_tag) or _zone(details, place))
    return said


def aperture_of(number: float | None, apex: float | None) -> float | None:
    """The f-number, from itself or in the APEX system, where it is 2 to the power of half the value."""
    if number and 0.3 <= number <= 1000:
        return round(number, 4)
    return round(2 ** (apex / 2), 1) if apex is not None and 0 < apex <= 20 else None


def exposure_of(seconds: float | None, apex: float | None) -> float | None:
    """The exposure time in seconds, from itself or in the APEX system: 2 to the power of minus the value."""
    if seconds and 1e-7 <= seconds <= 1e6:
        return float(f"{seconds:.6g}")
    return float(f"{2**-apex:.6g}") if apex is not None and apex and -20 <= apex <= 20 else None


def focal_of(millimetres: float | None) -> float | None:
    """The focal length in mm, where it is one."""
    return round(millimetres, 4) if millimetres and 0.1 <= millimetres <= 100_000 else None


def iso_of(value: float | None) -> int | None:
    """The sensitivity, where it is one."""
    return int(value) if value is not None and 1 <= value <= _HIGHEST_ISO else None


def _text(table: Directory, tag: int, limit: int = 200) -> str | None:
    entry = table.entries.get(tag)
    if entry is None or entry[0] not in (1, 2, 7, 129):
        return None
    return clean_text(table.data(tag, _LONGEST_TEXT), limit)


def _wide_text(table: Directory, tag: int, limit: int = 200) -> str | None:
    """Text that Windows wrote as UTF-16."""
    data = table.data(tag, _LONGEST_TEXT)
    return None if data is None else clean_text(data.decode("utf-16-le", "ignore"), limit)


def _number(table: Directory, tag: int, is_list: bool = False) -> float | None:
    """The first number of a tag, also where it is written as text.

    Two whole ones, where the tag is no list, are a fraction: so Pillow writes the tuple (1, 500).
    """
    kind = table.entries[tag][0] if tag in table.entries else 0
    if kind in (2, 129):
        return number_in(_text(table, tag))
    found = table.numbers(tag) if kind != 7 else ()
    if not is_list and len(found) == 2 and found[0] is not None and found[1] and found[0] % 1 == found[1] % 1 == 0:
        return found[0] / found[1]
    return found[0] if found else None


def _iso(details: Directory) -> int | None:
    """The sensitivity. 65535 says that it is higher, and stands in a longer tag."""
    value = iso_of(_number(details, 0x8827, is_list=True))
    if value is None or value == 65535:
        longer = (iso_of(_number(details, tag, is_list=True)) for tag in _SENSITIVITIES)
        return next((found for found in longer if found is not None), value)
    return value


def _rating(main: Directory) -> int | None:
    found = main.entries.get(0x4746)
    rating = stars(main.number(0x4746)) if found is not None and found[0] not in (2, 5, 10) and found[1] == 1 else None
    return stars_of_percent(_number(main, 0x4749)) if rating is None else rating


def _zone(details: Directory, place: int) -> str | None:
    """TimeZoneOffset (TIFF/EP): whole hours, of the original and of the modified date."""
    hours = details.numbers(0x882A)
    value = hours[min(place, len(hours) - 1)] if hours else None
    return f"{value:+03}" if isinstance(value, int) and -14 <= value <= 14 else None


def _position(gps: Directory) -> Position | None:
    if not gps.entries:
        return None
    latitude = _degrees(gps, 0x0002, 0x0001, "NS", 90.0)
    longitude = _degrees(gps, 0x0004, 0x0003, "EW", 180.0)
    below = gps.number(0x0005) in (1, 3, ord("1"), ord("3"))  # Exif 3.0 added 2 and 3 for the ellipsoid
    return position(latitude, longitude, _number(gps, 0x0006), below)


def _degrees(gps: Directory, tag: int, reference: int, letters: str, limit: float) -> float | None:
    letter = _text(gps, reference)
    entry = gps.entries.get(tag)
    if entry is not None and entry[0] == 2:
        return degrees_in(_text(gps, tag), letter, letters, limit)
    return degrees(gps.numbers(tag), letter, letters, limit)
