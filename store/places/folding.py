"""Names of places as they are compared: without case, accents and punctuation."""

from __future__ import annotations

import unicodedata
from typing import Final

# Letters that Unicode does not take apart into a letter and an accent, and apostrophes, which many leave out.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ħ": "h", "ŋ": "n"}
    | dict.fromkeys("'`\u00b4\u2018\u2019\u02b9\u02bb\u02bc\u02be\u02bf", "")
)
# Canonical combining classes from here on are accents above and below; lower ones change letters of other scripts.
_ACCENTS: Final = 200


def folded(name: str) -> str:
    """A name as it is compared: "São Tomé", "SAO TOME" and "sao-tome" are one."""
    # Letters first: NFKD makes of an acute accent that stands alone, and is an apostrophe, a space and an accent.
    apart = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    bare = unicodedata.normalize("NFC", "".join(char for char in apart if unicodedata.combining(char) < _ACCENTS))
    # Letters, marks and numbers.
    return " ".join("".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in bare).split())
