"""Texts cleaned as open_clip 3.3 does it before they are read (open_clip/tokenizer.py)."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Final

_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def is_plain(text: str) -> bool:
    """Whether a text is printable ASCII without `&`: ftfy and HTML's entities change nothing of it."""
    return text.isascii() and text.isprintable() and "&" not in text


def _mend(text: str) -> str:
    if is_plain(text):  # to import ftfy takes longer than all the rest
        return text.strip()
    import html

    import ftfy

    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def _whitespace(text: str) -> str:
    return " ".join(_mend(text).split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonicalize(text: str) -> str:
    return " ".join(_mend(text).replace("_", " ").translate(_PUNCTUATION).lower().split())


CLEAN: Final[dict[str, Callable[[str], str]]] = {
    "whitespace": _whitespace, "lower": _lower, "canonicalize": _canonicalize,
}  # fmt: skip
"""By the name that a configuration gives it."""
