"""What people write for names, as the databases and Python's regular expressions read it.

All of it is compared casefolded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from store.tables.dialect import is_postgres
from store.tables.fact_filters import LEVEL
from store.tables.filters import casefolded
from store.wildcards import Gap, linear

Condition = tuple[str, tuple[Any, ...]]
"""A condition in SQL, and the values it binds."""


def folder_pattern(names: Sequence[str]) -> re.Pattern[str]:
    """Finds any of the names, as whole consecutive folders, in a folded folder with `/` at both ends."""
    return _pattern(names, "/")


def word_pattern(names: Sequence[str]) -> re.Pattern[str]:
    """Finds any of the names, as whole consecutive levels, in a folded keyword with `|` at both ends."""
    return _pattern(names, LEVEL)


def is_plain(name: str) -> bool:
    """Whether a name of a folder or word stands for itself alone: no wildcard, no backslash."""
    return not any(char in name for char in r"*?\\")


def literal(name: str) -> str:
    """The name that stands for a folder or word of exactly this name."""
    return _SPECIAL_OF_NAMES.sub(r"\\\g<0>", name)


_SPECIAL_OF_NAMES: Final = re.compile(r"[*?\\]")
_PIECE: Final = re.compile(r"\\(?P<itself>[*?\\])|(?P<many>\*+)|(?P<one>\?)|(?P<char>.)", re.DOTALL)


def _pattern(names: Sequence[str], between: str) -> re.Pattern[str]:
    bar = re.escape(between)
    any_of = []
    for name in dict.fromkeys(casefolded(name) for name in names):
        levels = [_level(level, f"[^{bar}]") + bar for level in name.split(between) if level.strip()]
        any_of.append("".join(levels) or _NOTHING)
    return re.compile(f"{bar}(?:{'|'.join(any_of)})")


_NOTHING: Final = "(?!)"


def _level(text: str, char: str) -> str:
    """A regular expression for one level, to the bar behind it; `char` is one for a character of it."""
    anything = Gap(f"{char}*?", f"{char}*")
    pieces = [""]
    for found in _PIECE.finditer(text):
        if found["many"]:
            pieces.append("")
        else:
            pieces[-1] += char if found["one"] else re.escape(found["itself"] or found["char"])
    return linear(pieces[0], [(anything, piece) for piece in pieces[1:]])


def name_condition(connection: Connection, pattern: str) -> Condition:
    """What a file name is asked for: a glob for the whole of it, or words that are all in it."""
    folded = casefolded(pattern)
    if any(char in folded for char in "*?["):
        return ("name ~ ?", (_regular(folded),)) if is_postgres(connection) else ("name GLOB ?", (_glob(folded),))
    words = tuple(folded.split())
    return "(" + " AND ".join(["instr(name, ?) > 0"] * len(words)) + ")", words


_SET: Final = re.compile(r"\[(!?+)(\]?+[^\]]*+)\]")


def _glob(pattern: str) -> str:
    """Return Python's `fnmatch` pattern as SQLite's GLOB writes it.

    GLOB negates a set with `^` and knows no lone bracket.
    """
    return "".join(
        ("[[]" if part == "[" else part) if isinstance(part, str) else _set(negated=bool(part[1]), members=part[2])
        for part in _parts(pattern)
    )


def _regular(pattern: str) -> str:
    """Return Python's `fnmatch` pattern as a regular expression of PostgreSQL: by code points, as GLOB.

    https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS
    """
    wildcards = {"*": ".*", "?": "."}
    written = "".join(
        (wildcards.get(part) or _itself(part)) if isinstance(part, str) else _regular_set(bool(part[1]), part[2])
        for part in _parts(pattern)
    )
    return f"^{written}$"


def _parts(pattern: str) -> Iterator[str | re.Match[str]]:
    """Yield the characters and sets of a pattern of `fnmatch`."""
    at = 0
    while at < len(pattern):
        found = _SET.match(pattern, at) if pattern[at] == "[" else None
        yield pattern[at] if found is None else found
        at = at + 1 if found is None else found.end()


_SPECIAL: Final = "]^-"  # in this order they may stand in a set of GLOB: the first at its start, the others at its end


def _ranges(members: str) -> list[tuple[str, str]]:
    """The first and the last character of each range that the members of a set make."""
    ranges, at = [], 0
    while at < len(members):
        is_range = members[at + 1 : at + 2] == "-" and at + 2 < len(members)
        ranges.append((members[at], members[at + 2] if is_range else members[at]))
        at += 3 if is_range else 1
    return ranges


def _itself(char: str) -> str:
    """A character in a regular expression of PostgreSQL, in a set or not."""
    return char if char.isalnum() else f"\\U{ord(char):08x}"


def _regular_set(negated: bool, members: str) -> str:
    there = "".join(f"{_itself(low)}-{_itself(high)}" for low, high in _ranges(members) if low <= high)
    if not there:
        return "." if negated else _NEVER
    return f"[{'^' if negated else ''}{there}]"


_NEVER: Final = "/"  # no file name has a slash


def _set(*, negated: bool, members: str) -> str:
    ranges = _ranges(members)
    special = [char for char in _SPECIAL if any(low <= char <= high for low, high in ranges)]
    plain = "".join(f"{low}-{high}" for whole in ranges for low, high in _without_special(*whole))
    if not special and not plain:
        return "?" if negated else _NEVER  # a range the wrong way round holds nothing
    if special == ["^"] and not plain and not negated:
        return "^"
    close, rest = ("]", special[1:]) if "]" in special else ("", special)
    if not plain and not close and not negated:
        rest = rest[::-1]  # "^" first would negate
    return f"[{'^' if negated else ''}{close}{plain}{''.join(rest)}]"


def _without_special(low: str, high: str) -> list[tuple[str, str]]:
    """A range in pieces that hold none of the characters that mean something in a set."""
    pieces, start = [], ord(low)
    for char in sorted(_SPECIAL):
        if start <= ord(char) <= ord(high):
            pieces.append((start, ord(char) - 1))
            start = ord(char) + 1
    pieces.append((start, ord(high)))
    return [(chr(first), chr(last)) for first, last in pieces if first <= last]
