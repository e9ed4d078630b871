"""The query language: a text to a `Query`, and back.

docs/search.md describes it; grammar.lark is its grammar.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from lark import Lark, UnexpectedToken

from sightline.query.explain import Line, explain
from sightline.query.keyboards import SIGNS
from sightline.query.transformer import QueryBuilder, syntax_error
from sightline.query.types import MAX_QUERY, Query, QueryError

__all__ = ["Line", "explain", "parse", "to_text"]

MAX_PARTS: Final = 1_000
"""Tokens of a query: far more than all the terms and filters that it may have need."""


def parse(text: str) -> Query:
    """What a text asks for.

    Raises:
        QueryError: the text is wrong; the message names the word, its place and what is right. `start`, `end` and
            `suggestion` say the same for programs.
    """
    if len(text) > MAX_QUERY:
        raise QueryError(
            f"The query has {len(text)} characters; the limit is {MAX_QUERY}. Shorten it.",
            start=MAX_QUERY, end=len(text),
        )  # fmt: skip
    try:
        return _parsed(text)
    except QueryError as error:
        raise _placed(error) from None


def parse_filters(text: str) -> Query:
    """Parse a query that may have filters only.

    Raises:
        QueryError: as of `parse`, or there is something to look for.
    """
    query = parse(text)
    if query.groups:
        raise QueryError(f"{text!r} has something to look for; only filters can be used here, as in date:2023.")
    return query


def to_text(query: Query) -> str:
    """The query in the query language. `parse` reads the same query back, whatever it is."""
    return str(query)


def _parsed(text: str) -> Query:
    parser, last = _parser().parse_interactive(text), None
    try:
        for number, last in enumerate(parser.iter_parse(), 1):
            if number > MAX_PARTS:
                raise QueryError(
                    f"The query has more than {MAX_PARTS:,} words, values and signs. Take some out; words without "
                    "quotes count as one.",
                    start=last.start_pos or 0, end=len(text),
                )  # fmt: skip
        made: Query = parser.feed_eof(last)  # type: ignore[no-untyped-call]
    except UnexpectedToken as error:  # every character begins some token, so nothing else can be unexpected
        raise syntax_error(error, text) from None
    return made


def _placed(error: QueryError) -> QueryError:
    """The error with its place in the sentence, counted from 1 as people do."""
    if error.start is None:
        return error
    message = f"{error} (Character {error.start + 1}.)"
    return QueryError(message, start=error.start, end=error.end, suggestion=error.suggestion)


@cache
def _parser() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    for name, signs in SIGNS.items():
        grammar = grammar.replace(f"<{name}>", signs.replace("/", r"\/"))
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=QueryBuilder())
