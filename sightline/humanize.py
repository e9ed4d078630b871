"""Numbers, sizes, times and file names as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sightline.ranking.results import Hit
from store.paths import display, to_bytes
from store.tables.catalog import PhotoRow

_UNITS: Final = ("bytes", "kB", "MB", "GB")


def file_name(photo: PhotoRow) -> str:
    """The last part of the photo's path, safe to print."""
    return photo.display.rsplit("/", 1)[-1]


def count(number: int, thing: str, things: str | None = None) -> str:
    """`1 picture`, `1,200 pictures`; `things` where more than one is not the thing with an s."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def short_path(folder: Path) -> str:
    """A folder for people, with `~` for their home."""
    home = Path.home()
    if folder != home and folder.is_relative_to(home):
        return display(b"~/" + to_bytes(folder.relative_to(home)))
    return display(to_bytes(folder))


def number(hit: Hit) -> str:
    """The number under a picture; empty where nothing was looked for."""
    if not hit.parts:
        return ""
    return f"{hit.score:.3f}" if len(hit.parts) == 1 and not hit.parts[0].excluded else f"{hit.score:.2f}"


def size(amount: int) -> str:
    """Bytes in powers of a thousand, as file managers show them."""
    value, unit = float(amount), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def date(taken_at: str | None) -> str:
    """The date in `taken_at`, as far as it is known: `1978`, `July 1978`, `4 July 1978`; empty for none."""
    text = taken_at or ""
    try:
        day = datetime.fromisoformat(f"{text[:10]}{'0000-01-01'[len(text) :]}")
    except ValueError:
        return ""
    year = f"{day.year:04}"
    return year if len(text) < 7 else f"{day:%B} {year}" if len(text) < 10 else f"{day.day} {day:%B} {year}"


def clock(seconds: float) -> str:
    """A length of time in few characters: `0:09`, `3:05`, `1:23:45`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def ago(stamp: str, now: datetime | None = None) -> str:
    """A time of the library (ISO 8601, UTC) as its age: `just now`, `5 minutes ago`; else a date, of this place."""
    then = datetime.fromisoformat(stamp).astimezone()
    passed = (now or datetime.now(UTC)) - then
    if timedelta(minutes=-5) < passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(0):  # the clock was set back since
        return f"on {then.day} {then:%B %Y}"
    for unit, seconds, limit in (("minute", 60, 60), ("hour", 3600, 24), ("day", 86400, 31)):
        amount = int(passed.total_seconds() // seconds)
        if amount < limit:
            return f"{count(amount, unit)} ago"
    return f"on {then.day} {then:%B %Y}"
