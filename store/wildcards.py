"""Wildcards as regular expressions that never try one thing twice.

A `*` takes as little as the text behind it allows, up to the next `*`, and never gives it back: what comes behind the
next `*` can only find more room after the first place than after a later one. So the time is that of one search for
each piece of text, however many wildcards there are. Python's `fnmatch` does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_WILDCARDS: Final = 32
"""Wildcards of one name or pattern that was typed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What stands for anything between two pieces of text, as regular expressions.

    Attributes:
        least: takes as little as it can.
        most: takes as much as it can.
    """

    least: str
    most: str


def linear(first: str, rest: Sequence[tuple[Gap, str]]) -> str:
    """A regular expression for a whole text: a piece, then gaps, each with the piece behind it.

    Args:
        first: a regular expression that matches one number of characters only, as all pieces do but the last.
        rest: in their order; the last piece is followed by the end of the text, or by what only one place can match.
    """
    if not rest:
        return first
    *inner, (gap, last) = rest
    return first + "".join(f"(?>{between.least}{piece})" for between, piece in inner) + gap.most + last
