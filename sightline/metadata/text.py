"""Text and numbers from strangers' metadata: clean, bounded, or missing."""

from __future__ import annotations

import contextlib
import math
import re
import unicodedata
from typing import Final

MAX_TEXT: Final = 200
MAX_CAPTION: Final = 2000

_NUMBER: Final = re.compile(r"\s*([+-]?\d{1,18}(?:[.,]\d{1,18})?)(?:\s*/\s*(\d{1,18}))?", re.ASCII)


def clean_text(value: object, limit: int = MAX_TEXT) -> str | None:
    """Text from a tag as one clean line of at most `limit` characters; None where nothing is left.

    Bytes are UTF-8, or else Windows-1252. Cut at the first NUL (EXIF strings are C strings), without control, format
    (bidirectional overrides) or surrogate characters, white space collapsed.
    """
    if isinstance(value, bytes):
        # A tag may be megabytes long: cut before walking over it, and again when the rubbish is out.
        value = decoded(value.lstrip(b"\0 ").partition(b"\0")[0][: 16 * limit])
    if not isinstance(value, str):
        return None
    text = value.lstrip("\0 ").partition("\0")[0][: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join(text.split())[:limit].rstrip()
    return text if any(c.isalnum() for c in text) and text != "null" else None  # "null": of programs without a value


def decoded(data: bytes) -> str:
    """Bytes as UTF-8, also where the last character is cut; else as Windows-1252 or Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        whole = data[: error.start]
        if error.reason == "unexpected end of data" and not whole.isascii():
            return whole.decode("utf-8")  # no other encoding looks like this by chance
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("cp1252")
    return data.decode("latin-1")


def number_in(value: object) -> float | None:
    """Read a finite number from a number, or from text such as `28/10` and `2.8`; None of `1/0`."""
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    match = _NUMBER.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    number, below = float(match[1].replace(",", ".")), float(match[2] or 1)
    return number / below if below else None
