"""Text as a terminal may be given it: names, reasons and captions come from files of anybody."""

from __future__ import annotations

import json
import logging
import unicodedata
from typing import Any, Final

# Controls (escape sequences begin with one), bidirectional and other formats, surrogates, ends of lines and paragraphs.
_DRIVES: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
LAYOUT: Final = "\n\t"
"""What parts the lines and columns of a text of our own."""


def printable(text: str, keep: str = "") -> str:
    r"""Return a text in which characters that could drive a terminal are `\uNNNN`, but for those of `keep`."""
    if text.isprintable():  # nothing of what follows is; it takes a tenth of the time
        return text
    return "".join(
        f"\\u{ord(char):04x}" if char not in keep and unicodedata.category(char) in _DRIVES else char for char in text
    )


def json_text(value: Any, indent: int | None = None) -> str:
    r"""Format a value as JSON in which such characters are escaped (RFC 8259, section 7)."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(
        json.dumps(char)[1:-1] if char != "\n" and unicodedata.category(char) in _DRIVES else char for char in text
    )


class PrintableFormatter(logging.Formatter):
    """A formatter of log messages, with nothing in them that drives a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a message, with its traceback if it has one."""
        return printable(super().format(record), LAYOUT)
