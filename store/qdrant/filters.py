"""Filters as Qdrant asks for them.

What they mean is said by `store.tables.filter_sql`; both keep the same contents.

A filter names few distinct values: folders, cameras, tags. They are looked up in the tables, as SQL does it, and sent
along. What can't be written so is asked of the tables, and its ids are sent along, up to a limit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Final

from sqlalchemy.engine import Connection

from store.arrays import Ids
from store.qdrant.adapter import Filter
from store.qdrant.points import YES, date_number
from store.tables import filter_sql
from store.tables.fact_filters import LEVEL
from store.tables.fact_table import LARGEST
from store.tables.filters import (
    Choice,
    ContentFilter,
    Date,
    Ext,
    Favourite,
    Folder,
    Name,
    Near,
    Number,
    PhotoFilter,
    Place,
    Real,
    Tag,
    Text,
    Word,
    casefolded,
)
from store.tables.filters import Filter as Asked
from store.tables.patterns import is_plain, word_pattern
from store.time_limit import checked

MOST_VALUES: Final = 5_000
"""A filter that stands for more values is asked of the tables."""

_TEXTS: Final = "(SELECT atom FROM json_each(?))"
_PRECISE: Final = 2**53  # ranges are compared as double precision
# Beyond it a circle may hold a pole or both ends of the map; few ask for that.
_WIDEST_KM: Final = 2_000.0


class TooManyError(Exception):
    """A filter would send along more ids than the limit."""


def conditions(connection: Connection, filters: Sequence[Asked], most_ids: int) -> Filter:
    """A filter that passes exactly the contents that `filter_sql.matching` gives.

    Args:
        connection: to the library's database.
        filters: all must hold.
        most_ids: that a filter may send along.

    Raises:
        TooManyError: one of them would send more.
        MarksError: a filter names a set that is not there any more.
    """
    of_photos = filter_sql.photo_filters(filters)
    kept: list[Filter] = _photos(connection, of_photos, most_ids)
    removed: list[Filter] = []
    for filter_ in filters:
        if isinstance(filter_, PhotoFilter):
            continue
        found = _content(connection, filter_)
        if found is None:
            found = _ids(filter_sql.matching(connection, [replace(filter_, negated=False)]), most_ids)
        (removed if filter_.negated else kept).append(found)
    return {"must": kept, "must_not": removed}


def _photos(connection: Connection, filters: Sequence[PhotoFilter], most_ids: int) -> list[Filter]:
    """What one and the same present photo has to satisfy."""
    if not filters:
        return [{"key": "here", "match": {"value": YES}}]
    clauses: dict[str, list[Filter]] = {"must": [], "must_not": []}
    for filter_ in filters:
        found = _photo(connection, filter_)
        if found is None:
            return [_ids(filter_sql.matching(connection, filters), most_ids)]
        clauses["must_not" if filter_.negated else "must"].append(found)
    return [{"nested": {"key": "photos", "filter": clauses}}]


def _photo(connection: Connection, filter_: PhotoFilter) -> Filter | None:
    """What a filter, not negated, asks of a photo; None where Qdrant can't say."""
    match filter_:
        case Folder():
            _, (folders,) = filter_sql.photo_condition(
                connection, filter_, lambda: filter_sql.distinct(connection, "photos", "folder")
            )
            return _any("folder", json.loads(folders))
        case Ext():
            _, (names,) = filter_sql.photo_condition(connection, filter_, list)
            return _any("ext", json.loads(names))
        case Name():
            folded = [casefolded(pattern) for pattern in filter_.patterns]
            if any(char in pattern for pattern in folded for char in "*?["):
                return None  # a glob
            return {"should": [
                {"must": [{"key": "name", "match": {"substring": word}} for word in pattern.split()]}
                for pattern in folded
            ]}  # fmt: skip


def _content(connection: Connection, filter_: ContentFilter) -> Filter | None:
    """What a filter asks of a content, without its negation; None where Qdrant can't say."""
    match filter_:
        case Date():
            return _date(filter_)
        case Number():
            low, high = filter_.bounds
            return _range(filter_.row.column, low, None if high == LARGEST else high)
        case Real():
            return _range(filter_.row.column, filter_.bounds[0], filter_.bounds[1])
        case Text():
            return _any(filter_.row.column, _with_words(connection, filter_.row.column, filter_.names))
        case Choice():
            return _any(filter_.row.column, filter_.names)
        case Place():
            return _place(filter_, cache(partial(filter_sql.distinct, connection, "contents")))
        case Near():
            if filter_.kilometres > _WIDEST_KM:
                return None
            centre = {"lat": filter_.latitude, "lon": filter_.longitude}
            return {"key": "where", "geo_radius": {"center": centre, "radius": filter_.kilometres * 1000}}
        case Tag():
            keys = [casefolded(" ".join(name.split())) for name in filter_.names]
            tags = connection.exec_driver_sql(f"SELECT id FROM tags WHERE key IN {_TEXTS}", (json.dumps(keys),))
            return _any("tags", list(tags.scalars()))
        case Word():
            return _any("words", _words(connection, filter_.row.kind, filter_.names))
        case Favourite():
            return {"key": "favourite", "match": {"value": YES}}
        case _:
            return None


def _any(key: str, values: Sequence[str] | Sequence[int]) -> Filter | None:
    return {"key": key, "match": {"any": list(values)}} if len(values) <= MOST_VALUES else None


def _ids(ids: Ids, most: int) -> Filter:
    if len(ids) > most:
        raise TooManyError
    return {"has_id": ids.tolist()}


def _range(key: str, low: float, high: float | None) -> Filter | None:
    if low >= _PRECISE or (high is not None and _PRECISE <= high < math.inf):
        return None
    return {"key": key, "range": {"gte": low} if high is None or high == math.inf else {"gte": low, "lte": high}}


def _date(date: Date) -> Filter:
    first, last = date.first and date_number(date.first), date.last and date_number(date.last, "9")
    limits = {name: limit for name, limit in (("gte", first), ("lte", last)) if limit is not None}
    undecided = [date_number(each) for each in date.undecided]
    asked: Filter = {"key": "taken", "range": limits}
    return {"must": [asked], "must_not": [{"key": "taken", "match": {"any": undecided}}]} if undecided else asked


def _with_words(connection: Connection, fact: str, names: Sequence[str]) -> list[str]:
    """The distinct values of a text fact that have all words of one of the names."""
    wanted = [casefolded(name).split() for name in names]
    return [
        value
        for value in checked(filter_sql.distinct(connection, "contents", fact))
        if any(all(word in folded for word in words) for folded in [casefolded(value)] for words in wanted)
    ]


def _words(connection: Connection, kind: str, names: Sequence[str]) -> list[int]:
    """The ids of the words that are meant: whole levels, with wildcards."""
    tidy = [LEVEL.join(" ".join(level.split()) for level in name.split(LEVEL)) for name in names]
    plain = {casefolded(name) for name in tidy if is_plain(name) and LEVEL not in name}
    wanted = word_pattern(tidy) if len(plain) < len(tidy) else None
    known = connection.exec_driver_sql("SELECT id, key FROM words WHERE kind = ?", (kind,))
    return [
        id_ for id_, key in checked(known)
        if key in plain or (wanted is not None and wanted.search(f"{LEVEL}{key}{LEVEL}"))
    ]  # fmt: skip


def _place(place: Place, distinct: Callable[[str], Sequence[str]]) -> Filter | None:
    from store.places.names import Wanted, wanted_in, wanted_places  # it brings numpy arrays of all the world's towns

    def named(wanted: Wanted, facts: Sequence[str] = ("town", "region", "country")) -> Filter | None:
        found = [
            _any(fact, [value for value in checked(distinct(fact)) if wanted.suits(fact, value)]) for fact in facts
        ]
        return None if None in found else {"should": found}

    if place.column is not None:
        any_of = [named(wanted_in(place.column, name), (place.column,)) for name in place.names]
    else:
        any_of = []
        for meant in map(wanted_places, place.names):
            any_of.append(named(meant[0]))
            parts = [named(part) for part in meant[1:]]
            if parts:
                any_of.append(None if None in parts else {"must": parts})
    return None if None in any_of else {"should": any_of}
