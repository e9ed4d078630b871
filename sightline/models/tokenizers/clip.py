"""CLIP's own byte-pair encoding (Radford et al., 2021), as open_clip 3.3's SimpleTokenizer does it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sightline.models.tokenizers.cleaning import CLEAN, is_plain
from sightline.models.tokenizers.table import Table

CREATE: Final = "CREATE TABLE pieces (pair INTEGER PRIMARY KEY, id INTEGER)"
INSERT: Final = "INSERT INTO pieces VALUES (?, ?)"
BYTES: Final = 256
START: Final = "<start_of_text>"
END: Final = "<end_of_text>"
_WORDS: Final = rf"{START}|{END}|'s|'t|'re|'ve|'m|'ll|'d|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"
# The same words of printable ASCII, without the import of regex.
_PLAIN_WORDS: Final = re.compile(
    rf"{START}|{END}|'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+", re.IGNORECASE | re.ASCII
)
# As merges are found in the table: both ids of a pair in one number.
_SHIFT: Final = 20


def byte_order() -> list[int]:
    """Bytes in the order of their ids: printable ones first (open_clip/tokenizer.py, bytes_to_unicode)."""
    first = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return first + [byte for byte in range(BYTES) if byte not in set(first)]


def pair_key(left: int, right: int) -> int:
    """The key of a pair of ids in the table."""
    return left << _SHIFT | right


class ClipTokenizer:
    """CLIP's tokenizer over a table of merges: pairs of ids, and the id that they become.

    An id is also the rank of its merge: the vocabulary is the bytes, the bytes at the end of a word, and then what
    merges make, in their order.
    """

    KIND: Final = "clip"

    def __init__(self, table: Table) -> None:
        """Read the settings that `making` wrote."""
        settings: dict[str, Any] = table.settings
        self._table = table
        self._clean = CLEAN[settings["clean"]]
        self._context = int(settings["context"])
        self._specials = {START: int(settings["start"]), END: int(settings["end"])}
        self._of_byte = dict(zip(byte_order(), range(BYTES), strict=True))
        # Of the table alone: with a method of this it would be a circle, and stay open for a while when it is dropped.
        self._merge = lru_cache(maxsize=50_000)(partial(_read_merge, table))

    def ids(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """See `Tokenizer.ids`."""
        made = np.zeros((len(texts), self._context), np.int64)
        end = self._specials[END]
        for row, text in zip(made, texts, strict=True):
            ids = [self._specials[START], *self._encode(text), end]
            if len(ids) > self._context:
                ids = [*ids[: self._context - 1], end]
            row[: len(ids)] = ids
        return made

    def count(self, text: str) -> int:
        """See `Tokenizer.count`."""
        return sum(1 for _ in self._encode(text)) + 2

    def close(self) -> None:
        """See `Tokenizer.close`."""
        self._table.close()

    def _encode(self, text: str) -> Iterator[int]:
        text = self._clean(text)
        for word in _words(text):
            if (special := self._specials.get(word)) is not None:
                yield special
            else:
                yield from self._encode_word(word)

    def _encode_word(self, word: str) -> list[int]:
        ids = [self._of_byte[byte] for byte in word.encode()]
        ids[-1] += BYTES
        while len(ids) > 1:
            merges = {pair: self._merge(*pair) for pair in pairwise(ids)}
            found = [(merged, pair) for pair, merged in merges.items() if merged is not None]
            if not found:
                break
            merged, pair = min(found)
            ids = _replace(ids, pair, merged)
        return ids


def _read_merge(table: Table, left: int, right: int) -> int | None:
    found = table.row("SELECT id FROM pieces WHERE pair = ?", (pair_key(left, right),))
    return None if found is None else int(found[0])


def _words(text: str) -> list[str]:
    if is_plain(text):
        return _PLAIN_WORDS.findall(text)
    import regex

    found: list[str] = regex.findall(_WORDS, text, regex.IGNORECASE)
    return found


def _replace(ids: Sequence[int], pair: tuple[int, int], merged: int) -> list[int]:
    """Put `merged` in the place of a pair wherever it stands, from the left."""
    made: list[int] = []
    at = 0
    while at < len(ids):
        if ids[at] == pair[0] and at + 1 < len(ids) and ids[at + 1] == pair[1]:
            made.append(merged)
            at += 2
        else:
            made.append(ids[at])
            at += 1
    return made
