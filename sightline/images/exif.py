"""What a picture's header says: size, type, when, where and with which camera.

EXIF is text written by strangers. A broken tag is a missing fact, never an error, and no string leaves here with
control characters in it. Tag numbers and types: CIPA DC-008 (Exif 2.32), sections 4.6.4 to 4.6.6.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import struct
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final

from PIL import ExifTags, Image

TURNED_BY_PLUGIN: Final = frozenset({"HEIF", "JXL", "PSD", "TIFF"})
"""Formats whose pixels come upright from their readers: turning them by EXIF again would be once too often."""

MAX_TEXT: Final = 200

# PNG (third edition), section 5: a signature, then chunks of a length, a type, that many bytes and a checksum.
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_FACTS: Final = frozenset({b"IHDR", b"eXIf", b"tEXt", b"zTXt", b"iTXt"})
_PNG_END: Final = b"".join(struct.pack(">I4sI", 0, kind, zlib.crc32(kind)) for kind in (b"IDAT", b"IEND"))
_LONGEST_CHUNK: Final = 16 * 2**20

# The exceptions Pillow's EXIF reader is known to raise on damaged tags; MemoryError and the like pass through.
_BROKEN: Final = (ArithmeticError, AttributeError, EOFError, LookupError, OSError, RecursionError, SyntaxError,
                  TypeError, ValueError, struct.error)  # fmt: skip

_DATE: Final = re.compile(r"(\d{4})[:/.-](\d{1,2})[:/.-](\d{1,2})[ T](\d{1,2}):(\d{1,2}):(\d{1,2})", re.ASCII)
_FIRST_WORD: Final = re.compile(r"([^ _-]+)[ _-]+(.+)")
_OFFSET: Final = re.compile(r"([+-])(\d{2}):?(\d{2})", re.ASCII)
# An attribute or an element, "4" or "4.0": XMP Specification Part 1 (2012), section 8.4.
_XMP_RATING: Final = re.compile(rb"""xmp:Rating(?:\s*=\s*["']|>)\s*(-?\d)(?:\.0*)?\s*["'<]""")
_FURTHEST_OFFSET: Final = 14 * 60  # minutes; Kiribati. No clock on Earth is further from UTC.
_HIGHEST: Final = 100_000.0  # metres; above it "altitude" is a damaged tag, not a place


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file says about its picture. Sizes are pixels of the original, upright as displayed.

    `taken_at` is the camera's wall clock, "YYYY-MM-DDTHH:MM:SS", or as much of it as is known, from "YYYY" on;
    `taken_from` says what told it; `taken_offset` is minutes east of UTC. `iso` is the sensitivity, `aperture` the
    f-number, `exposure` in seconds, `focal` the focal length in millimetres. `latitude` and
    `longitude` are WGS84 degrees, north and east positive, both there or neither; `altitude` metres above the sea.
    `orientation` is the file's own EXIF value, 1 to 8, already accounted for in width and height. `rating` is 1
    to 5 stars, `label` a colour label, `keywords` have their levels separated by "|", `people` are names.
    """

    width: int
    height: int
    format: str
    taken_at: str | None = None
    taken_from: str | None = None
    taken_offset: int | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    iso: int | None = None
    aperture: float | None = None
    exposure: float | None = None
    focal: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    town: str | None = None
    region: str | None = None
    country: str | None = None
    orientation: int = 1
    rating: int | None = None
    label: str | None = None
    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a file's bytes and tells of its picture.

    `name` is the file's own name, without folders. `sidecars` are its XMP sidecars, the most trusted first.
    """

    name: str = ""
    sidecars: tuple[bytes, ...] = ()


NOTHING_BESIDE: Final = Beside()


def read_facts(image: Image.Image, beside: Beside = NOTHING_BESIDE) -> Facts:
    """Read the facts of an opened picture, before its pixels are loaded or drafted.

    Before, because loading a TIFF forgets its orientation and a draft forgets the original size; but a PNG, whose EXIF
    may follow its pixels, is loaded first, or opened `png_without_pixels`. Damaged EXIF raises nothing.

    Whoever changes what is read here raises `store.tables.fact_table.FACTS_VERSION`: the next run of the indexer then
    reads the headers of known pictures again.
    """
    width, height = image.size
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    exif, details, gps = _tag_tables(image)
    written = image.info.get("original_orientation") if kind == "HEIF" else _get(exif, ExifTags.Base.Orientation)
    orientation = written if isinstance(written, int) and 1 <= written <= 8 else 1
    if orientation >= 5 and kind not in TURNED_BY_PLUGIN:
        width, height = height, width
    taken_at, taken_offset = _taken(exif, details)
    make = clean_text(_get(exif, ExifTags.Base.Make))
    latitude, longitude, altitude = _position(gps)
    return Facts(
        width=width,
        height=height,
        format=kind,
        taken_at=taken_at,
        taken_offset=taken_offset,
        camera_make=make,
        camera_model=_without_make(clean_text(_get(exif, ExifTags.Base.Model)), make),
        lens=clean_text(_get(details, ExifTags.Base.LensModel)),
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        orientation=orientation,
        rating=_rating(image, exif),
    )


def png_without_pixels(source: BinaryIO) -> io.BytesIO:
    """A PNG file with the chunks that facts are read from, wherever they are in `source`, and no pixels."""
    source.seek(0)
    kept = [source.read(len(_PNG_SIGNATURE))]
    while len(head := source.read(8)) == 8:
        length = int.from_bytes(head[:4], "big") + 4  # with the checksum behind it
        if head[4:] in _PNG_FACTS and length <= _LONGEST_CHUNK:
            kept.append(head + source.read(length))
        else:
            source.seek(length, io.SEEK_CUR)
    return io.BytesIO(b"".join([*kept, _PNG_END]))


def clean_text(value: object) -> str | None:
    """Text from a tag as one clean line of at most 200 characters; None where nothing readable is left.

    Cut at the first NUL (EXIF strings are C strings), without control, format (bidirectional overrides) or surrogate
    characters, white space collapsed.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    with contextlib.suppress(UnicodeError):
        # Pillow reads ASCII tags as Latin-1; phones put UTF-8 into them.
        value = value.encode("latin-1").decode("utf-8")
    # A tag may be megabytes long: cut before walking over it, and again when the rubbish is out.
    text = value.lstrip("\0 ").partition("\0")[0][: 4 * MAX_TEXT]
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join(text.split())[:MAX_TEXT].rstrip()
    return text if any(c.isalnum() for c in text) else None


def _tag_tables(image: Image.Image) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    """The main, Exif and GPS tables; an unreadable one is empty."""
    nothing: dict[int, Any] = {}
    try:
        exif = Image.Image.getexif(image)  # that of PNGs would load the pixels where there is no EXIF
    except _BROKEN:
        return nothing, nothing, nothing
    tables: list[Mapping[int, Any]] = []
    for table in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        try:
            tables.append(exif.get_ifd(table))
        except _BROKEN:
            tables.append(nothing)
    return exif, tables[0], tables[1]


def _get(table: Mapping[int, Any], tag: int) -> Any:
    try:
        return table.get(tag)  # Pillow parses tags when asked for them, and may fail only then
    except _BROKEN:
        return None


def _without_make(model: str | None, make: str | None) -> str | None:
    """Remove leading words of the make: "KODAK Z1012" by "EASTMAN KODAK COMPANY" becomes "Z1012"."""
    if model is None or make is None:
        return model
    known = set(make.casefold().split())
    rest = model
    while (split := _FIRST_WORD.fullmatch(rest)) is not None and split[1].casefold() in known:
        rest = split[2]
    return rest


def _rating(image: Image.Image, exif: Mapping[int, Any]) -> int | None:
    """Return the stars by XMP, which programs keep up to date, else by EXIF.

    Both write 0 for none, XMP -1 for rejected.
    """
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    text = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    found = _XMP_RATING.search(text) if isinstance(text, bytes) else None
    stars = int(found[1]) if found else _get(exif, ExifTags.Base.Rating)
    return stars if isinstance(stars, int) and 1 <= stars <= 5 else None


def _taken(exif: Mapping[int, Any], details: Mapping[int, Any]) -> tuple[str | None, int | None]:
    """The first valid date, with the offset that belongs to it: each date has its own offset tag."""
    tags = ExifTags.Base
    for table, date, offset in (
        (details, tags.DateTimeOriginal, tags.OffsetTimeOriginal),
        (details, tags.DateTimeDigitized, tags.OffsetTimeDigitized),
        (exif, tags.DateTime, tags.OffsetTime),
    ):
        taken_at = _date(clean_text(_get(table, date)))
        if taken_at is not None:
            return taken_at, _minutes(clean_text(_get(details, offset)))
    return None, None


def _date(text: str | None) -> str | None:
    match = _DATE.match(text or "")
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        return datetime(year, month, day, hour, minute, second).isoformat()
    except ValueError:
        return None  # "0000:00:00 00:00:00" and month 13: cameras without a clock


def _minutes(text: str | None) -> int | None:
    if text == "Z":
        return 0
    match = _OFFSET.fullmatch(text or "")
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    offset = int(hours) * 60 + int(minutes)
    if int(minutes) >= 60 or offset > _FURTHEST_OFFSET:
        return None
    return -offset if sign == "-" else offset


def _position(gps: Mapping[int, Any]) -> tuple[float | None, float | None, float | None]:
    """Return latitude, longitude (degrees) and altitude (metres).

    There is no altitude without a place: it is a receiver's noise.
    """
    tags = ExifTags.GPS
    latitude = _degrees(_get(gps, tags.GPSLatitude), _get(gps, tags.GPSLatitudeRef), "N", "S", 90.0)
    longitude = _degrees(_get(gps, tags.GPSLongitude), _get(gps, tags.GPSLongitudeRef), "E", "W", 180.0)
    # Cameras without a fix write exactly (0, 0), a point in the sea off Ghana.
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None, None
    altitude = _number(_get(gps, tags.GPSAltitude))
    if altitude is None or abs(altitude) > _HIGHEST:
        return latitude, longitude, None
    below = _get(gps, tags.GPSAltitudeRef) in (1, b"\x01", 3, b"\x03")  # Exif 3.0 added 2 and 3 for the ellipsoid
    return latitude, longitude, -altitude if below else altitude


def _degrees(value: object, reference: object, positive: str, negative: str, limit: float) -> float | None:
    """Degrees from up to three numbers (degrees, minutes, seconds). No hemisphere, no sign: None."""
    parts = value if isinstance(value, tuple | list) else (value,)
    numbers = [_number(part) for part in parts]
    if not 1 <= len(numbers) <= 3 or (letter := (clean_text(reference) or "").upper()) not in (positive, negative):
        return None
    degrees = 0.0
    for number, unit in zip(numbers, (1, 60, 3600), strict=False):
        if number is None or number < 0:
            return None
        degrees += number / unit
    if degrees > limit:
        return None
    return -degrees if letter == negative and degrees else degrees


def _number(value: object) -> float | None:
    """A finite float, or None: a rational may be 0/0, which is not a number."""
    try:
        number = float(value)  # type: ignore[arg-type]  # anything at all may stand in a tag
    except _BROKEN:
        return None
    return number if math.isfinite(number) else None
