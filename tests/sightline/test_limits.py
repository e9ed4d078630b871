"""What a query asks for that models can't do is told, and ordinary queries are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import sightline
from sightline.query.limits import hints
from sightline.query.parser import parse


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("three cats", "Counts are unreliable: most models find cats"),
        ("two red boats at sunset", "models find boats"),
        ("a photo of 5 dogs", "models find dogs"),
        ("2 people", "models find people"),
        ("four children playing", "models find children"),
        ("two dogs running", "models find dogs"),
        ("Two Men in a boat date:2020", "models find men"),
        ("a beach without people", "as in -people."),
        ("street with no cars", "as in -cars."),
        ("no people", "as in -people."),
        ("a mountain without any snow", "as in -snow."),
        ("an animal, not a dog", "as in -dog."),
        ("dogs, not cats", "as in -cats."),
        ("a man without a red hat", "as in: beach -people."),
        ("a dog left of a cat", "left from right"),
        ("a tree on the left", "to be left may be anywhere"),
        ("a car to the right of a house", "to be right may be anywhere"),
        ("a man on the right side, waving", "to be right"),
        ("boat OR three cats", "models find cats"),
        (" ".join(["a red boat on the sea with some clouds"] * 7), "words. Models read the first"),
    ],
)  # fmt: skip
def test_what_models_can_not_do_is_told_once(text: str, told: str) -> None:
    found = hints(parse(text))
    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "three quarters view", "two wheelers", "ten gallon hats", "no dogs allowed", "what is left of the castle",
        "no news", "all that's left of a church", "five string guitars", "two and a half men",
        "a red boat", "one way street", "left bank", "on the left bank of the seine", "three wise men", "12 angry men",
        "the three musketeers", "seven dwarfs", "no entry", "no smoking sign", "no parking signs", "dr no",
        "no man's land", "forget me not", "forget-me-nots", "to be or not to be", "right of way", "bill of rights",
        "doctors without borders", "rebel without a cause", "iphone 12 cases", "windows 10 laptops", "the 1980s",
        "four leaf clover", "two euros", "three days", "ten years after", "four seasons hotel", "a pair of shoes",
        "twins", "fantastic four", "two tone car", "three piece suit", "two door cars", "four star hotels",
        "three quarter sleeves", "three little pigs", "turn left", "right hand", "human rights", "a glass of water",
        "seven up bottle", "seven eleven stores", "-people beach", "beach -cars", "like:12", "favourite:yes",
        "date:2020..2021", "zwei katzen", "ohne menschen", "five o'clock tea", "high five", "two of us",
        "ten of clubs cards", "not only cats", "not very big", "route 66 signs", "page not found", "under a bridge",
        "a dog in front of a house", "the left", "nothing", "notes on a desk", "knots", "sixteen candles", "number 10",
        "two in one", "catch 22", "no time to die", "ocean's eleven", "space 2 seats", "apollo 11 astronauts",
        "why not", "without doubt", "twelve apostles", "the three tenors", "two thumbs up",
    ],
)  # fmt: skip
def test_an_ordinary_query_gets_no_hint(text: str) -> None:
    assert hints(parse(text)) == ()


def test_what_is_excluded_gets_no_hint() -> None:
    for text in ('boat -"three cats"', "beach without people -People", "room with no windows -chair -windows"):
        assert hints(parse(text)) == ()
    assert hints(parse("beach without people -dog")) != ()


def test_every_door_tells_it(drawn: Path) -> None:
    with sightline.Library(drawn / "library") as library:
        assert library.search("three boats").about["hints"] == [
            "Counts are unreliable: most models find boats, and hardly tell how many there are."
        ]
        assert library.search("a red boat").about["hints"] == []
