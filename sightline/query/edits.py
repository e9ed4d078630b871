"""Edits of a query: without one of its parts, with more or less like a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

from sightline.query.transformer import OPTIONS
from sightline.query.types import Group, Like, Query, Term, Words

_T = TypeVar("_T")

HINT: Final = 0.4  # of a text's weight; below `ranking.MINOR`


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

    Beside words it has a minor weight, as with `liked`: pictures like it go to the back, itself below the threshold.

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
