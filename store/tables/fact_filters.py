"""Filters on one fact of a picture, each by its row in `store.tables.fact_table`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeVar

from store.tables.fact_table import (
    FILTERS,
    LARGEST,
    ChoiceKey,
    FilterKey,
    NumberKey,
    PlaceKey,
    RealKey,
    TextKey,
    WordKey,
    WrittenKey,
)
from store.tables.filter_checks import abbreviated, check_names, check_wildcards, has_tokens

LEVEL: Final = "|"
"""Between the levels of a keyword."""

MAX_PARTS: Final = 5
"""What a place may lie in, one in another: more than any has."""

# A part of this of a limit is no difference: files have 1/250 as 0.004 and as 0.0039998.
_SLACK: Final = 1e-3

_Row = TypeVar("_Row", bound=FilterKey)


@dataclass(frozen=True, slots=True)
class Text:
    """Words that are all in a text fact, such as the camera's make and model.

    Raises:
        ValueError: no text fact of this key, no name, or a blank one.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def row(self) -> TextKey:
        """Its row in the table of filters."""
        return _row(self.key, TextKey, "text")

    def __post_init__(self) -> None:
        _row(self.key, TextKey, "text")
        check_names(self.key, self.names)


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number between two others, both included: pixels, bytes and the like.

    Raises:
        ValueError: no number fact of this key, no limit, or limits that are negative, too large or the wrong way round.
    """

    key: str
    low: int | None
    high: int | None
    negated: bool = False

    @property
    def row(self) -> NumberKey:
        """Its row in the table of filters."""
        return _row(self.key, NumberKey, "measure")

    def __post_init__(self) -> None:
        highest = self.row.highest
        if self.low is None and self.high is None:
            raise ValueError(f"{self.key} needs a least value, a greatest, or both.")
        for given in (self.low, self.high):
            if given is not None and not 0 <= given <= highest:
                # Python refuses to write out a number of more than 4,300 digits.
                value = given if given.bit_length() <= 64 else f"a number of {given.bit_length()} bits"
                raise ValueError(f"{self.key} takes 0 to {highest}; not {value}.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.key} can't be at least {self.low} and at most {self.high}.")

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value."""
        return 0 if self.low is None else self.low, LARGEST if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Real:
    """A number that need not be whole, between two others: an aperture, seconds, millimetres.

    Where both are the same it stands for all that are about that number, see `fact_table.RealKey.ratio`.

    Attributes:
        key: of the filter.
        low: the least; None for no limit.
        high: the greatest, likewise.
        strict: whether the one limit that is given is left out itself.
        negated: keep the others, and those of which it is not known.

    Raises:
        ValueError: no such fact of this key, no limit, two that are strict, or limits that are negative, not finite or
            the wrong way round.
    """

    key: str
    low: float | None
    high: float | None
    strict: bool = False
    negated: bool = False

    @property
    def row(self) -> RealKey:
        """Its row in the table of filters."""
        return _row(self.key, RealKey, "setting")

    def __post_init__(self) -> None:
        _row(self.key, RealKey, "setting")
        if self.low is None and self.high is None:
            raise ValueError(f"{self.key} needs a least value, a greatest, or both.")
        for name in ("low", "high"):
            given = getattr(self, name)
            if given is not None:
                # Written so that a NaN is refused too.
                if not 0 <= given < math.inf:
                    raise ValueError(f"{self.key} takes numbers from 0 on; not {given:g}.")
                object.__setattr__(self, name, float(given))
        if self.low is not None and self.high is not None:
            if self.strict:
                raise ValueError(f"{self.key} with two limits includes both.")
            if self.low > self.high:
                raise ValueError(f"{self.key} can't be at least {self.low:g} and at most {self.high:g}.")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value, both included."""
        if self.low is not None and self.low == self.high:
            return self._about(self.low)
        slack = -_SLACK if self.strict else _SLACK
        low = 0.0 if self.low is None else self.low * (1 - slack)
        return low, math.inf if self.high is None else self.high * (1 + slack)

    def _about(self, value: float) -> tuple[float, float]:
        if self.row.ratio is not None:
            return value / self.row.ratio, value * self.row.ratio
        last_digit = Decimal(repr(value)).normalize().as_tuple().exponent
        half = 0.5 * 10.0 ** min(int(last_digit), 0)
        return value - half, value + half


@dataclass(frozen=True, slots=True)
class Word:
    """Has one of these words: a keyword, at any of its levels, or the name of a person.

    Consecutive levels are joined by `|`. `*` and `?` are wildcards, `\\*` and `\\?` the characters themselves.

    Raises:
        ValueError: no fact of this key that is words, no name, or a blank one.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def row(self) -> WordKey:
        """Its row in the table of filters."""
        return _row(self.key, WordKey, "list of words")

    def __post_init__(self) -> None:
        _row(self.key, WordKey, "list of words")
        check_names(self.key, self.names)
        check_wildcards(self.key, self.names)
        for name in self.names:
            if not name.replace(LEVEL, " ").strip():
                raise ValueError(f"{self.key} needs a name; {abbreviated(name)} is blank between its levels.")


@dataclass(frozen=True, slots=True)
class Written:
    """Has all words of one of these texts in what people wrote. `invo*` is every word that begins so.

    Raises:
        ValueError: no such text of this key, no name, or one without a letter or digit.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def row(self) -> WrittenKey:
        """Its row in the table of filters."""
        return _row(self.key, WrittenKey, "written text")

    def __post_init__(self) -> None:
        _row(self.key, WrittenKey, "written text")
        check_names(self.key, self.names)
        for name in self.names:
            if not has_tokens(name):
                raise ValueError(
                    f"{self.key} takes words, as in {self.row.example}; {abbreviated(name)} has no letter and no digit."
                )


@dataclass(frozen=True, slots=True)
class Place:
    """In one of these towns, regions or countries; see `store.places.names` for what is found by a name.

    Attributes:
        key: of a row of `fact_table.FILTERS`: "town", "region" or "country"; or "place" for any of the three, where
            a comma stands before what the place lies in, as in "springfield, illinois".
        names: one is enough.
        negated: keep the others, and those that nobody knows where they were taken.

    Raises:
        ValueError: no fact of this key that is the name of a place, no name, or a blank one.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def column(self) -> str | None:
        """The fact that it asks for; None for any of the three."""
        return None if self.key == "place" else _row(self.key, PlaceKey, "place").column

    def __post_init__(self) -> None:
        _ = self.column
        check_names(self.key, self.names)
        for name in self.names:
            if self.column is None and name.count(",") > MAX_PARTS:
                raise ValueError(
                    f"{self.key} takes a name and up to {MAX_PARTS} that it lies in, each behind a comma, as in "
                    f'"springfield, illinois"; {abbreviated(name)} has {name.count(",")} commas.'
                )


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values, such as the orientations landscape, portrait and square.

    Raises:
        ValueError: no fact of this key that has choices, no value, or one that is not among them.
    """

    key: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def row(self) -> ChoiceKey:
        """Its row in the table of filters."""
        return _row(self.key, ChoiceKey, "choice")

    def __post_init__(self) -> None:
        choices = self.row.choices
        check_names(self.key, self.names)
        for name in self.names:
            if name not in choices:
                raise ValueError(f"There is no {self.key} {abbreviated(name)}; there are {', '.join(choices)}.")


def _row(key: str, kind: type[_Row], what: str) -> _Row:
    row = FILTERS.get(key)
    if not isinstance(row, kind):
        known = ", ".join(each.key for each in FILTERS.values() if isinstance(each, kind))
        raise ValueError(f"There is no {what} {abbreviated(key)}; there are {known}.")
    return row
