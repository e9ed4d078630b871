"""Wildcards: what they match agrees with a plain reading of their meaning, in a time that grows with the text only."""

from __future__ import annotations

from functools import cache

import pytest
import timing
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from indexer.exclusions import Exclusions
from store.tables.filters import Folder, Name, Word
from store.tables.patterns import folder_pattern, word_pattern
from store.wildcards import MAX_WILDCARDS

SIGNS = st.lists(st.sampled_from(["*", "**", "?", "a", "b", "\\*", "\\", "."]), min_size=1, max_size=8).map("".join)
LEVELS = st.lists(st.text("ab*\\.", min_size=1, max_size=6), min_size=1, max_size=4)


def fits(pattern: str, text: str) -> bool:
    """Whether a level fits a pattern, by trying all there is to try once."""
    tokens, at = [], 0
    while at < len(pattern):
        is_escaped = pattern[at] == "\\" and pattern[at + 1 : at + 2] in ("*", "?", "\\") and at + 1 < len(pattern)
        tokens.append(("char", pattern[at + 1]) if is_escaped else (pattern[at], pattern[at]))
        at += 2 if is_escaped else 1

    @cache
    def rest(token: int, char: int) -> bool:
        if token == len(tokens):
            return char == len(text)
        kind, itself = tokens[token]
        if kind == "*":
            return rest(token + 1, char) or (char < len(text) and rest(token, char + 1))
        return char < len(text) and (kind == "?" or text[char] == itself) and rest(token + 1, char + 1)

    return rest(0, 0)


@examples(400)
@given(st.lists(st.lists(SIGNS, min_size=1, max_size=3), min_size=1, max_size=3), LEVELS)
def test_a_name_matches_consecutive_levels_as_its_wildcards_say(names: list[list[str]], levels: list[str]) -> None:
    expected = any(
        all(fits(part, level) for part, level in zip(name, levels[start:], strict=False))
        for name in names
        for start in range(len(levels) - len(name) + 1)
    )
    folder = folder_pattern(["/".join(name) for name in names]).search(f"/{'/'.join(levels)}/")
    word = word_pattern(["|".join(name) for name in names]).search(f"|{'|'.join(levels)}|")
    assert ((folder is not None), (word is not None)) == (expected, expected)


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 30 + "*b",
        "*" * 32 + "b",
        "*?" * 16 + "b",
        "?*" * 16 + "b",
        "*ab" * 31 + "*c",
        "**/" * 16 + "b",
        "*/" * 30 + "b",
    ],
)
@pytest.mark.parametrize("text", ["a" * 4_000, "ab" * 2_000, "a/" * 2_000, "a" * 3_999 + "b"])
def test_the_worst_patterns_take_no_longer_than_a_long_text_does(pattern: str, text: str) -> None:
    timing.within_limit(lambda: folder_pattern([pattern]).search(f"/{text}/"))
    timing.within_limit(lambda: word_pattern([pattern]).search(f"|{text}|"))
    excluded = Exclusions([(b"", pattern)])
    timing.within_limit(lambda: excluded.leave_out(text.encode(), text.encode(), is_folder=True))


@examples(200, nightly=10_000)
@given(st.text("*?ab[]!/\\|.", max_size=200), st.text("ab/|", max_size=1_000))
def test_any_pattern_is_matched_in_time(pattern: str, text: str) -> None:
    timing.within_limit(lambda: folder_pattern([pattern]).search(f"/{text}/"))
    timing.within_limit(lambda: word_pattern([pattern]).search(f"|{text}|"))
    timing.within_limit(lambda: Exclusions([(b"", pattern)]).leave_out(text.encode(), text.encode(), is_folder=True))


def test_a_name_with_too_many_wildcards_is_refused_with_the_limit() -> None:
    for make in (lambda name: Folder((name,)), lambda name: Word("keyword", (name,)), lambda name: Name((name,))):
        make("*" * MAX_WILDCARDS)
        with pytest.raises(ValueError, match=f"up to {MAX_WILDCARDS} wildcards in a name; .* has 60. Leave some out"):
            make("*" * 60)
    # What a person named so is found as it is.
    Folder(("\\*" * 60,))
    Word("keyword", ("\\?" * 60,))
