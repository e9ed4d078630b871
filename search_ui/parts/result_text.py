"""Results, and facts of a picture, as words for people.

Plain functions, plain text: the caller escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sightline.humanize import count, size
from sightline.query.types import Query
from sightline.ranking.results import Result
from store.tables.catalog import PhotoRow
from store.tables.fact_table import GIVEN

# What told the date, where that was not the camera's tag of the exposure.
_DATED_BY: Final = {
    "digitised": "the date it was digitised",
    "created": "the date the file says it was created",
    "modified": "the date the file says it was changed",
    "container": "the date of the file's container",
    "file name": "the date in the file's name",
}
# The other facts are shown in one line with others, or as words.
_LABELLED: Final = tuple(fact for fact in GIVEN if fact.label)


def headline(result: Result, query: Query) -> str:
    """Return how much was found, in a few words: `12 matches, 6 possible`."""
    if not query.groups:
        return count(result.total, "picture")
    matches = matches_of(result) if result.strong else "No clear matches"
    return f"{matches}, {result.maybe:,} possible" if result.maybe else matches


def matches_of(result: Result) -> str:
    """Return how many sure matches there are: `12 matches`, `At least 10,000 matches`."""
    return ("At least " if result.at_least else "") + count(result.strong, "match", "matches")


def about(result: Result, query: Query) -> str:
    """Return the details of a result: of how many pictures, the time, the model."""
    took = f"in {result.seconds * 1000:.0f} ms, with the model {result.space}."
    if not query.groups:
        return f"Found {took}"
    among = count(result.total, "picture") + (" that match the filters" if query.filters else "")
    return f"Of {among}, {took}"


def facts(photo: PhotoRow) -> list[tuple[str, str]]:
    """What is known of a picture: label and value, without those that are not known."""
    known = photo.facts
    rows = [
        ("Size", f"{known['width']} x {known['height']} px, {known['format']}, {size(known['size'])}"),
        ("Taken", _taken(known)),
        ("Camera", " ".join(part for part in (known["camera_make"], known["camera_model"]) if part)),
        *((fact.label, "" if known[fact.name] is None else fact.shown.format(known[fact.name])) for fact in _LABELLED),
        ("Exposure", _exposure(known)),
        ("Place", place_names(known)),
        ("Position", _position(known)),
        ("Copies", f"the same file is in {photo.copies} places" if photo.copies > 1 else ""),
    ]
    return [(label, value) for label, value in rows if value]


def _taken(known: Mapping[str, Any]) -> str:
    """When it was taken, as far as that is known, and what told it where that was no tag of the camera."""
    text = known["taken_at"] or ""
    try:
        taken = datetime.fromisoformat(
            f"{text}-01-01"[:10] if len(text) < 7 else f"{text}-01" if len(text) < 10 else text
        )
    except ValueError:
        return ""
    words = f"{taken.year}" if len(text) < 7 else f"{taken:%B} {taken.year}"
    if len(text) >= 10:
        words = f"{taken:%A} {taken.day} {words}"
    if len(text) > 10:
        offset = known["taken_offset"]
        zone = "" if offset is None else f" (UTC{'+' if offset >= 0 else '-'}{abs(offset) // 60}:{abs(offset) % 60:02})"
        words += f", {taken:%H:%M}{zone}"
    source = known["taken_from"]
    return words if source in (None, "original") else f"{words}; {_DATED_BY.get(source, source)}"


def _exposure(known: Mapping[str, Any]) -> str:
    """Exposure time, aperture, sensitivity and focal length in one line, as far as they are known."""
    seconds, aperture, focal = known["exposure"], known["aperture"], known["focal"]
    parts = [
        "" if seconds is None else f"{_seconds(seconds)} s",
        "" if aperture is None else f"f/{round(aperture, 1):g}",
        "" if known["iso"] is None else f"ISO {known['iso']}",
        "" if focal is None else f"{round(focal, 1):g} mm",
    ]
    return " · ".join(filter(None, parts))


def _seconds(seconds: float) -> str:
    # As cameras show them: 1/4 and below as fractions.
    return f"1/{round(1 / seconds)}" if 0 < seconds < 0.3 else f"{round(seconds, 1):g}"


def place_names(known: Mapping[str, Any]) -> str:
    """Town, region and country, as far as they are known and not the same: `Kyoto, Japan`."""
    return ", ".join(dict.fromkeys(name for name in (known["town"], known["region"], known["country"]) if name))


def _position(known: Mapping[str, Any]) -> str:
    latitude, longitude, altitude = known["latitude"], known["longitude"], known["altitude"]
    if latitude is None or longitude is None:
        return ""
    north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    place = f"{abs(latitude):.5f}° {north}, {abs(longitude):.5f}° {east}"
    return place if altitude is None else f"{place}, {altitude:.0f} m"
