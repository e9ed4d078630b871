"""Parts of a query as text that the query language reads back as the same."""

from __future__ import annotations

import re
from typing import Final

from sightline.query.keyboards import (
    CARET,
    COLON,
    COMMA,
    MINUS,
    OR,
    QUOTES,
    SINGLE_QUOTES,
    SPACE,
    WITHOUT_COLON,
    narrow,
)
from store.tables.fact_table import RealKey
from store.tables.filters import Date, Favourite, Filter, Name, Near, Number, Real

# Largest first. Powers of 1000 and of 1024: IEC 80000-13.
UNITS: Final = {
    "GiB": 1024**3, "GB": 1000**3, "MiB": 1024**2, "MB": 1000**2, "KiB": 1024, "kB": 1000, "B": 1,
}  # fmt: skip

# What the grammar takes for a word that stands for itself: _BARE of grammar.lark.
_WORD: Final = re.compile(
    rf"(?!(?:{OR})$)(?![^\W\d_][^{SPACE}{QUOTES}{COLON}{CARET}]*[{COLON}])"
    rf"[^{SPACE}{QUOTES}{CARET}{MINUS}][^{SPACE}{QUOTES}{CARET}]*"
)
_VALUE: Final = re.compile(rf"[^{SPACE}{QUOTES}{COMMA}{CARET}{SINGLE_QUOTES}][^{SPACE}{QUOTES}{COMMA}{CARET}]*")


def is_word(text: str) -> bool:
    """Whether a text is one word that needs no quotes."""
    return _WORD.fullmatch(text) is not None and WITHOUT_COLON.search(text) is None


def is_words(text: str) -> bool:
    """Whether a text is words, one space between them, that need no quotes."""
    return all(is_word(word) for word in text.split(" ")) and WITHOUT_COLON.search(text) is None


def quoted(text: str) -> str:
    """The text in quotes, with a backslash before quotes and backslashes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def printed_value(text: str) -> str:
    """A filter's value, in quotes where it needs them: letters of full width are read as ASCII without."""
    return text if _VALUE.fullmatch(text) and narrow(text) == text else quoted(text)


def printed_number(value: float) -> str:
    """A number with all its digits: `float` reads the same one back."""
    return repr(value).removesuffix(".0")


def printed_size(count: int) -> str:
    """A number of bytes in the largest unit that divides it."""
    unit = next(unit for unit, size in UNITS.items() if count % size == 0 and (count or unit == "B"))
    return f"{count // UNITS[unit]}{unit if unit != 'B' else ''}"


def printed_real(row: RealKey, value: float) -> str:
    """A number that need not be whole, such as `2.8`, or `1/250` where that is the same number."""
    if row.is_fraction and 1e-9 < value < 1 and 1 / round(1 / value) == value:
        return f"1/{round(1 / value)}"
    return printed_number(value)


def printed_filter(given: Filter) -> str:
    """A filter in the query language, such as `-camera:sony,"canon eos"`."""
    if isinstance(given, Favourite):
        return f"{given.key}:{'no' if given.negated else 'yes'}"
    return f"{'-' if given.negated else ''}{given.key}:{_printed_values(given)}"


def printed_limits(given: Number | Real) -> str:
    """A number's limits, such as `>=4000`, `1..5MB` or `<1/500`."""
    return _real_limits(given) if isinstance(given, Real) else _whole_limits(given)


def _real_limits(given: Real) -> str:
    low, high = (None if end is None else printed_real(given.row, end) for end in (given.low, given.high))
    equal = "" if given.strict else "="
    if low is not None and high is not None:
        return low if low == high else f"{low}..{high}"
    return f"<{equal}{high}" if low is None else f">{equal}{low}"


def _whole_limits(given: Number) -> str:
    is_bytes = given.row.is_bytes
    printed = printed_size if is_bytes else str
    match given.low, given.high:
        case int(low), int(high):
            return printed(low) if low == high else f"{printed(low)}..{printed(high)}"
        case int(low), None:
            # "More than 5 MB" was asked for, not "at least 5,000,001 bytes".
            return f">{printed(low - 1)}" if is_bytes and low % 1000 == 1 and low > 1 else f">={printed(low)}"
        case None, int(high):
            return f"<{printed(high + 1)}" if is_bytes and high % 1000 == 999 else f"<={printed(high)}"
    return ""


def _printed_values(given: Filter) -> str:
    match given:
        case Date(first, last):
            return f"{first}" if first == last else f"{first or ''}..{last or ''}"
        case Number() | Real():
            return printed_limits(given)
        case Near(name=name, kilometres=kilometres) if name:
            return f"{printed_value(name)},{printed_number(kilometres)}"
        case Near(latitude, longitude, kilometres):
            return ",".join(map(printed_number, (latitude, longitude, kilometres)))
        case Favourite():
            return "yes"
        case Name(patterns):
            return ",".join(map(printed_value, patterns))
    return ",".join(map(printed_value, given.names))
