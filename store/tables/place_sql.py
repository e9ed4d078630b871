"""Filters on the names of places as SQL.

A library has few distinct names: each is looked at, and those that are meant are looked up in the index of their fact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from store.places.names import Wanted, wanted_in, wanted_places
from store.tables.fact_filters import Place
from store.tables.patterns import Condition

_FACTS = ("town", "region", "country")

Distinct = Callable[[str], Sequence[str]]
"""Gives the distinct values of a fact."""


def place_query(place: Place, distinct: Distinct) -> Condition:
    """The query for contents that satisfy a filter, not negated, by `id`; some maybe twice."""
    if place.column is not None:
        return _named(place.column, [wanted_in(place.column, name) for name in place.names], distinct)
    return _any_of([_in_place(name, distinct) for name in place.names])


def _in_place(name: str, distinct: Distinct) -> Condition:
    """The query for one name, as a whole, or part by part with commas between: all of them must be there."""
    whole, *parts = [_any_of([_named(fact, [wanted], distinct) for fact in _FACTS]) for wanted in wanted_places(name)]
    if not parts:
        return whole
    first, *rest = parts
    where = " AND ".join(f"id IN ({query})" for query, _ in rest)
    values = (*first[1], *(value for _, bound in rest for value in bound))
    return _any_of([whole, (f"SELECT id FROM ({first[0]}) WHERE {where}", values)])


def _named(fact: str, wanted: Sequence[Wanted], distinct: Distinct) -> Condition:
    values = [value for value in distinct(fact) if any(each.suits(fact, value) for each in wanted)]
    return f"SELECT id FROM contents WHERE {fact} IN (SELECT value FROM json_each(?))", (json.dumps(values),)


def _any_of(queries: Sequence[Condition]) -> Condition:
    values: tuple[Any, ...] = tuple(value for _, bound in queries for value in bound)
    return " UNION ALL ".join(query for query, _ in queries), values
