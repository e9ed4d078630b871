"""What all filters check of their values, and how a message repeats them."""

from __future__ import annotations

import re
import reprlib
import unicodedata
from typing import Final

from store.wildcards import MAX_WILDCARDS

_LONGEST: Final = 1_000
MAX_NAMES: Final = 100
"""Names or values of one filter."""
# Characters of a value that a message repeats.
_SHOWN: Final = 80
# The first group is a wildcard; what stands behind a backslash is none.
_WILDCARD: Final = re.compile(r"\\[*?\\]|([*?])")
GLOB_WILDCARD: Final = re.compile(r"([*?\[])")
"""Wildcards of file names, which know no backslash."""
_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN


def abbreviated(value: object) -> str:
    """Return a value as a message repeats it: as Python writes it, in at most 80 characters.

    However long or deep the value is.
    """
    text = _REPR.repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def has_tokens(text: str) -> bool:
    """Whether a text has anything that full text is searched by: a letter, a digit, a private character."""
    return any(unicodedata.category(char)[0] in "LN" or unicodedata.category(char) == "Co" for char in text)


def check_names(what: str, names: tuple[str, ...]) -> None:
    """Refuse names of a filter that can't be.

    Raises:
        ValueError: none is there, more than `MAX_NAMES` are, or one is blank, too long, or has a control character or
            half a character in it.
    """
    if not names:
        raise ValueError(f"{what} needs at least one name.")
    if len(names) > MAX_NAMES:
        raise ValueError(f"{what} takes up to {MAX_NAMES} values; there are {len(names):,}. Leave some out.")
    for name in names:
        if not name.strip():
            raise ValueError(f"{what} needs a name; {abbreviated(name)} is blank.")
        if len(name) > _LONGEST:
            raise ValueError(f"{what} takes up to {_LONGEST} characters; {name[:20]!r}... has {len(name)}.")
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
            raise ValueError(f"{what} takes printable text; {abbreviated(name)} has a control character in it.")


def check_wildcards(what: str, names: tuple[str, ...], wildcards: re.Pattern[str] = _WILDCARD) -> None:
    """Refuse names with more wildcards than anyone needs.

    Raises:
        ValueError: a name has more than `MAX_WILDCARDS`.
    """
    for name in names:
        count = sum(bool(found[1]) for found in wildcards.finditer(name))
        if count > MAX_WILDCARDS:
            raise ValueError(
                f"{what} takes up to {MAX_WILDCARDS} wildcards in a name; {abbreviated(name)} has {count}. Leave some "
                "out: one * stands for any number of characters."
            )
