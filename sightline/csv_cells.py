"""Cells of CSV that no spreadsheet takes for a formula (OWASP, "CSV injection").

A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, whoever wrote it: the name of a file, a caption. An
apostrophe before it makes it text. Where a spreadsheet parts cells at semicolons or tabs, as in many countries, a cell
may begin inside of ours, so those are guarded too. Numbers are numbers: only texts are changed.
"""

from __future__ import annotations

import re
from typing import Any, Final

# The four, and those that look like them or stand for them: full width, small, raised, lowered; the sign of a minus.
_FORMULA: Final = r"[=+\-@\u207a-\u207c\u208a-\u208c\u2212\ufe62-\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
# What is not seen before them: spaces, controls, marks of direction.
_UNSEEN: Final = r"[\s\x00-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*"
_BEGINS: Final = re.compile(rf"[\t\r\n]|{_UNSEEN}{_FORMULA}")
# Quotes of CSV stand for nothing where cells are parted there.
_INSIDE: Final = re.compile(rf'([;\t\r\n])(?=["{_UNSEEN[1:]}{_FORMULA})')


def guarded(value: Any) -> Any:
    """A cell's value, with apostrophes where a text would be computed; anything but a text stays as it is."""
    if not isinstance(value, str):
        return value
    text = _INSIDE.sub(r"\1'", value)
    return f"'{text}" if _BEGINS.match(text) else text
