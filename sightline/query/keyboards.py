"""What keyboards write for the signs of the query language: other widths, dashes, spaces in numbers.

The grammar and `sightline.query.formatting` take their signs from here, so that what is printed reads back the same.
In `grammar.lark` the names of `SIGNS`, between angle brackets, stand for them.
"""

# ruff: noqa: RUF001  the characters that look like others are what this is about

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from store.tables.fact_table import FILTERS, NumberKey, RealKey

# Sets of characters, as regular expressions write them between brackets.
# Hyphens and dashes, the minus sign, and their small and full-width forms.
_DASHES: Final = "‐‑‒–—―−﹘﹣－"
MINUS: Final = rf"\-{_DASHES}"
COLON: Final = ":："
COMMA: Final = ",，、"
CARET: Final = r"\^＾"
OR: Final = "OR|ＯＲ"
QUOTES: Final = '"“”„‟＂«»「」『』'
# They close nothing here: a value that begins with one is refused, unless it is in quotes.
SINGLE_QUOTES: Final = "'‘’‚‛‹›＇"
SPACE: Final = r"\s\x00-\x1f\x7f-\x9f"

_WIDE: Final = {chr(0xFF01 + at): chr(0x21 + at) for at in range(0x5E)}
_PLAIN: Final = str.maketrans(
    _WIDE
    | dict.fromkeys(_DASHES, "-")
    | dict.fromkeys("≥≧⩾", ">=")
    | dict.fromkeys("≤≦⩽", "<=")
    | {"、": ",", "…": "..", "〜": "~", "⁄": "/", "’": "'", "ƒ": "f"}
)

# Between the groups of a long number: spaces of all widths, apostrophes, commas.
_GROUPS: Final = r"[^\S\n\r]|['’,，]"
# A value has these behind it; sizes that are no unit are refused by name, where else they would be text to look for.
_UNITS: Final = {
    "size": r"[kmgt]?i?(?:b|o)(?:s|ytes?)?|(?:kilo|mega|giga|tera)?(?:byte|octet)s?|[kmgt]",
    **{key: row.units for key, row in FILTERS.items() if isinstance(row, NumberKey | RealKey) and row.units},
}
# Keys whose values may be so long that people write their digits in groups.
_GROUPED: Final = frozenset({"width", "height", "size", "iso"})


def narrow(text: str) -> str:
    """The text with letters, digits, signs and dashes as ASCII writes them, where it has such."""
    if text.isascii():
        return text
    plain = text.translate(_PLAIN)
    return "".join(str(unicodedata.decimal(char)) if unicodedata.category(char) == "Nd" else char for char in plain)


def in_any_width(names: Iterable[str]) -> str:
    """A regular expression for any of the names, of letters a to z, in half or full width."""
    return "|".join("".join(f"[{char}{chr(ord(char) + 0xFEE0)}]" for char in name) for name in names)


def _in_full_width(pattern: str) -> str:
    """A regular expression of sets, groups and letters, which may be of full width too."""
    parts = re.split(r"(\[[^]]*\])", pattern)
    for at, part in enumerate(parts):
        form = "{0}{1}" if at % 2 else "[{0}{1}]"
        parts[at] = re.sub("[a-z]", lambda found, form=form: form.format(found[0], chr(ord(found[0]) + 0xFEE0)), part)
    return "".join(parts)


def value_of(text: str) -> str:
    """A number, a date or a range without spaces, of the value that was typed: `>=4000`, `2013-2014`."""
    plain = "".join(narrow(text).split()).replace("...", "..")
    sign = plain[: len(plain) - len(plain.lstrip("<>="))]
    return _SAME_SIGN.get(sign, sign) + plain[len(sign) :]


def ungrouped(key: str, text: str) -> str:
    """A number without what stands between the groups of its digits."""
    return text.replace("'", "").replace(",", "") if key in _GROUPED else text


def _measured(key: str) -> str:
    """A regular expression for a filter on numbers or dates, with spaces where people put them."""
    space = f"[{SPACE}]*"
    if key == "date":
        mark = f"[{MINUS}./．／]"
        number = rf"\d{{4}}(?:{mark}\d{{1,2}}){{0,2}}|\d{{1,2}}(?:{mark}\d{{1,2}})?{mark}\d{{4}}"
    else:
        number = r"(?:\d+(?:[.．]\d+)?|[.．]\d+)(?:[/／⁄]\d+)?"
        row = FILTERS[key]
        if isinstance(row, RealKey) and row.prefix:
            number = rf"(?:[fｆƒ][/／]?)?{number}"
        if key in _GROUPED:
            number = rf"(?:\d{{1,3}}(?:(?:{_GROUPS})\d{{3}})+(?![\d{COMMA}])(?:[.．]\d+)?|{number})"
        if key in _UNITS:
            number = rf"{number}(?:{space}(?:{_in_full_width(_UNITS[key])}))?"
    number = f"(?:{number})"
    dots = rf"{space}(?:[.．]{{2,3}}|…){space}"
    dash = rf"(?:[{MINUS}~～〜]|[{SPACE}]+[{MINUS}~～〜][{SPACE}]+)"
    sign = r"(?:[<>＜＞][=＝]?|[=＝][<>＜＞]?|[≥≧⩾≤≦⩽])"
    two = f"{number}(?:{dots}|{dash}){number}"
    forms = "|".join((f"{sign}{space}{number}", two, f"{number}{dots}", f"{dots}{number}", number))
    return f"(?:{in_any_width([key])})[{COLON}](?:{forms})"


_SIGN: Final = r"[<>＜＞=＝≥≧⩾≤≦⩽]"
_SAME_SIGN: Final = {"=": "", "=>": ">=", "=<": "<="}
_MEASURED_KEYS: Final = ("date", *(key for key, row in FILTERS.items() if isinstance(row, NumberKey | RealKey)))

WITHOUT_COLON: Final = re.compile(
    rf"(?<![^{SPACE}])(?P<key>(?:{in_any_width(_MEASURED_KEYS)})(?=[{SPACE}]*{_SIGN})|(?:{in_any_width(FILTERS)})(?=[=＝]))"
    rf"[{SPACE}]*(?P<value>{_SIGN}+[{SPACE}]*[^{SPACE}]*)",
    re.IGNORECASE,
)
"""A filter that lacks its colon: `width>4000`, `date = 2013`, `tag=best`."""

SIGNS: Final = {
    "MEASURED": f"(?:{'|'.join(map(_measured, _MEASURED_KEYS))})(?=[{SPACE}]|$)",
    "SUBJECTS": in_any_width(["like", "picture", "concept"]),
    "MINUS": MINUS,
    "COLON": COLON,
    "COMMA": COMMA,
    "CARET": CARET,
    "QUOTES": QUOTES,
    "SPACE": SPACE,
    "OR": OR,
}
"""What the grammar's names between angle brackets stand for."""
