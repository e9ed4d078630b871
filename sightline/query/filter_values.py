"""Values of filters as they are typed, to filters: `date:2023-06..`, `near:48.86,2.35,5`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

from sightline.query.formatting import UNITS
from sightline.query.keyboards import narrow
from sightline.query.types import QueryError
from store.tables.fact_table import FILTERS, ChoiceKey, NumberKey, PlaceKey, RealKey, TextKey, WordKey, WrittenKey
from store.tables.filters import (
    Choice,
    Date,
    Ext,
    Favourite,
    Filter,
    Folder,
    Name,
    Near,
    Number,
    Place,
    Real,
    Set,
    Tag,
    Text,
    Word,
    Written,
)

_LIMIT: Final = re.compile(r"(?P<sign>>=|<=|>|<)(?P<only>.*)|(?P<first>.*?)\.\.(?P<last>.*)", re.DOTALL)
# As many digits as SQLite's largest integer has.
_NUMBER: Final = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_DEGREES: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_REAL: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(?:e([+-]?\d{1,4}))?(?:/(\d+(?:\.\d+)?))?", re.ASCII | re.IGNORECASE)
# Two numbers or dates with a dash between them.
_DASH: Final = re.compile(r"(?P<first>[^-~]+)[-~](?P<last>[^-~]+)")
_DASHED_DATES: Final = re.compile(r"(?P<first>\d{4}(?:-\d{1,2}){0,2})[-~](?P<last>\d{4}(?:-\d{1,2}){0,2})", re.ASCII)
# Year first; with dots and the year last, as much of Europe writes it; in words of Chinese characters.
_ALMOST_DATE: Final = re.compile(r"(?P<y>\d{4})[-./](?P<m>\d{1,2})(?:[-./](?P<d>\d{1,2}))?", re.ASCII)
_DAY_FIRST: Final = re.compile(r"(?:(?P<d>\d{1,2})\.)?(?P<m>\d{1,2})\.(?P<y>\d{4})", re.ASCII)
_TWO_YEARS: Final = re.compile(r"(?P<century>\d\d)(?P<first>\d\d)-(?P<last>\d\d)", re.ASCII)
_IN_CHARACTERS: Final = re.compile(r"(?P<y>\d{4})[年년](?:(?P<m>\d{1,2})[月월](?:(?P<d>\d{1,2})[日일])?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Value:
    """A value as typed, without its quotes, and its place in the text."""

    text: str
    start: int
    end: int
    is_quoted: bool = False

    def narrowed(self) -> Value:
        """The value with letters, digits and signs as ASCII writes them, unless it was in quotes."""
        return self if self.is_quoted else replace(self, text=narrow(self.text))

    def wrong(self, why: str, suggestion: str | None = None) -> QueryError:
        """The error that this value is."""
        return QueryError(why, start=self.start, end=self.end, suggestion=suggestion)


def read_filter(key: str, values: Sequence[Value]) -> Filter:
    """The filter that values make.

    Args:
        key: of a row of `FILTERS`.
        values: at least one.

    Raises:
        QueryError, ValueError: they are wrong.
    """
    if key not in _OWN_NAMES:
        values = [value.narrowed() for value in values]
    match FILTERS[key]:
        case NumberKey() as row:
            return _number(row, values)
        case RealKey() as row:
            return _real(row, values)
        case WordKey():
            return Word(key, _texts(values))
        case WrittenKey():
            return Written(key, _texts(values))
        case TextKey():
            return Text(key, _texts(values))
        case PlaceKey():
            return Place(key, _texts(values))
        case ChoiceKey(choices=choices):
            return Choice(key, tuple(_listed_value(key, value, tuple(choices)) for value in values))
    match key:
        case Date.key:
            return _date(values)
        case Near.key:
            return _near(values) if _DEGREES.fullmatch(values[0].text) else _near_name(values)
        case "place":
            return Place(key, _texts(values))
        case Favourite.key:
            return Favourite(negated=one_of(key, values, ("yes", "no")) == "no")
    return _BY_NAMES[key](_texts(values))


def close_match(text: str, known: Iterable[str]) -> str | None:
    """What was probably meant, if anything comes near."""
    found = difflib.get_close_matches(text[:80].lower(), list(known), 1)
    return found[0] if found else None


def one_of(name: str, values: Sequence[Value], known: Sequence[str]) -> str:
    """The one value of a filter or option that has a list of them.

    Raises:
        QueryError: more than one value, or one that is not in the list.
    """
    return _listed_value(name, single_value(name, values), known)


def single_value(name: str, values: Sequence[Value]) -> Value:
    """The value of a filter or option that takes one.

    Raises:
        QueryError: there is more than one.
    """
    if len(values) > 1:
        raise values[1].wrong(f"{name}: takes one value; {excerpt(values[1].text)} is one too many. Take it out.")
    return values[0]


def excerpt(text: str) -> str:
    """A text for an error message: in quotes, and not too long."""
    return f'"{text}"' if len(text) <= 80 else f'"{text[:77]}..."'


def _listed_value(name: str, value: Value, known: Sequence[str]) -> str:
    if value.text.lower() in known:
        return value.text.lower()
    near = close_match(value.text, known)
    hint = f"Did you mean {near}? " if near else ""
    raise value.wrong(f"{name}: has no value {excerpt(value.text)}. {hint}It takes {', '.join(known)}.", near)


def _texts(values: Sequence[Value]) -> tuple[str, ...]:
    return tuple(value.text for value in values)


def _near(values: Sequence[Value]) -> Filter:
    if len(values) != 3:
        raise QueryError(
            "near: takes three numbers, a latitude, a longitude and a distance in kilometres, or the name of a place; "
            f"{len(values)} {'is' if len(values) == 1 else 'are'} here. Write near:48.86,2.35,5 or near:kyoto,20 "
            "without spaces.",
            start=values[0].start, end=values[-1].end,
        )  # fmt: skip
    latitude, longitude, kilometres = (_degrees(value) for value in values)
    return Near(latitude, longitude, kilometres)


def _near_name(values: Sequence[Value]) -> Filter:
    from sightline.query.named_places import UnknownPlace, near_name  # it brings numpy, which no other filter needs

    try:
        return near_name(_texts(values))
    except UnknownPlace as error:
        start, end = values[0].start, values[-1].end
        raise QueryError(str(error), start=start, end=end, suggestion=error.suggestion) from None


def _degrees(value: Value) -> float:
    if not _DEGREES.fullmatch(value.text):
        raise value.wrong(f"near: takes numbers, as in near:48.86,2.35,5; {excerpt(value.text)} is none.")
    return float(value.text)


# -- dates ------------------------------------------------------------------------------------------------------------


def _date(values: Sequence[Value]) -> Filter:
    value = single_value("date", values)
    match = _LIMIT.fullmatch(value.text)
    if match is None and (dashed := _DASHED_DATES.fullmatch(value.text)):
        return Date(_day(value, dashed["first"]), _day(value, dashed["last"]))
    if match is None:
        day = _day(value, value.text)
        return Date(day, day)
    if match["sign"] is None:
        first, last = ((_day(value, text) if text else None) for text in (match["first"], match["last"]))
        return Date(first, last)
    day = _day(value, match["only"])
    match match["sign"]:
        case ">=":
            return Date(day, None)
        case "<=":
            return Date(None, day)
        case ">":
            return Date(_beside(value, day, 1), None)
    return Date(None, _beside(value, day, -1))


def _day(value: Value, text: str) -> str:
    try:
        Date(text, text)
    except ValueError as error:
        almost = next(filter(None, (form.fullmatch(text) for form in (_ALMOST_DATE, _DAY_FIRST, _IN_CHARACTERS))), None)
        near = "-".join(part.zfill(2) for part in map(almost.group, "ymd") if part) if almost else None
        if near is not None and near != text and _is_date(near):
            raise value.wrong(f"{error} Did you mean {near}?", value.text.replace(text, near, 1)) from None
        if (years := _TWO_YEARS.fullmatch(text)) is not None and int(years["last"]) > int(years["first"]):
            near = f"{years['century']}{years['first']}..{years['century']}{years['last']}"
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


# -- numbers ----------------------------------------------------------------------------------------------------------


def _number(row: NumberKey, values: Sequence[Value]) -> Filter:
    value = _one_number(row, values)
    match = _LIMIT.fullmatch(value.text) or _DASH.fullmatch(value.text)
    if match is None:
        number = _amount(row, value, value.text)
        return Number(row.key, _up(number), _down(number))
    if match.re is _DASH or match["sign"] is None:
        low, high = (_amount(row, value, text) if text else None for text in (match["first"], match["last"]))
        return Number(row.key, None if low is None else _up(low), None if high is None else _down(high))
    number = _amount(row, value, match["only"])
    match match["sign"]:
        case ">=":
            return Number(row.key, _up(number), None)
        case "<=":
            return Number(row.key, None, _down(number))
        case ">":
            return Number(row.key, _down(number) + 1, None)
    return Number(row.key, None, _up(number) - 1)


def _one_number(row: NumberKey | RealKey, values: Sequence[Value]) -> Value:
    """The one value. A comma before decimals, or between the ends of a range, is an error of its own."""
    first, *rest = values
    if len(rest) == 1 and first.text[-1:].isdecimal() and rest[0].text[:1].isdecimal():
        raise rest[0].wrong(
            f"{row.key}: takes one value, without a comma. Before decimals write a point, as in 2.8; a range has two, "
            "as in 24..70."
        )
    return single_value(row.key, values)


def _up(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING))


def _down(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_FLOOR))


def _amount(row: NumberKey, value: Value, text: str) -> Decimal:
    match = _NUMBER.fullmatch(text)
    if match is None or (not row.is_bytes and ("." in text or not re.fullmatch(f"(?:{row.units})?", match[2], re.I))):
        raise value.wrong(f"{row.key}: takes {row.takes}; not {excerpt(value.text)}.")
    if not row.is_bytes:
        return Decimal(match[1])
    units = {unit.lower(): unit for unit in UNITS}
    if (match[2] or "B").lower() not in units:
        near = close_match(match[2], units.keys() - {"b"})
        suggestion = value.text.replace(match[2], units[near], 1) if near else None
        raise value.wrong(
            f"{row.key}: has no unit {excerpt(match[2])}. It takes {', '.join(reversed(UNITS))}.", suggestion
        )
    return Decimal(match[1]) * UNITS[units[(match[2] or "B").lower()]]


def _real(row: RealKey, values: Sequence[Value]) -> Filter:
    value = _one_number(row, values)
    match = _LIMIT.fullmatch(value.text)
    if match is None and _real_amount(row, value.text) is None:
        match = _DASH.fullmatch(value.text)
    if match is None:
        number = _checked_amount(row, value, value.text)
        return Real(row.key, number, number)
    if match.re is _DASH or match["sign"] is None:
        low, high = ((_checked_amount(row, value, text) if text else None) for text in (match["first"], match["last"]))
        return Real(row.key, low, high)
    number, strict = _checked_amount(row, value, match["only"]), len(match["sign"]) == 1
    return Real(row.key, None, number, strict) if match["sign"][0] == "<" else Real(row.key, number, None, strict)


def _checked_amount(row: RealKey, value: Value, text: str) -> float:
    number = _real_amount(row, text)
    if number is None:
        raise value.wrong(f"{row.key}: takes {row.takes}; not {excerpt(value.text)}.")
    return number


def _real_amount(row: RealKey, text: str) -> float | None:
    """A number, also as a fraction, with or without its prefix and unit; None for anything else."""
    bare = text.strip().lower()
    if row.prefix:
        bare = bare.removeprefix(row.prefix[0]).removeprefix(row.prefix[1:])
    bare = re.sub(f"\\s*(?:{row.units})$", "", bare) if row.units else bare
    match = _REAL.fullmatch(bare)
    if match is None:
        return None
    number = float(f"{match[1]}e{match[2] or 0}")
    below = float(match[3] or 1)
    return number / below if below else None


# Filters on names that people gave: they are looked for as they were typed, in whatever width.
_OWN_NAMES: Final = frozenset(
    {Folder.key, Name.key, Tag.key, *(key for key, row in FILTERS.items() if isinstance(row, WordKey | WrittenKey))}
)
_BY_NAMES: Final[Mapping[str, Callable[[tuple[str, ...]], Filter]]] = {
    kind.key: kind for kind in (Folder, Name, Ext, Tag, Set)
}
