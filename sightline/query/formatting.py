"""Parts of a query as text that the query language reads back as the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, assert_never

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
    Tag,
)

# Largest first. Powers of 1000 and of 1024: IEC 80000-13.
UNITS: Final = {
    "GiB": 1024**3, "GB": 1000**3, "MiB": 1024**2, "MB": 1000**2, "KiB": 1024, "kB": 1000, "B": 1,
}  # fmt: skip

# What the grammar takes for a word that stands for itself: _BARE of grammar.lark.
_WORD: Final = re.compile(
    r"(?!OR$)(?![^\W\d_][^\s\x00-\x1f\x7f-\x9f\":^“”„]*:)[^\s\x00-\x1f\x7f-\x9f\"^“”„-][^\s\x00-\x1f\x7f-\x9f\"^“”„]*"
)
_VALUE: Final = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\",^“”„]+")


def is_word(text: str) -> bool:
    """Whether a text is one word that needs no quotes."""
    return _WORD.fullmatch(text) is not None


def is_words(text: str) -> bool:
    """Whether a text is words, one space between them, that need no quotes."""
    return all(is_word(word) for word in text.split(" "))


def quoted(text: str) -> str:
    """The text in quotes, with a backslash before quotes and backslashes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def printed_value(text: str) -> str:
    """A filter's value, in quotes where it needs them."""
    return text if _VALUE.fullmatch(text) else quoted(text)


def printed_number(value: float) -> str:
    """A number with all its digits: `float` reads the same one back."""
    return repr(value).removesuffix(".0")


def printed_size(count: int) -> str:
    """A number of bytes in the largest unit that divides it."""
    unit = next(unit for unit, size in UNITS.items() if count % size == 0 and (count or unit == "B"))
    return f"{count // UNITS[unit]}{unit if unit != 'B' else ''}"


def printed_filter(given: Filter) -> str:
    """A filter in the query language, such as `-camera:sony,"canon eos"`."""
    if isinstance(given, Favourite):
        return f"favourite:{'no' if given.negated else 'yes'}"
    return f"{'-' if given.negated else ''}{_positive(given)}"


def _positive(given: Filter) -> str:
    match given:
        case Date(first, last):
            return f"date:{first}" if first == last else f"date:{first or ''}..{last or ''}"
        case Folder(names):
            return f"folder:{_listed(names)}"
        case Name(patterns):
            return f"name:{_listed(patterns)}"
        case Ext(names):
            return f"ext:{_listed(names)}"
        case Camera(names):
            return f"camera:{_listed(names)}"
        case Lens(names):
            return f"lens:{_listed(names)}"
        case Measure(fact, low, high):
            return f"{fact}:{_limits(low, high, is_size=fact == 'size')}"
        case Orientation(names):
            return f"orientation:{_listed(names)}"
        case Near(latitude, longitude, kilometres):
            return f"near:{','.join(map(printed_number, (latitude, longitude, kilometres)))}"
        case Tag(names):
            return f"tag:{_listed(names)}"
        case Favourite():
            return "favourite:yes"
        case Set(names):
            return f"set:{_listed(names)}"
    assert_never(given)


def _listed(names: Iterable[str]) -> str:
    return ",".join(map(printed_value, names))


def _limits(low: int | None, high: int | None, *, is_size: bool) -> str:
    shown = printed_size if is_size else str
    match low, high:
        case int(), int():
            return shown(low) if low == high else f"{shown(low)}..{shown(high)}"
        case int(), None:
            # "More than 5 MB" was asked for, not "at least 5,000,001 bytes".
            return f">{shown(low - 1)}" if is_size and low % 1000 == 1 and low > 1 else f">={shown(low)}"
        case None, int():
            return f"<{shown(high + 1)}" if is_size and high % 1000 == 999 else f"<={shown(high)}"
    return ""
