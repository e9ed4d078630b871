"""The query language: a text to a `Query`, and back.

docs/search.md describes it; grammar.lark is its grammar.
"""

from __future__ import annotations

import re
from typing import Final

from sightline.query.explain import Line, explain
from sightline.query.keyboards import OR
from sightline.query.types import MAX_QUERY, MAX_TEXT, Group, Query, QueryError, Term, Words

__all__ = ["Line", "explain", "parse", "to_text"]

# Letters and digits, and single spaces between them: nothing that could be a sign of the language.
_PLAIN: Final = re.compile(r"[^\W_]+(?: [^\W_]+)*")


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
    if _is_plain(text):
        return Query((Group((Term(Words(text)),)),))
    from sightline.query.grammar import parsed

    try:
        return parsed(text)
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


def _is_plain(text: str) -> bool:
    """Whether a text is nothing but words: most queries are, and are read without the grammar."""
    return len(text) <= MAX_TEXT and _PLAIN.fullmatch(text) is not None and set(OR.split("|")).isdisjoint(text.split())


def _placed(error: QueryError) -> QueryError:
    """The error with its place in the sentence, counted from 1 as people do."""
    if error.start is None:
        return error
    message = f"{error} (Character {error.start + 1}.)"
    return QueryError(message, start=error.start, end=error.end, suggestion=error.suggestion)
