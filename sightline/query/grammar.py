"""The grammar of the query language at work: grammar.lark's rules, by lark, and what they make.

Apart from `parser`, as importing lark and building its tables takes 0.15 s, and plain words need neither.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from lark import Lark, UnexpectedToken

from sightline.query.keyboards import SIGNS
from sightline.query.transformer import QueryBuilder, syntax_error
from sightline.query.types import Query, QueryError

MAX_PARTS: Final = 1_000
"""Tokens of a query: far more than all the terms and filters that it may have need."""


def parsed(text: str) -> Query:
    """What a text asks for; errors have their place in `start` and `end` alone."""
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


@cache
def _parser() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    for name, signs in SIGNS.items():
        grammar = grammar.replace(f"<{name}>", signs.replace("/", r"\/"))
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=QueryBuilder())
