"""What one source says of a picture: EXIF, XMP, IPTC, the container. `trust` chooses among them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.metadata.dates import Date, date_in

Position = tuple[float, float, float | None]
"""Degrees north, degrees east, metres above the sea."""

Address = tuple[str | None, str | None, str | None]
"""Town, region, country."""

NOWHERE: Address = (None, None, None)


@dataclass(slots=True)
class Said:
    """Facts by one source; None or empty where it says nothing. Units are those of `facts.Facts`.

    `rating` also takes what is no star: 0 for unrated and -1 for rejected. `unnamed_lens` is the lens by
    the maker's note, or by its focal lengths and apertures. `dates` are by kind, in order.
    """

    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    unnamed_lens: str | None = None
    iso: int | None = None
    aperture: float | None = None
    exposure: float | None = None
    focal: float | None = None
    position: Position | None = None
    address: Address = NOWHERE
    rating: int | None = None
    colour_label: str | None = None
    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    dates: dict[str, list[Date]] = field(default_factory=dict)

    def add_date(self, kind: str, text: str | None, offset: str | None = None) -> None:
        """Add a date of a kind, if the text says anything."""
        found = date_in(text, offset)
        if found is not None:
            self.dates.setdefault(kind, []).append(found)


def stars(value: float | None) -> int | None:
    """A rating of -1 to 5; halves of stars are left out. None where it is none."""
    return None if value is None or not -1 <= value <= 5 else max(-1, int(value))


def stars_of_percent(value: float | None) -> int | None:
    """Stars of Windows' percents: 1, 25, 50, 75 and 99."""
    if value is None or not 0 <= value <= 100:
        return None
    return 0 if value == 0 else 1 + round(min(value, 99) / 25)


def lens_name(text: str | None) -> str | None:
    """A lens, if it is one: bodies write `0.0 mm f/0.0` and `n/a` of lenses that they do not know."""
    return text if text and text.lower() not in ("n/a", "unknown", "none") and text.strip("0. fm/-") else None


def range_of_lens(numbers: tuple[float | None, ...]) -> str | None:
    """A lens by its focal lengths in mm and the greatest apertures there, such as `24-70mm f/2.8`."""
    short, long, wide, narrow = (*numbers, None, None, None, None)[:4]
    if not short or not 0 < short < 10_000 or (long and not short <= long < 10_000):
        return None
    focal = _span(short, long)
    if wide and narrow and wide > narrow:
        narrow = None
    return f"{focal}mm" if not wide or not 0 < wide < 100 else f"{focal}mm f/{_span(wide, narrow)}"


def _span(least: float, most: float | None) -> str:
    low, high = f"{round(least, 1):g}", f"{round(most, 1):g}" if most else ""
    return low if high in ("", low) else f"{low}-{high}"
