"""What a query asks for that models can't do: counting, negation, left and right, long texts.

Only English words are known here. A hint that is wrong is worse than none, so little is: a phrase that is a name
("three wise men", "left bank", "no entry", "forget me not") gets none.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import partial
from typing import Final

from sightline.query.types import Query, Words

# "beach without people", "a street with no cars", "not a dog".
_WITHOUT: Final = re.compile(r"\b(without) (?:an? |any |the |much |many )?([a-z]{3,})\b")
_NO: Final = re.compile(r"\b(?<!dr )(no) (?!news\b)([a-z]{3,})\b(?! signs?\b| allowed\b)")
_NOT: Final = re.compile(r"\b(?<!me )(?<!or )(?<!why )(?<!if )(not) (?:an? |any |the )?([a-z]{3,})\b")
_WITHOUT_NAMES: Final = frozenset({"borders", "cause", "doubt", "frontiers", "limits"})
# Behind what is not wanted; other words go on with it: "without a red hat" is not said by -red.
_ENDS: Final = re.compile(r"$|[,.;:!?)]| (?:and|at|behind|beside|but|by|from|in|near|next|on|or|under|with)\b")
# What "no" is said of when it is no sign, title or name.
_ABSENT: Final = frozenset({
    "beard", "clothes", "clothing", "fence", "flash", "fog", "furniture", "grass", "hair", "humans", "light",
    "makeup", "people", "person", "rain", "shadow", "sky", "smoke", "snow", "sun", "sunlight", "text", "traffic",
    "vegetation", "water", "watermark", "wind", "writing",
})  # fmt: skip

_NUMBERS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# A digit behind another word may be a name's: "iphone 12 cases".
_DIGITS: Final = r"(?:(?<=^)|(?<=of )|(?<=with )|(?<=and )|(?<=the ))(?:[2-9]|1[0-2])"
_COUNT: Final = re.compile(rf"(?:\b(?:{'|'.join(_NUMBERS)})|{_DIGITS}) (?:([a-z]+) )?([a-z]+)\b")
_IRREGULAR: Final = frozenset({
    "children", "deer", "fish", "geese", "men", "mice", "oxen", "people", "persons", "sheep", "women",
})  # fmt: skip
# Measures, and what is counted in names: kings, musketeers, wonders.
_NOT_COUNTED: Final = frozenset({
    "amigos", "apostles", "blocks", "bucks", "centimeters", "centimetres", "cents", "commandments", "corners",
    "cylinders", "days", "degrees", "dimensions", "dollars", "dozens", "dwarfs", "dwarves", "euros", "feet", "fifths",
    "floors", "gorges", "graces", "guys", "halves", "hours", "hundreds", "inches", "kilometers", "kilometres", "kings",
    "lives", "magi", "meters", "metres", "miles", "millions", "minutes", "months", "mountains", "musketeers",
    "nations", "nights", "oceans", "percent", "pounds", "quarters", "rings", "rivers", "seasons", "seconds", "sins",
    "sisters", "stars", "stooges", "storeys", "stories", "tenors", "tens", "thirds", "thousands", "thumbs", "times",
    "towers", "weeks", "wheelers", "wonders", "years",
})  # fmt: skip
_TITLES: Final = frozenset({"angry men", "blind mice", "little pigs", "wise men"})
# Between a number and a plural: words that begin another thought ("ten of clubs"), and nouns that the number belongs to
# ("two door cars").
_NO_ADJECTIVES: Final = frozenset({
    "and", "as", "at", "ball", "bedroom", "by", "course", "cylinder", "day", "dollar", "door", "euro", "floor",
    "foot", "for", "gallon", "hour", "hundred", "in", "inch", "is", "lane", "layer", "leaf", "level", "liter",
    "litre", "man", "meter", "metre", "mile", "million", "minute", "month", "of", "on", "or", "pack", "person",
    "piece", "pin", "ply", "point", "poster", "pound", "quarter", "room", "seat", "segment", "star", "storey",
    "story", "string", "stroke", "the", "thousand", "tier", "to", "tone", "track", "way", "week", "wheel", "with",
    "year", *_NUMBERS,
})  # fmt: skip

# Where something is: "left of the house", "a dog on the right". Not "right of way", "on the left bank",
# "what is left of".
_SIDE: Final = re.compile(
    r"\b(?<!is )(?<!was )(?<!are )(?<!'s )(?<!little )(left|right) of "
    r"(?!way\b|passage\b|return\b|reply\b|abode\b|centre\b|center\b|spring\b)[a-z]"
    r"|\b(?:on|to|at|from) the (left|right)(?: side| hand side)?(?= of\b|[,.;]| and\b| with\b|$)"
)

_READ: Final = 50
"""Words: few models read as much of a text, 77 tokens; some read 32."""


def hints(query: Query) -> tuple[str, ...]:
    """Tell what models can't do of what a query asks for: one sentence, or none."""
    texts, left_out = (_texts(query, excluded=excluded) for excluded in (False, True))
    absent = frozenset(text.casefold() for text in left_out)
    tellers = (partial(_of_negation, left_out=absent), _of_counts, _of_sides, _of_length)
    told = (tell(text) for tell in tellers for text in texts)
    first = next(filter(None, told), None)
    return () if first is None else (first,)


def _texts(query: Query, *, excluded: bool) -> list[str]:
    """The words of a query that it looks for, or that it leaves out."""
    groups = (group for group in query.groups if group.excluded is excluded)
    return [term.subject.text for group in groups for term in group.any_of if isinstance(term.subject, Words)]


def _of_negation(text: str, left_out: Container[str]) -> str | None:
    """`left_out` has what a minus leaves out already."""
    folded = text.casefold()
    for pattern in (_WITHOUT, _NO, _NOT):
        for match in pattern.finditer(folded):
            word, what = match[1], match[2]
            if what in left_out or not _denies(word, what, match[0]):
                continue
            way = f"as in -{what}" if _ENDS.match(folded, match.end()) else "as in: beach -people"
            return f"Most models hardly read {word!r}, and may find what it denies. A minus leaves it out, {way}."
    return None


def _denies(word: str, what: str, whole: str) -> bool:
    if word == "without":
        return what not in _WITHOUT_NAMES
    has_article = word == "not" and whole.count(" ") > 1
    return has_article or what in _ABSENT or _is_plural(what)


def _is_plural(word: str) -> bool:
    return word in _IRREGULAR or (len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")))


def _of_counts(text: str) -> str | None:
    folded = text.casefold()
    for match in _COUNT.finditer(folded):
        between, counted = match[1], match[2]
        if between is not None and _is_plural(between):
            between, counted = None, between  # "two dogs running"
        if between in _NO_ADJECTIVES or between in _NOT_COUNTED or f"{between} {counted}" in _TITLES:
            continue
        if _is_plural(counted) and counted not in _NOT_COUNTED:
            return f"Counts are unreliable: most models find {counted}, and hardly tell how many there are."
    return None


def _of_sides(text: str) -> str | None:
    match = _SIDE.search(text.casefold())
    if match is None:
        return None
    return f"Most models hardly tell left from right: what is to be {match[1] or match[2]} may be anywhere."


def _of_length(text: str) -> str | None:
    words = len(text.split())
    if words <= _READ:
        return None
    return f"This text has {words} words. Models read the first 20 to 50 of them, each as many as it was made for."
