"""Dates as cameras, scanners and programs write them, in tags.

A date is kept as precisely as it is known, as the beginning of an ISO 8601 text: `1978`, `1978-07`, `1978-07-04`,
`1978-07-04T10:20` or `1978-07-04T10:20:30`.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Date:
    """What a tag says of a date.

    `text` is the date, None of a tag that can't be read; `offset` is minutes east of UTC.
    """

    text: str | None
    offset: int | None = None


UNREADABLE: Final = Date(None)

_FURTHEST_OFFSET: Final = 14 * 60  # minutes; Kiribati. No clock on Earth is further from UTC.
_YEARS: Final = range(1000, 2200)  # paintings have dates too; 9999 and 0001 are no dates
# What a clock shows that counts from there and was never set: of QuickTime's and Unix's times, the first second.
_NEVER_SET: Final = ("1904-01-01T00:00:00", "1970-01-01T00:00:00")

# White space may stand in several places: what is longer is no date, and would be tried at length.
_LONGEST: Final = 200
_GAP: Final = r"\s*[:/.\-]\s*"
_DAY: Final = re.compile(rf"(\d{{4}})(?:{_GAP}(\d{{1,2}})(?:{_GAP}(\d{{1,2}}))?)?(?![\dA-SU-Za-z])", re.ASCII)
_COMPACT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T _-]*(\d\d)(\d\d)(\d\d)?)?(?!\d)", re.ASCII)
_MONTHS: Final = {name.lower(): number for number, name in enumerate(
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)}  # fmt: skip
_NAMED: Final = re.compile(r"(?:[a-z]{3,9},?\s+)?(\d{1,2})[ -]([a-z]{3})[a-z]*\.?[ -](\d{4})(?!\d)", re.ASCII | re.I)
_ASCTIME: Final = re.compile(r"(?:[a-z]{3}\s+)?([a-z]{3})\s+(\d{1,2})\s+(\d\d:\d\d:\d\d)\s+(\d{4})$", re.ASCII | re.I)
_HALVES: Final = {"am": 0, "오전": 0, "上午": 0, "午前": 0, "pm": 12, "오후": 12, "下午": 12, "午後": 12}
HALF: Final = "|".join((r"[ap]\.?\s?m\b\.?", *(name for name in _HALVES if not name.isascii())))
"""A regular expression for what tells the halves of a day apart."""
_TIME: Final = re.compile(
    rf"[T\s:,]*({HALF})?\s*(\d{{1,2}})\s*([:.])\s*(\d{{1,2}})(?:\s*\3\s*(\d{{1,2}})(?:[.,:]\d*)?)?[\s:]*({HALF})?",
    re.I,
)
_OFFSET: Final = re.compile(r"([+-])(\d{1,2}):?(\d{2})?", re.ASCII)


def date_in(text: str | None, offset: str | None = None) -> Date | None:
    """Read a date. None where the tag is not set; `UNREADABLE` where something is written that is no date.

    Hour 24 is the hour after midnight of that day, as some phones count; second 60 is 59. A time that can't be
    read leaves the day. `offset` is used where the text has none.
    """
    text = (text or "")[:_LONGEST].strip()
    if not any("1" <= c <= "9" for c in text):
        return None  # "0000:00:00 00:00:00", "    :  :     :  :  ", "unknown"
    found = _parts(text)
    if found is None:
        return UNREADABLE
    day, rest = found
    time, zone = _time(rest) if len(day) == 10 else ("", None)
    if day + time in _NEVER_SET:
        return None
    return Date(day + time, (minutes(zone) if zone else minutes(offset)) if time else None)


def minutes(text: str | None) -> int | None:
    """Minutes east of UTC of `+02:00`, `+0200`, `+02` or `Z`; None of anything else."""
    text = (text or "")[:_LONGEST].strip()
    if text.upper() in ("Z", "UTC", "GMT"):
        return 0
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    hours, rest = int(match[2]), int(match[3] or 0)
    offset = hours * 60 + rest
    if rest >= 60 or offset > _FURTHEST_OFFSET:
        return None
    return -offset if match[1] == "-" else offset


def day_of(year: int, month: int, day: int) -> str | None:
    """A day, a month (day 0) or a year (month 0) as text; None where there is no such day."""
    if year not in _YEARS or month > 12:
        return None
    if month == 0:
        return f"{year:04}"
    if day == 0:
        return f"{year:04}-{month:02}"
    return f"{year:04}-{month:02}-{day:02}" if day <= calendar.monthrange(year, month)[1] else None


def time_of(hour: int, minute: int, second: int | None, half: str | None = None) -> str:
    """A time of the day behind its `T`; empty where there is no such time."""
    later = _HALVES.get(re.sub(r"[.\s]", "", half or "").lower())
    if later is not None and hour <= 12:
        hour = hour % 12 + later
    if hour > 24 or minute > 59:
        return ""
    time = f"T{hour % 24:02}:{minute:02}"
    return time if second is None or second > 60 else f"{time}:{min(second, 59):02}"


def _parts(text: str) -> tuple[str, str] | None:
    """The day and what follows it."""
    if match := _COMPACT.match(text):
        year, month, day, hour, minute, second = match.groups()
        rest = f"{hour}:{minute}:{second or '00'}{text[match.end() :]}" if hour else text[match.end() :]
    elif match := _DAY.match(text):
        (year, month, day), rest = match.groups(), text[match.end() :]
    elif match := _ASCTIME.match(text):
        month, day, rest, year = match.groups()
    elif match := _NAMED.match(text):
        (day, month, year), rest = match.groups(), text[match.end() :]
    else:
        return None
    number = _MONTHS.get(month.lower(), 13) if month and month.isalpha() else int(month or 0)
    found = day_of(int(year), number, int(day or 0))
    return None if found is None else (found, rest)


def _time(text: str) -> tuple[str, str | None]:
    """The time of the day at the start of a text, and the offset behind it."""
    match = _TIME.match(text)
    if match is None:
        return "", None
    before, hour, _, minute, second, after = match.groups()
    time = time_of(int(hour), int(minute), None if second is None else int(second), before or after)
    return time, text[match.end() :].strip() or None
