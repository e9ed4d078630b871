"""Hugging Face vocabularies, of which the `tokenizers` library is given the few pieces that it needs.

A whole vocabulary takes a second and 300 MB to load. What a text is read as depends on its own parts only: the library
is given a vocabulary of the pieces that are substrings of its words, and of those that it needs in any case. Its
normalizer, pre-tokenizer, added tokens and post-processor are the model's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sightline.lru import Lru
from sightline.models.tokenizers.cleaning import CLEAN
from sightline.models.tokenizers.table import Table

CREATE: Final = "CREATE TABLE pieces (text BLOB PRIMARY KEY, id INTEGER, more) WITHOUT ROWID"
INSERT: Final = "INSERT INTO pieces VALUES (?, ?, ?)"
NAMED: Final = 1 << 30
"""What is added to ids that a post-processor names: they are not of the small vocabulary."""

# A model of one empty piece reads each word as one unknown token, and tells the word as it was given to the model.
_WORDS_ONLY: Final = {"type": "Unigram", "unk_id": 0, "vocab": [["", 0.0]], "byte_fallback": False}
_KEPT: Final = 1024
# In open_clip's mode "clips" a row begins with one token, has one after its text, and ends with another.
_CLIPS_ADDS: Final = 3
_MERGE: Final = Struct("<II")

Piece = tuple[str, int, Any]
"""Text, id, and what the kind of model adds: a score (Unigram), its merges (BPE), nothing (WordPiece)."""


class HuggingFaceTokenizer:
    """A tokenizer of the `tokenizers` library, with what open_clip 3.3's HFTokenizer does around it."""

    KIND: Final = "hugging_face"

    def __init__(self, table: Table) -> None:
        """Read the settings that `making` wrote."""
        settings: dict[str, Any] = table.settings
        self._table = table
        self._clean = CLEAN[settings["clean"]]
        self._context = int(settings["context"])
        self._around: dict[str, Any] = settings["around"]
        self._marks: list[dict[str, Any]] = self._around["added_tokens"]
        self._split_special = bool(settings["split_special"])
        self._model: dict[str, Any] = settings["model"]
        self._added: dict[str, int] = settings["added"]
        self._pad, self._pad_left = int(settings["pad"]), bool(settings["pad_left"])
        self._cut: dict[str, Any] = settings["cut"]
        self._zeroed: int | None = settings["zeroed"]
        self._clips: dict[str, int] | None = settings["clips"]
        self._prefix = self._model.get("continuing_subword_prefix") or ""
        self._suffix = self._model.get("end_of_word_suffix") or ""
        self._longest = int(settings["longest"])
        self._usual = self._marks_in("")
        self._words = self._tokenizer(_WORDS_ONLY, self._usual)
        self._always = self._named(settings["always"])
        self._read: Lru[str, tuple[int, NDArray[np.int64]]] = Lru(_KEPT)

    def ids(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """See `Tokenizer.ids`."""
        rows = [self._kept(text)[1] for text in texts]
        return np.stack(rows) if rows else np.empty((0, self._context), np.int64)

    def count(self, text: str) -> int:
        """See `Tokenizer.count`."""
        return self._kept(text)[0]

    def close(self) -> None:
        """See `Tokenizer.close`."""
        self._table.close()

    def _kept(self, text: str) -> tuple[int, NDArray[np.int64]]:
        """The tokens of a text before cutting, and its row of ids."""
        return self._read.get_or_make(text, lambda: self._encode(text))

    def _encode(self, text: str) -> tuple[int, NDArray[np.int64]]:
        text = self._clean(text)
        marks = self._marks_in(text)
        parting = self._words if marks == self._usual else self._tokenizer(_WORDS_ONLY, marks)
        words = {word for word in parting.encode(text, add_special_tokens=False).tokens if word}
        # In the order of their ids: what of two pieces comes first may decide.
        pieces = sorted({**self._always, **self._pieces(words)}.values(), key=lambda piece: piece[1])
        small = self._tokenizer({**self._model, **_vocabulary(self._model, pieces)}, marks)
        found = small.encode(text).ids
        count = len(found)
        row = np.full(self._context, self._pad, np.int64)
        if self._clips is not None:
            found = small.encode(text, add_special_tokens=False).ids[: self._context - _CLIPS_ADDS]
        elif count > self._context:
            small.enable_truncation(**self._cut)
            found = small.encode(text).ids
        ids = self._real_ids(found, small, pieces)
        if self._clips is not None:
            row[: len(ids) + 2] = [self._clips["bos"], *ids, self._clips["eos"]]
            row[-1] = self._clips["cls"]
        elif ids:
            row[-len(ids) if self._pad_left else 0 :][: len(ids)] = ids
        if self._zeroed is not None:
            row[row == self._zeroed] = 0
        return count, row

    def _real_ids(self, ids: Sequence[int], small: Tokenizer, pieces: Sequence[Piece]) -> list[int]:
        """The model's ids for those of a small vocabulary."""
        real = {number: piece[1] for number, piece in enumerate(pieces)}
        for number, mark in small.get_added_tokens_decoder().items():
            real[number] = self._added[mark.content]
        return [number - NAMED if number >= NAMED else real[number] for number in ids]

    def _marks_in(self, text: str) -> list[dict[str, Any]]:
        """The added tokens that may be found in a text: of thousands the library would look for each.

        Those that are looked for in what the normalizer makes of a text are always among them.
        """
        return [mark for mark in self._marks if mark["normalized"] or mark["content"] in text]

    def _tokenizer(self, model: Mapping[str, Any], marks: Sequence[Mapping[str, Any]]) -> Tokenizer:
        made = Tokenizer.from_str(json.dumps({**self._around, "added_tokens": marks, "model": model}))
        made.encode_special_tokens = self._split_special
        return made

    def _named(self, texts: Sequence[str]) -> dict[str, Piece]:
        """The pieces of these texts."""
        found = (self._table.row("SELECT * FROM pieces WHERE text = ?", (text.encode(),)) for text in texts)
        return {piece[0]: piece for piece in map(_read, found)}

    def _pieces(self, words: Iterable[str]) -> dict[str, Piece]:
        """All pieces that are a substring of a word, as the model's kind writes them."""
        parts: set[str] = set()
        for word in words:
            whole = word + self._suffix
            for start in range(len(word)):
                parts.add(whole[start : start + self._longest])
                if self._prefix and start:
                    parts.add(self._prefix + whole[start : start + self._longest])
        return {piece[0]: piece for part in parts for piece in self._beginnings(part)}

    def _beginnings(self, text: str) -> Iterator[Piece]:
        """The pieces that a text begins with, the longest first.

        The largest key up to the text is the longest of them, or shares a beginning with the text that all of them are
        beginnings of.
        """
        rest = text.encode()
        while rest:
            row = self._table.row("SELECT * FROM pieces WHERE text <= ? ORDER BY text DESC LIMIT 1", (rest,))
            if row is None:
                return
            common = _common(row[0], rest)
            if common == len(row[0]):
                yield _read(row)
                common -= 1
            rest = rest[:common]


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two strings begin with alike."""
    most = min(len(one), len(other))
    difference = int.from_bytes(one[:most], "big") ^ int.from_bytes(other[:most], "big")
    return most - (difference.bit_length() + 7) // 8


def _read(row: tuple[bytes, int, Any]) -> Piece:
    return row[0].decode(), row[1], row[2]


def _vocabulary(model: Mapping[str, Any], pieces: Sequence[Piece]) -> dict[str, Any]:
    """What a model is given of its vocabulary, in the form of tokenizer.json; ids are positions."""
    if model["type"] == "Unigram":
        unknown = next((number for number, piece in enumerate(pieces) if piece[1] == model["unk_id"]), None)
        return {"vocab": [[text, score] for text, _, score in pieces], "unk_id": unknown}
    numbers = {piece[0]: number for number, piece in enumerate(pieces)}
    if model["type"] == "WordPiece":
        return {"vocab": numbers}
    ranked = sorted(
        (rank, text[:split], text[split:])
        for text, _, packed in pieces
        if packed
        for split, rank in merges_of(packed)
        if text[:split] in numbers and text[split:] in numbers
    )
    return {"vocab": numbers, "merges": [[left, right] for _, left, right in ranked]}


def pack_merge(split: int, rank: int) -> bytes:
    """A merge that makes a piece: where that is parted, and its rank; a piece has a row of these."""
    return _MERGE.pack(split, rank)


def merges_of(packed: bytes) -> Iterator[tuple[int, int]]:
    """The merges that `pack_merge` was given."""
    return _MERGE.iter_unpack(packed)
