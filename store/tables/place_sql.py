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
from store.time_limit import checked

_FACTS = ("town", "region", "country")

Distinct = Callable[[str], Sequence[str]]
"""Gives the distinct values of a fact."""


def place_query(place: Place, distinct: Distinct) -> Condition:
    """The query for contents that satisfy a filter, not negated, by `id`; some maybe twice."""
    if place.column is not None:
        return _named(place.column, [wanted_in(place.column, name) for name in place.names], distinct)
    # All names as a whole at once: SQLite joins 500 queries at most.
    meant = [wanted_places(name) for name in place.names]
    whole = [_named(fact, [wanted[0] for wanted in meant], distinct) for fact in _FACTS]
    return _any_of([*whole, *(_in_parts(wanted[1:], distinct) for wanted in meant if len(wanted) > 1)])


def _in_parts(parts: Sequence[Wanted], distinct: Distinct) -> Condition:
    """The query for a name with commas, part by part: all of them must be there."""
    first, *rest = [_any_of([_named(fact, [wanted], distinct) for fact in _FACTS]) for wanted in parts]
    where = " AND ".join(f"id IN ({query})" for query, _ in rest)
    values = (*first[1], *(value for _, bound in rest for value in bound))
    return f"SELECT id FROM ({first[0]}) AS held WHERE {where}", values


def _named(fact: str, wanted: Sequence[Wanted], distinct: Distinct) -> Condition:
    values = [value for value in checked(distinct(fact)) if any(each.suits(fact, value) for each in wanted)]
    return f"SELECT id FROM contents WHERE {fact} IN (SELECT atom FROM json_each(?))", (json.dumps(values),)


def _any_of(queries: Sequence[Condition]) -> Condition:
    values: tuple[Any, ...] = tuple(value for _, bound in queries for value in bound)
    return " UNION ALL ".join(query for query, _ in queries), values
