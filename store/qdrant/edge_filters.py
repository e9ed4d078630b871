"""Filters of Qdrant's REST interface as `qdrant_edge` takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import qdrant_edge

from store.qdrant.adapter import Filter


def edge_filter(filter_: Filter | None) -> Any:
    """A `qdrant_edge.Filter`; None for None.

    Raises:
        KeyError: a kind of condition that Sightline does not use.
    """
    if filter_ is None:
        return None
    given: dict[str, Any] = {clause: [_condition(each) for each in filter_[clause]] for clause in filter_}
    return qdrant_edge.Filter(**given)


def _condition(condition: Mapping[str, Any]) -> Any:
    if "has_id" in condition:
        return qdrant_edge.HasIdCondition(set(condition["has_id"]))  # a list is a TypeError
    if "has_vector" in condition:
        return qdrant_edge.HasVectorCondition(condition["has_vector"])
    if "nested" in condition:
        nested = condition["nested"]
        return qdrant_edge.NestedCondition(nested["key"], edge_filter(nested["filter"]))
    if "key" not in condition:
        return edge_filter(condition)
    (kind,) = condition.keys() - {"key"}
    return qdrant_edge.FieldCondition(condition["key"], **{kind: _KINDS[kind](condition[kind])})


def _match(match: Mapping[str, Any]) -> Any:
    ((kind, value),) = match.items()
    return _MATCHES[kind](value)


def _geo_radius(circle: Mapping[str, Any]) -> Any:
    centre = circle["center"]
    return qdrant_edge.GeoRadius(qdrant_edge.GeoPoint(lon=centre["lon"], lat=centre["lat"]), circle["radius"])


_MATCHES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "any": qdrant_edge.MatchAny, "value": qdrant_edge.MatchValue, "substring": qdrant_edge.MatchSubstring,
}  # fmt: skip
_KINDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "match": _match, "range": lambda limits: qdrant_edge.RangeFloat(**limits), "geo_radius": _geo_radius,
}  # fmt: skip
