"""The query language: a text to a `Query`, and back. docs/search.md describes it; query.lark is its grammar."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from lark import Lark, UnexpectedToken

from search_ui.explaining import Line, explain
from search_ui.query import MAX_QUERY, Group, Like, Query, QueryError, Term, Words
from search_ui.reader import OPTIONS, Reader, syntax_error

__all__ = ["Line", "disliked", "explain", "liked", "parse", "to_text", "without"]

_T = TypeVar("_T")

HINT: Final = 0.4  # of a text's weight; below `ranking.MINOR`


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
        return _read(text)
    except QueryError as error:
        raise _placed(error) from None


def to_text(query: Query) -> str:
    """The query in the query language. `parse` reads the same query back, whatever it is."""
    return str(query)


def without(query: Query, index: int) -> Query:
    """The query without what line `index` of its explanation shows.

    Raises:
        IndexError: there is no such line.
    """
    groups, filters = len(query.groups), len(query.filters)
    options = [name for name in OPTIONS if getattr(query, name) != getattr(Query(), name)]
    if not 0 <= index < groups + filters + len(options):
        raise IndexError(f"the query {query} has no line {index}")
    if index < groups:
        return replace(query, groups=_but(query.groups, index))
    if index < groups + filters:
        return replace(query, filters=_but(query.filters, index - groups))
    name = options[index - groups - filters]
    return replace(query, **{name: getattr(Query(), name)})


def liked(query: Query, content_id: int) -> Query:
    """The query with more like a picture of the library; without that, where it asks for it already.

    Beside words the picture gets a minor weight: it draws what is like it to the front, and cuts nothing off.

    Raises:
        QueryError: no picture has such an id, or there are too many terms.
    """
    return _toggled(query, content_id, excluded=False)


def disliked(query: Query, content_id: int) -> Query:
    """The query with less like a picture of the library; without that, where it asks for it already.

    Beside words it has a minor weight, as with `liked`: pictures like it go to the back, itself below the line.

    Raises:
        QueryError: no picture has such an id, or there are too many terms.
    """
    return _toggled(query, content_id, excluded=True)


def _toggled(query: Query, content_id: int, *, excluded: bool) -> Query:
    subject = Like(content_id)
    about = [group for group in query.groups if len(group.any_of) == 1 and group.any_of[0].subject == subject]
    rest = tuple(group for group in query.groups if group not in about)
    if any(group.excluded is excluded for group in about):
        return replace(query, groups=rest)
    words = [
        term.weight for group in rest if not group.excluded for term in group.any_of if isinstance(term.subject, Words)
    ]
    return replace(query, groups=(*rest, Group((Term(subject, HINT * max(words) if words else 1.0),), excluded)))


def _but(items: tuple[_T, ...], index: int) -> tuple[_T, ...]:
    return items[:index] + items[index + 1 :]


def _read(text: str) -> Query:
    try:
        made: Query = _parser().parse(text)  # type: ignore[assignment]
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
    grammar = (Path(__file__).parent / "query.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=Reader())
