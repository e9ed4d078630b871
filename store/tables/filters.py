"""Filters: facts that a picture has or has not. What they mean in SQL is in `store.tables.filter_sql`.

`Folder`, `Name` and `Ext` speak of a photo (a path), the rest of a content. A content passes when one of its present
photos satisfies all filters of the first kind, and it satisfies all of the second. What is not known (no date, no
camera) satisfies no filter, and every negated one. The `key` of a filter is its row in `store.tables.fact_table`.
"""

from __future__ import annotations

import math
import re
import reprlib
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final, TypeVar

from store.tables.fact_table import FILTERS, LARGEST, ChoiceKey, FactKey, NumberKey, PlaceKey, TextKey

_LONGEST: Final = 1_000
# Characters of a value that a message repeats.
_SHOWN: Final = 80
_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
# Sorts after everything that may follow a year, a month or a day in a time.
_AFTER: Final = "~"

_Row = TypeVar("_Row", bound=FactKey)


def casefolded(text: str) -> str:
    """Text as it is compared: without case, and composed, since some file systems take accents apart.

    Canonical caseless matching, but to the composed form: The Unicode Standard, section 3.13, definition D145.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def abbreviated(value: object) -> str:
    """Return a value as a message repeats it: as Python writes it, in at most 80 characters.

    However long or deep the value is.
    """
    text = _REPR.repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


@dataclass(frozen=True, slots=True)
class Date:
    """Taken between two days of the camera's own clock, both included: "2023", "2023-06" or "2023-06-15".

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


@dataclass(frozen=True, slots=True)
class Folder:
    """In a folder of one of these names, at any depth; `*` and `?` are wildcards.

    "trips" is one name, "trips/2023" are consecutive ones.

    The root's own name counts as the first folder; what lies above the root does not count.

    Raises:
        ValueError: no name, or a blank one.
    """

    key: ClassVar[str] = "folder"
    names: tuple[str, ...]
    negated: bool = False

    def __post_init__(self) -> None:
        _check_names("folder", self.names)
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
        _check_names("name", self.patterns)


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
        _check_names("ext", names)
        for name in names:
            if "." in name or "/" in name:
                raise ValueError(
                    f"ext takes what follows the last dot of a file name, as in ext:heic; not {abbreviated(name)}."
                )
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class Text:
    """Words that are all in a text fact, such as the camera's make and model.

    Raises:
        ValueError: no text fact of this key, no name, or a blank one.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def row(self) -> TextKey:
        """Its row in the table of filters."""
        return _row(self.key, TextKey, "text")

    def __post_init__(self) -> None:
        _row(self.key, TextKey, "text")
        _check_names(self.key, self.names)


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number between two others, both included: pixels, bytes and the like.

    Raises:
        ValueError: no number fact of this key, no limit, or limits that are negative, too large or the wrong way round.
    """

    key: str
    low: int | None
    high: int | None
    negated: bool = False

    @property
    def row(self) -> NumberKey:
        """Its row in the table of filters."""
        return _row(self.key, NumberKey, "measure")

    def __post_init__(self) -> None:
        highest = self.row.highest
        if self.low is None and self.high is None:
            raise ValueError(f"{self.key} needs a least value, a greatest, or both.")
        for given in (self.low, self.high):
            if given is not None and not 0 <= given <= highest:
                # Python refuses to write out a number of more than 4,300 digits.
                value = given if given.bit_length() <= 64 else f"a number of {given.bit_length()} bits"
                raise ValueError(f"{self.key} takes 0 to {highest}; not {value}.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.key} can't be at least {self.low} and at most {self.high}.")

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value."""
        return 0 if self.low is None else self.low, LARGEST if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values, such as the orientations landscape, portrait and square.

    Raises:
        ValueError: no fact of this key that has choices, no value, or one that is not among them.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def row(self) -> ChoiceKey:
        """Its row in the table of filters."""
        return _row(self.key, ChoiceKey, "choice")

    def __post_init__(self) -> None:
        choices = self.row.choices
        _check_names(self.key, self.names)
        for name in self.names:
            if name not in choices:
                raise ValueError(f"There is no {self.key} {abbreviated(name)}; there are {', '.join(choices)}.")


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
class Place:
    """In one of these towns, regions or countries; see `store.places.names` for what is found by a name.

    Attributes:
        key: of a row of `fact_table.FILTERS`: "town", "region" or "country"; or "place" for any of the three, where
            a comma stands before what the place lies in, as in "springfield, illinois".
        names: one is enough.
        negated: keep the others, and those that nobody knows where they were taken.

    Raises:
        ValueError: no fact of this key that is the name of a place, no name, or a blank one.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def column(self) -> str | None:
        """The fact that it asks for; None for any of the three."""
        return None if self.key == "place" else _row(self.key, PlaceKey, "place").column

    def __post_init__(self) -> None:
        _ = self.column
        _check_names(self.key, self.names)


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
        _check_names("tag", self.names)


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
        _check_names("set", names)
        object.__setattr__(self, "names", names)


PhotoFilter = Folder | Name | Ext
ContentFilter = Date | Text | Number | Choice | Place | Near | Tag | Favourite | Set
Filter = PhotoFilter | ContentFilter


def _row(key: str, kind: type[_Row], what: str) -> _Row:
    row = FILTERS.get(key)
    if not isinstance(row, kind):
        known = ", ".join(each.key for each in FILTERS.values() if isinstance(each, kind))
        raise ValueError(f"There is no {what} {abbreviated(key)}; there are {known}.")
    return row


def _check_names(what: str, names: tuple[str, ...]) -> None:
    if not names:
        raise ValueError(f"{what} needs at least one name.")
    for name in names:
        if not name.strip():
            raise ValueError(f"{what} needs a name; {abbreviated(name)} is blank.")
        if len(name) > _LONGEST:
            raise ValueError(f"{what} takes up to {_LONGEST} characters; {name[:20]!r}... has {len(name)}.")
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
            raise ValueError(f"{what} takes printable text; {abbreviated(name)} has a control character in it.")


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
