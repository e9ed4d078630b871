"""Values of filters as they are typed, to filters: `date:2023-06..`, `width:>=4000`, `near:48.86,2.35,5`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from types import MappingProxyType
from typing import Final, Literal, get_args

from sightline.query.formatting import UNITS
from sightline.query.types import QueryError
from store.tables.filters import (
    Camera,
    Date,
    Ext,
    Favourite,
    Filter,
    Folder,
    Lens,
    Measure,
    Name,
    Near,
    Orientation,
    Set,
    Shape,
    Tag,
)

_LIMIT: Final = re.compile(r"(?P<sign>>=|<=|>|<)(?P<only>.*)|(?P<first>.*?)\.\.(?P<last>.*)", re.DOTALL)
# As many digits as SQLite's largest integer has.
_NUMBER: Final = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_DEGREES: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_ALMOST_DATE: Final = re.compile(r"(\d{4})[-./](\d{1,2})(?:[-./](\d{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Value:
    """A value as typed, without its quotes, and its place in the text."""

    text: str
    start: int
    end: int

    def wrong(self, why: str, suggestion: str | None = None) -> QueryError:
        """The error that this value is."""
        return QueryError(why, start=self.start, end=self.end, suggestion=suggestion)


@dataclass(frozen=True, slots=True)
class Kind:
    """A filter that can be typed.

    Attributes:
        example: a right one.
        read: its values, and whether it is negated, to the filter; raises QueryError or ValueError.
    """

    example: str
    read: Callable[[Sequence[Value], bool], Filter]


def nearest(text: str, known: Iterable[str]) -> str | None:
    """What was probably meant, if anything comes near."""
    found = difflib.get_close_matches(text[:80].lower(), list(known), 1)
    return found[0] if found else None


def chosen(name: str, values: Sequence[Value], known: Sequence[str]) -> str:
    """The one value of a filter or option that has a list of them.

    Raises:
        QueryError: more than one value, or one that is not in the list.
    """
    value = only(name, values)
    return _known(name, value, known)


def only(name: str, values: Sequence[Value]) -> Value:
    """The value of a filter or option that takes one.

    Raises:
        QueryError: there is more than one.
    """
    if len(values) > 1:
        raise values[1].wrong(f"{name}: takes one value; {shown(values[1].text)} is one too many. Take it out.")
    return values[0]


def shown(text: str) -> str:
    """A text for an error message: in quotes, and not too long."""
    return f'"{text}"' if len(text) <= 80 else f'"{text[:77]}..."'


def _known(name: str, value: Value, known: Sequence[str]) -> str:
    if value.text.lower() in known:
        return value.text.lower()
    near = nearest(value.text, known)
    hint = f"Did you mean {near}? " if near else ""
    raise value.wrong(f"{name}: has no value {shown(value.text)}. {hint}It takes {', '.join(known)}.", near)


def _texts(make: Callable[[tuple[str, ...], bool], Filter]) -> Callable[[Sequence[Value], bool], Filter]:
    return lambda values, negated: make(tuple(value.text for value in values), negated)


def _orientation(values: Sequence[Value], negated: bool) -> Filter:
    known: Mapping[str, Shape] = {shape: shape for shape in get_args(Shape)}
    return Orientation(tuple(known[_known("orientation", value, tuple(known))] for value in values), negated)


def _favourite(values: Sequence[Value], negated: bool) -> Filter:
    is_no = chosen("favourite", values, ("yes", "no")) == "no"
    return Favourite(negated=negated != is_no)


def _near(values: Sequence[Value], negated: bool) -> Filter:
    if len(values) != 3:
        raise QueryError(
            f"near: takes three numbers, a latitude, a longitude and a distance in kilometres; {len(values)} "
            f"{'is' if len(values) == 1 else 'are'} here. Write near:48.86,2.35,5 without spaces.",
            start=values[0].start, end=values[-1].end,
        )  # fmt: skip
    latitude, longitude, kilometres = (_degrees(value) for value in values)
    return Near(latitude, longitude, kilometres, negated)


def _degrees(value: Value) -> float:
    if not _DEGREES.fullmatch(value.text):
        raise value.wrong(f"near: takes numbers, as in near:48.86,2.35,5; {shown(value.text)} is none.")
    return float(value.text)


# -- dates ------------------------------------------------------------------------------------------------------------


def _date(values: Sequence[Value], negated: bool) -> Filter:
    value = only("date", values)
    match = _LIMIT.fullmatch(value.text)
    if match is None:
        day = _day(value, value.text)
        return Date(day, day, negated)
    if match["sign"] is None:
        first, last = ((_day(value, text) if text else None) for text in (match["first"], match["last"]))
        return Date(first, last, negated)
    day = _day(value, match["only"])
    match match["sign"]:
        case ">=":
            return Date(day, None, negated)
        case "<=":
            return Date(None, day, negated)
        case ">":
            return Date(_beside(value, day, 1), None, negated)
    return Date(None, _beside(value, day, -1), negated)


def _day(value: Value, text: str) -> str:
    try:
        Date(text, text)
    except ValueError as error:
        almost = _ALMOST_DATE.fullmatch(text)
        near = "-".join(part.zfill(2) for part in almost.groups() if part) if almost else None
        if near is not None and near != text and _is_date(near):
            raise value.wrong(f"{error} Did you mean {near}?", value.text.replace(text, near, 1)) from None
        raise value.wrong(str(error)) from None
    return text


def _is_date(text: str) -> bool:
    try:
        Date(text, text)
    except ValueError:
        return False
    return True


def _beside(value: Value, day: str, step: Literal[-1, 1]) -> str:
    """The year, month or day after or before one."""
    parts = [int(part) for part in day.split("-")]
    try:
        if len(parts) == 3:
            return (date(*parts) + timedelta(days=step)).isoformat()
        if len(parts) == 2:
            months = parts[0] * 12 + parts[1] - 1 + step
            return _checked(f"{months // 12:04}-{months % 12 + 1:02}")
        return _checked(f"{parts[0] + step:04}")
    except (OverflowError, ValueError):
        raise value.wrong(f"There are no dates beyond {day}: years are 0001 to 9999.") from None


def _checked(day: str) -> str:
    Date(day, day)
    return day


# -- measures ---------------------------------------------------------------------------------------------------------


def _measure(fact: Literal["width", "height", "size"]) -> Callable[[Sequence[Value], bool], Filter]:
    def read(values: Sequence[Value], negated: bool) -> Filter:
        value = only(fact, values)
        match = _LIMIT.fullmatch(value.text)
        if match is None:
            number = _amount(fact, value, value.text)
            return Measure(fact, _up(number), _down(number), negated)
        if match["sign"] is None:
            ends = [_amount(fact, value, text) if text else None for text in (match["first"], match["last"])]
            low, high = ends
            return Measure(fact, None if low is None else _up(low), None if high is None else _down(high), negated)
        number = _amount(fact, value, match["only"])
        match match["sign"]:
            case ">=":
                return Measure(fact, _up(number), None, negated)
            case "<=":
                return Measure(fact, None, _down(number), negated)
            case ">":
                return Measure(fact, _down(number) + 1, None, negated)
        return Measure(fact, None, _up(number) - 1, negated)

    return read


def _up(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING))


def _down(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_FLOOR))


def _amount(fact: str, value: Value, text: str) -> Decimal:
    match = _NUMBER.fullmatch(text)
    if fact != "size":
        if match is None or match[2] or "." in text:
            raise value.wrong(
                f"{fact}: takes whole numbers of pixels, as in {fact}:4000, {fact}:>=4000 or {fact}:1000..2000; not "
                f"{shown(value.text)}."
            )
        return Decimal(match[1])
    if match is None:
        raise value.wrong(f"size: takes a size, as in size:>=5MB or size:100kB..2MB; not {shown(value.text)}.")
    units = {unit.lower(): unit for unit in UNITS}
    if (match[2] or "B").lower() not in units:
        near = nearest(match[2], units.keys() - {"b"})
        suggestion = value.text.replace(match[2], units[near], 1) if near else None
        raise value.wrong(f"size: has no unit {shown(match[2])}. It takes {', '.join(reversed(UNITS))}.", suggestion)
    return Decimal(match[1]) * UNITS[units[(match[2] or "B").lower()]]


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "date": Kind("date:2023-06..2023-08", _date),
        "folder": Kind("folder:trips", _texts(Folder)),
        "name": Kind("name:IMG_*", _texts(Name)),
        "ext": Kind("ext:heic,jpg", _texts(Ext)),
        "camera": Kind("camera:sony", _texts(Camera)),
        "lens": Kind("lens:35mm", _texts(Lens)),
        "width": Kind("width:>=4000", _measure("width")),
        "height": Kind("height:1000..2000", _measure("height")),
        "size": Kind("size:>5MB", _measure("size")),
        "orientation": Kind("orientation:landscape", _orientation),
        "near": Kind("near:48.86,2.35,5", _near),
        "tag": Kind("tag:best", _texts(Tag)),
        "favourite": Kind("favourite:yes", _favourite),
        "set": Kind("set:3f9a1c20b7e4", _texts(Set)),
    }
)
"""Every filter, by its name."""
