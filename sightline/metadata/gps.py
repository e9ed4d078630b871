"""Positions by EXIF and by XMP: degrees, with signs or hemispheres.

One odd part does not lose the place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sightline.metadata.said import Position
from sightline.metadata.text import number_in

_HIGHEST: Final = 100_000.0  # metres; above it "altitude" is a damaged tag, not a place
_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)?(?:/\d+)?", re.ASCII)
_LETTER: Final = re.compile(r"[NSEW]", re.I)


def position(
    latitude: float | None, longitude: float | None, altitude: float | None = None, is_below: bool = False
) -> Position | None:
    """A position, of degrees and metres.

    There is no altitude without a place: it is a receiver's noise.
    """
    # Cameras without a fix write exactly (0, 0), a point in the sea off Ghana.
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None
    if altitude is None or abs(altitude) > _HIGHEST:
        return latitude, longitude, None
    return latitude, longitude, -abs(altitude) if is_below and altitude else altitude


def degrees(parts: Sequence[float | None], hemisphere: str | None, letters: str, limit: float) -> float | None:
    """Degrees from up to three numbers: degrees, minutes, seconds.

    `letters` are the positive and the negative hemisphere, such as NS. Without a hemisphere only a minus tells the
    sign, and otherwise it is None. Seconds that are no number or more than 60 are left out, as are such minutes behind
    degrees with a fraction: then less than 1.9 km are lost, or nothing.
    """
    if not 1 <= len(parts) <= 3 or parts[0] is None:
        return None
    letter = (hemisphere or "").strip()[:1].upper()
    is_negative = parts[0] < 0
    if letter not in tuple(letters) or (is_negative and letter == letters[0]):
        if letter or not is_negative:
            return None
        letter = letters[1]
    total = abs(parts[0])
    for number, unit in zip(parts[1:], (60, 3600), strict=False):
        if number is not None and 0 <= number <= 60:
            total += number / unit
        elif unit == 60 and total == int(total):
            return None
    if total > limit:
        return None
    return -total if letter == letters[1] and total else total


def degrees_in(text: str | None, hemisphere: str | None, letters: str, limit: float) -> float | None:
    """Degrees from text such as `48,7.5N`, `48,7,30N`, `48.125` and `48 deg 7' 30" N`.

    The hemisphere is in the text, or given.
    XMP Specification Part 2, "GPSCoordinate". A number alone, with a sign or none, is in signed degrees.
    """
    if text is None:
        return None
    alone = number_in(text) if re.fullmatch(r"\s*[+-]?\d{1,3}(?:\.\d+)?\s*", text, re.ASCII) else None
    own = _LETTER.search(text.replace("deg", ""))
    letter = own[0] if own else (hemisphere or "").strip()[:1]
    if alone is not None and not letter:
        return alone if abs(alone) <= limit else None
    parts = [number_in(found) for found in _NUMBERS.findall(text)[:3]]
    if text.lstrip().startswith("-") and parts and parts[0]:
        parts[0] = -parts[0]
    return degrees(parts, letter, letters, limit) if parts else None
