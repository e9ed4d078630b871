"""Queries that may have filters only."""

from __future__ import annotations

from sightline.query.parser import parse
from sightline.query.types import Query, QueryError


def filters_only(text: str) -> Query:
    """Parse a query that may have filters only.

    Raises:
        QueryError: the text can't be read, or has something to look for.
    """
    query = parse(text)
    if query.groups:
        raise QueryError(f"{text!r} has something to look for; only filters can be used here, as in date:2023.")
    return query
