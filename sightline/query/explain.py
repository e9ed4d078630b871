"""What a query was understood to ask for, in plain sentences."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from sightline.query.formatting import printed_limits, printed_number, quoted
from sightline.query.types import TEMPLATE_OFF, Group, Like, Order, Query, Subject, Taught, Term, Words
from store.tables.fact_table import FILTERS
from store.tables.filters import Choice, Date, Ext, Favourite, Filter, Name, Near, Number, Real, Written

# Longest first.
_SIGNS: Final = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
# Not the calendar module's, which follow the locale.
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_GLOB: Final = frozenset("*?[")
_ORDERS: Final[Mapping[Order, str]] = {
    "best": "by how well they match",
    "newest": "by the date they were taken, newest first",
    "oldest": "by the date they were taken, oldest first",
    "name": "by file name",
    "added": "by when they were added, newest first",
}

LineKind = Literal["look for", "any of", "exclude", "only", "not", "option"]


@dataclass(frozen=True, slots=True)
class Line:
    """One part of a query.

    Attributes:
        kind: what it does.
        text: the part in the query language.
        meaning: the same in words, to be read by itself.
    """

    kind: LineKind
    text: str
    meaning: str


def explain(query: Query) -> list[Line]:
    """Return the parts of a query as they were understood: terms, then filters, then options.

    None where it is empty.
    """
    made: list[tuple[LineKind, str]] = [_group(group) for group in query.groups]
    for given in query.filters:
        positive = _filter(replace(given, negated=False))
        made.append(("not", f"not {positive}") if given.negated else ("only", positive))
    if query.space is not None:
        made.append(("option", f"searched with the model {query.space}"))
    if query.sort is not None:
        made.append(("option", f"sorted {_ORDERS[query.order]}"))
    if not query.dedup:
        made.append(("option", "near-duplicates shown one by one"))
    if query.template is not None:
        prompt = "no prompt" if query.template == TEMPLATE_OFF else f'the prompt "{query.template}"'
        made.append(("option", f"texts put into {prompt}"))
    return [Line(kind, text, meaning) for (kind, meaning), text in zip(made, query.parts(), strict=True)]


def _group(group: Group) -> tuple[LineKind, str]:
    things = [_term(term) for term in group.any_of]
    if group.excluded:
        return "exclude", f"pictures that match {things[0]} count less"
    if len(things) > 1:
        return "any of", f"pictures that match {_any(things)}"
    return "look for", f"pictures that match {things[0]}"


def _term(term: Term) -> str:
    weight = "" if term.weight == 1 else f" (counts {printed_number(term.weight)} times)"
    return _subject(term.subject) + weight


def _subject(subject: Subject) -> str:
    if isinstance(subject, Words):
        return quoted(subject.text)
    if isinstance(subject, Taught):
        return f"the taught concept {subject.name}"
    return f"picture {subject.id} of the library" if isinstance(subject, Like) else f"the given picture {subject.name}"


def _any(things: Sequence[str]) -> str:
    return " or ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def _filter(given: Filter) -> str:
    return FILTERS[given.key].meaning.format(_values(given))


def _values(given: Filter) -> str:
    match given:
        case Date(first, last):
            return _days(first, last)
        case Number():
            return _limits(given)
        case Real():
            return _limits(given)
        case Near(kilometres=kilometres, name=name) if name:
            from sightline.query.named_places import about_place  # it brings numpy

            return f"{printed_number(kilometres)} km of {about_place(given)}"
        case Near(latitude, longitude, kilometres):
            place = f"{printed_number(latitude)}, {printed_number(longitude)}"
            return f"{printed_number(kilometres)} km of {place}"
        case Favourite():
            return ""
        case Name(patterns):
            return _any([_pattern(pattern) for pattern in patterns])
        case Ext(names):
            return _any([f".{name}" for name in names])
        case Written(_, names):
            return _any([" and ".join(name.split()) for name in names])
        case Choice(_, names):
            return _any([given.row.choices[name] for name in names])
    return _any(given.names)


def _pattern(text: str) -> str:
    return f"like {text}" if _GLOB & set(text) else f"that has {' and '.join(text.split())} in it"


def _limits(given: Number | Real) -> str:
    """A number's limits as they print, in words: `>5MB` is more than 5 MB, not 5,000,001 bytes or more."""
    text = printed_limits(given)
    for sign, words in _SIGNS.items():
        if text.startswith(sign):
            return f"{words} {_amount(given, text.removeprefix(sign))}"
    first, dots, last = text.partition("..")
    if dots:
        return f"{_amount(given, first)} to {_amount(given, last)}"
    return f"{'about' if isinstance(given, Real) else 'exactly'} {_amount(given, text)}"


def _amount(given: Number | Real, text: str) -> str:
    if isinstance(given, Real):
        return f"{given.row.prefix}{text}{given.row.unit and ' '}{given.row.unit}"
    if not given.row.is_bytes:
        return text
    digits = text.rstrip("BGKMik")
    return f"{digits} {text.removeprefix(digits) or 'bytes'}"


def _days(first: str | None, last: str | None) -> str:
    if first is not None and first == last:
        return f"on {_day(first)}" if first.count("-") == 2 else f"in {_day(first)}"
    if first is None or last is None:
        return f"on or before {_day(_end(last))}" if first is None else f"on or after {_day(_begin(first))}"
    return f"from {_day(_begin(first))} to {_day(_end(last))}"


def _begin(day: str) -> str:
    return f"{day}-01-01"[:10] if len(day) == 4 else f"{day}-01"[:10]


def _end(day: str | None) -> str:
    parts = [int(part) for part in (day or "").split("-")]
    if len(parts) == 1:
        return f"{day}-12-31"
    return f"{day}-{calendar.monthrange(parts[0], parts[1])[1]}" if len(parts) == 2 else f"{day}"


def _day(day: str) -> str:
    year, *rest = (int(part) for part in day.split("-"))
    named = [str(rest[1])] if len(rest) == 2 else []
    named += [_MONTHS[rest[0] - 1]] if rest else []
    return " ".join([*named, str(year)])
