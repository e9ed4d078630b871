"""What people wrote is kept so that it is found: as it is now, for as long as its picture is there."""

# ruff: noqa: RUF001  letters of other scripts and widths

from __future__ import annotations

from pathlib import Path
from typing import Any

import library_tables as tables
import numpy as np
import pytest

from store.library import Library
from store.lock import locked
from store.tables.filters import Filter, Word, Written
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

PLAIN: dict[str, Any] = {"width": 40, "height": 30, "format": "JPEG", "orientation": 1}
VECTOR = np.array([1, 0, 0, 0], np.float32)


class Made:
    """A library that a test writes pictures into."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.writer = Writer(library.catalog.engine)
        self.space = self.writer.add_space(SpaceIdentity("key", "name", "model", "weights", "{}", 4, True))
        self.root = self.writer.add_root(b"/home/Photos")

    def write(self, *pictures: dict[str, Any]) -> None:
        """Write pictures, named and hashed by their place from 1, in one batch."""
        items = [
            Indexed(
                File(self.root, b"%d.jpg" % at, 1000, 1), at.to_bytes(32, "big"), PLAIN | facts, {self.space: VECTOR}
            )
            for at, facts in enumerate(pictures, 1)
        ]
        self.writer.commit(items, [])

    def found(self, given: Filter) -> list[int]:
        return [int(id_) for id_ in self.library.catalog.matching([given])]


@pytest.fixture
def made(library: Path) -> Any:
    with locked(library), Library.create(library) as opened:
        yield Made(opened)


def rows(library: Path, table: str) -> int:
    return int(tables.execute(library, f"SELECT count(*) FROM {table}")[0][0])


def test_what_is_read_again_takes_the_place_of_what_was_there(made: Made, library: Path) -> None:
    made.write({"keywords": ("sea", "Old|Town"), "title": "Harbour"}, {"keywords": ("sea",)}, {})
    tables.execute(library, "UPDATE contents SET facts_version = 1")
    made.write({"keywords": ("lake",), "caption": "Harbour"}, {}, {"people": ("Ann",)})
    assert made.found(Word("keyword", ("lake",))) == [1]
    assert made.found(Word("keyword", ("sea", "town", "old|town"))) == []
    assert made.found(Written("title", ("harbour",))) == []
    assert made.found(Written("caption", ("harbour",))) == [1]
    assert made.found(Word("person", ("ANN",))) == [3]
    assert made.found(Written("text", ("sea",), negated=True)) == [1, 2, 3]
    facets = made.library.catalog.facets()
    assert (facets["keywords"], facets["people"]) == ((("lake", 1),), (("Ann", 1),))


def test_what_went_leaves_no_words_behind(made: Made, library: Path) -> None:
    made.write({"keywords": ("sea", "a|b"), "title": "x", "people": ("Ann",)}, {"keywords": ("sea",)})
    assert (rows(library, "texts"), rows(library, "words"), rows(library, "content_words")) == (2, 5, 6)
    made.writer.prune([made.library.catalog.photos([1])[1].photo_id])
    assert (rows(library, "texts"), rows(library, "words"), rows(library, "content_words")) == (1, 1, 1)
    assert made.found(Written("text", ("x",))) == []
    assert made.found(Written("text", ("sea",))) == [2]


def test_two_spellings_of_a_keyword_are_one_word(made: Made) -> None:
    made.write({"keywords": ("New  York", "new york", "USA|New York")}, {"keywords": ("NEW YORK",)})
    assert made.library.catalog.facets()["keywords"] == (("New York", 2), ("USA", 1))
    assert made.found(Word("keyword", ("new york",))) == [1, 2]
    assert made.found(Word("keyword", ("usa | new york",))) == [1]
    assert made.found(Word("keyword", ("york",))) == []


@pytest.mark.parametrize(
    ("caption", "asked"),
    [
        ("東京タワーの夜景", "タワー"),
        ("서울에서", "서울"),
        ("ภาพถ่ายทะเล", "ทะเล"),
        ("L'été à la mer", "ete mer"),
        ("Straße", "STRASSE"),
        ("e\u0301te\u0301", "été"),
        ("ＩＮＶＯＩＣＥ No. 7", "invoice 7"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("rock–paper", "rock-paper"),
        ("Ⅻ. \U0001f600 ﬁnal", "final"),
    ],
)
def test_texts_are_found_in_any_script(made: Made, caption: str, asked: str) -> None:
    made.write({"caption": caption})
    assert made.found(Written("text", (asked,))) == [1]
    assert made.found(Written("text", (f"{asked}zzz",))) == []
