"""Filters: facts that a picture has or has not. What they mean in SQL is in `store.tables.filter_sql`.

`Folder`, `Name` and `Ext` speak of a photo (a path), the rest of a content. A content passes when one of its present
photos satisfies all filters of the first kind, and it satisfies all of the second. What is not known (no date, no
camera) satisfies no filter, and every negated one. The `key` of a filter is its row in `store.tables.fact_table`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

from store.tables.fact_filters import Choice, Number, Place, Real, Text, Word, Written
from store.tables.filter_checks import GLOB_WILDCARD, abbreviated, check_names, check_wildcards

__all__ = [
    "Choice", "ContentFilter", "Date", "Ext", "Favourite", "Filter", "Folder", "Name", "Near", "Number", "PhotoFilter",
    "Place", "Real", "Set", "Tag", "Text", "Word", "Written", "abbreviated", "casefolded",
]  # fmt: skip

_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
# Sorts after everything that may follow a year, a month or a day in a time.
_AFTER: Final = "~"


def casefolded(text: str) -> str:
    """Text as it is compared: without case, and composed, since some file systems take accents apart.

    Canonical caseless matching, but to the composed form: The Unicode Standard, section 3.13, definition D145.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


@dataclass(frozen=True, slots=True)
class Date:
    """Taken between two days of the camera's own clock, both included: "2023", "2023-06" or "2023-06-15".

    A picture of which only the year or the month is known has to lie between them with the whole of it.

    Attributes:
        first: the first year, month or day; None for the beginning of time.
        last: the last year, month or day, to its end; None for no end.
        negated: keep the others, and those without a date.

    Raises:
        ValueError: not a date, neither is given, or they are the wrong way round.
    """

    key: ClassVar[str] = "date"
    first: str | None
    last: str | None
    negated: bool = False

    def __post_init__(self) -> None:
        for given in (self.first, self.last):
            if given is not None:
                _check_date(given)
        if self.first is None and self.last is None:
            raise ValueError("A date needs a first day, a last day, or both.")
        if self.first is not None and self.last is not None and self.first > self.last + _AFTER:
            raise ValueError(f"{self.first} is after {self.last}: give the earlier date first.")

    @property
    def bounds(self) -> tuple[str, str]:
        """Texts between which the times of these days lie: ISO 8601 sorts by time."""
        return self.first or "", (self.last or "") + _AFTER

    @property
    def undecided(self) -> tuple[str, ...]:
        """Times between the bounds of which too little is known: 2023 may be after June 2023."""
        return tuple((self.last or "")[:length] for length in (4, 7) if length < len(self.last or ""))


@dataclass(frozen=True, slots=True)
class Folder:
    """In a folder of one of these names, at any depth.

    `*` and `?` are wildcards, `\\*` and `\\?` the characters. "trips" is one name, "trips/2023" are consecutive ones.

    The root's own name counts as the first folder; what lies above the root does not count.

    Raises:
        ValueError: no name, or a blank one.
    """

    key: ClassVar[str] = "folder"
    names: tuple[str, ...]
    negated: bool = False

    def __post_init__(self) -> None:
        check_names("folder", self.names)
        check_wildcards("folder", self.names)
        for name in self.names:
            if not name.replace("/", " ").strip():
                raise ValueError(f"folder needs a name; {abbreviated(name)} is blank between its slashes.")


@dataclass(frozen=True, slots=True)
class Name:
    """A file name: words that are all in it, or a glob for the whole of it.

    A pattern with `*`, `?` or `[` is a glob.

    Raises:
        ValueError: no pattern, or a blank one.
    """

    key: ClassVar[str] = "name"
    patterns: tuple[str, ...]
    negated: bool = False

    def __post_init__(self) -> None:
        check_names("name", self.patterns)
        check_wildcards("name", self.patterns, GLOB_WILDCARD)


@dataclass(frozen=True, slots=True)
class Ext:
    """One of these extensions, without the dot; kept in lower case.

    Two spellings of one format count as one.

    Raises:
        ValueError: no extension, a blank one, or one with a dot or a slash in it.
    """

    key: ClassVar[str] = "ext"
    names: tuple[str, ...]
    negated: bool = False

    def __post_init__(self) -> None:
        names = tuple(name.strip().removeprefix(".").lower() for name in self.names)
        check_names("ext", names)
        for name in names:
            if "." in name or "/" in name:
                raise ValueError(
                    f"ext takes what follows the last dot of a file name, as in ext:heic; not {abbreviated(name)}."
                )
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class Near:
    """Taken at most so far from a place.

    Attributes:
        latitude: degrees, WGS84, north positive, -90 to 90.
        longitude: degrees, east positive, -180 to 180.
        kilometres: along the surface, more than 0.
        negated: keep what was taken farther away, or nobody knows where.
        name: what the place was called, where it was asked for by name.

    Raises:
        ValueError: no such place, or no such distance.
    """

    key: ClassVar[str] = "near"
    latitude: float
    longitude: float
    kilometres: float
    negated: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        # Written so that a NaN is refused too.
        if not -90 <= self.latitude <= 90:
            raise ValueError(f"A latitude is -90 to 90 degrees, north positive; not {self.latitude:g}.")
        if not -180 <= self.longitude <= 180:
            raise ValueError(f"A longitude is -180 to 180 degrees, east positive; not {self.longitude:g}.")
        if not (self.kilometres > 0 and math.isfinite(self.kilometres)):
            raise ValueError(f"A distance is more than 0 kilometres; not {self.kilometres:g}.")


@dataclass(frozen=True, slots=True)
class Tag:
    """Has one of these tags.

    Raises:
        ValueError: no name, or a blank one.
    """

    key: ClassVar[str] = "tag"
    names: tuple[str, ...]
    negated: bool = False

    def __post_init__(self) -> None:
        check_names("tag", self.names)


@dataclass(frozen=True, slots=True)
class Favourite:
    """Is a favourite; negated, is none."""

    key: ClassVar[str] = "favourite"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """In one of these sets of chosen pictures, by name, kept in lower case.

    See `store.tables.id_sets`.

    Raises:
        ValueError: no name, or a blank one.
    """

    key: ClassVar[str] = "set"
    names: tuple[str, ...]
    negated: bool = False

    def __post_init__(self) -> None:
        names = tuple(name.strip().lower() for name in self.names)
        check_names("set", names)
        object.__setattr__(self, "names", names)


PhotoFilter = Folder | Name | Ext
ContentFilter = Date | Text | Number | Real | Word | Written | Choice | Place | Near | Tag | Favourite | Set
Filter = PhotoFilter | ContentFilter


def _check_date(text: str) -> None:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{abbreviated(text)} is no date: give a year, a month or a day, as in 2023, 2023-06 or 2023-06-15."
        )
    year, month, day = (int(part) if part else 1 for part in match.groups())
    try:
        date(year, month, day)
    except ValueError as error:
        raise ValueError(f"There is no date {text} ({error}).") from None
