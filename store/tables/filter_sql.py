"""Filters to content ids, through indexes that hold all that is asked of them, and one set at a time.

Each filter is one look-up in one index, so that its plan needs no statistics and can't go wrong; what they have in
common is found in numpy. Text is compared casefolded: file names and extensions are stored
so, and of folders, cameras and lenses, which are few, each distinct one is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Ids, Mask
from store.tables import id_sets, places_order
from store.tables.dialect import joined, unindexed
from store.tables.fact_filters import LEVEL
from store.tables.filters import (
    Choice,
    ContentFilter,
    Date,
    Ext,
    Favourite,
    Filter,
    Folder,
    Near,
    Number,
    PhotoFilter,
    Place,
    Real,
    Set,
    Tag,
    Text,
    Word,
    Written,
    casefolded,
)
from store.tables.patterns import Condition, folder_pattern, is_plain, name_condition, word_pattern
from store.tables.written import found_by
from store.time_limit import checked

FEW: Final = 20_000
"""Up to so many contents are looked up one by one; more are found by reading an index from end to end."""

_VALUES: Final = "(SELECT value FROM json_each(?))"
_TEXTS: Final = "(SELECT atom FROM json_each(?))"
_PRESENT: Final = "SELECT id, content_id FROM photos WHERE missing_since IS NULL"
# What a format is called, and how else it is spelt.
_SPELLINGS: Final = MappingProxyType({"jpeg": "jpg", "tiff": "tif", "heif": "heic"})


def column(connection: Connection, query: str, values: tuple[Any, ...] = ()) -> Ids:
    """The whole numbers `id` that a query gives, in its order, int64 (n,)."""
    return columns(connection, query, values, ("id",))[0]


def columns(connection: Connection, query: str, values: tuple[Any, ...], names: Sequence[str]) -> list[Ids]:
    """Columns of whole numbers that a query gives, in its order, each int64 (n,)."""
    # One text instead of a million Python objects: four times as fast as fetching rows.
    wanted = ", ".join(joined(connection, name) for name in names)
    row = connection.exec_driver_sql(f"SELECT {wanted} FROM ({query}) AS found", values).one()
    return [np.fromstring(cell, np.int64, sep=",") if cell else np.empty(0, np.int64) for cell in row]


def mask(ids: Ids, size: int) -> Mask:
    """The set of `ids` as bool (size,), where true; ids of `size` and above are left out."""
    found = np.zeros(size, np.bool_)
    found[ids[ids < size]] = True
    return found


def room(connection: Connection, table: Literal["photos", "contents"]) -> int:
    """How long a mask of all ids of a table is."""
    return int(connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").scalar_one())


def matching(connection: Connection, filters: Sequence[Filter]) -> Ids:
    """Ids of contents that a present photo holds and that pass all filters, sorted, int64 (n,).

    Raises:
        MarksError: a filter names a set that is not there any more.
    """
    # Ids are nearly dense: sets as masks cost a byte for each picture, need no sorting, and come out sorted.
    size = room(connection, "contents")
    of_contents = [filter_ for filter_ in filters if not isinstance(filter_, PhotoFilter)]
    if of_photos := photo_filters(filters):
        passing = mask(_passing(connection, of_photos)[1], size)
    else:
        # The first filter that keeps something, or else all there is, is what the rest is taken from.
        of_contents.sort(key=lambda filter_: filter_.negated)
        positive = bool(of_contents) and not of_contents[0].negated
        some = _contents(connection, of_contents.pop(0)) if positive else column(connection, "SELECT id FROM contents")
        passing = mask(some, size)
        passing[column(connection, "SELECT id FROM contents WHERE photo_count = 0")] = False
    for filter_ in of_contents:
        found = mask(_contents(connection, filter_), size)
        passing &= ~found if filter_.negated else found
    return np.flatnonzero(passing)


def photo_filters(filters: Iterable[Filter]) -> list[PhotoFilter]:
    """Those of the filters that speak of a photo's path."""
    return [filter_ for filter_ in filters if isinstance(filter_, PhotoFilter)]


def shown_photos(connection: Connection, filters: Sequence[Filter]) -> Ids:
    """The photo to show for each content.

    Of the present ones that pass the photo filters, the first by its path.

    Returns:
        int64 (n,): by content id, the photo's id, or 0 where there is none.
    """
    photos, contents = _passing(connection, photo_filters(filters))
    content_of = np.zeros(room(connection, "photos"), np.int64)
    content_of[photos] = contents
    size = room(connection, "contents")
    shown = np.zeros(size, np.int64)
    shown[contents] = photos
    copies = photos[(np.bincount(contents, minlength=size) > 1)[contents]]
    if len(copies):
        # Of several values for one place numpy keeps the last.
        ordered = places_order.in_order(connection, copies)[::-1]
        ordered = ordered[content_of[ordered] > 0]
        shown[content_of[ordered]] = ordered
    return shown


def _passing(connection: Connection, filters: Sequence[PhotoFilter]) -> tuple[Ids, Ids]:
    """Present photos that pass the filters, and their contents, in any order."""
    # Those that keep something first: the rest is then taken from less.
    rest = sorted(filters, key=lambda filter_: filter_.negated)
    first = rest.pop(0) if rest and not rest[0].negated else None
    photos, contents = _photos(connection, first)
    size = room(connection, "photos")
    for filter_ in rest:
        keep = mask(_photos(connection, filter_)[0], size)[photos] != filter_.negated
        photos, contents = photos[keep], contents[keep]
    return photos, contents


def _photos(connection: Connection, filter_: PhotoFilter | None) -> tuple[Ids, Ids]:
    """Return present photos that satisfy a filter, not negated, or all; and their contents.

    In any order.
    """
    query: str = _PRESENT
    values: tuple[Any, ...] = ()
    if filter_ is not None:
        where, values = photo_condition(connection, filter_, lambda: distinct(connection, "photos", "folder"))
        query = f"{_PRESENT} AND {where}"
    photos, contents = columns(connection, query, values, ("id", "content_id"))
    return photos, contents


def one_spelling(ext: str) -> str:
    """The extension that stands for all spellings of its format; `ext` is folded."""
    return _SPELLINGS.get(ext, ext)


def photo_condition(
    connection: Connection, filter_: PhotoFilter, folders: Callable[[], Iterable[str]]
) -> Condition:  # fmt: skip
    """Return what a filter, not negated, asks of a row of `photos`.

    `folders` gives the folders that may occur.
    """
    if isinstance(filter_, Folder):
        wanted = folder_pattern(filter_.names)
        return _one_of("folder", [folder for folder in checked(folders()) if wanted.search(casefolded(folder))])
    if isinstance(filter_, Ext):
        names = {one_spelling(casefolded(name)) for name in filter_.names}
        return _one_of("ext", sorted(names | {ext for ext, name in _SPELLINGS.items() if name in names}))
    parts = [name_condition(connection, pattern) for pattern in filter_.patterns]
    return "(" + " OR ".join(part[0] for part in parts) + ")", tuple(value for part in parts for value in part[1])


def _contents(connection: Connection, filter_: ContentFilter) -> Ids:
    """Contents that satisfy a filter, without its negation; in any order, and maybe twice."""
    match filter_:
        case Date():
            dated = f"SELECT id FROM contents WHERE taken_at >= ? AND taken_at < ? AND taken_at NOT IN {_TEXTS}"
            return column(connection, dated, (*filter_.bounds, json.dumps(filter_.undecided)))
        case Number() | Real():
            where = f"{filter_.row.column} BETWEEN ? AND ?"
            return column(connection, f"SELECT id FROM contents WHERE {where}", filter_.bounds)
        case Text():
            return _with_words(connection, filter_.row.column, filter_.names)
        case Choice():
            where, values = _one_of(filter_.row.column, list(filter_.names))
            return column(connection, f"SELECT id FROM contents WHERE {where}", values)
        case Place():
            from store.tables.place_sql import place_query  # it brings numpy arrays of all the world's towns

            return column(connection, *place_query(filter_, cache(partial(distinct, connection, "contents"))))
        case Near():
            return _near(connection, filter_)
        case Tag():
            where, values = _one_of("key", [casefolded(" ".join(name.split())) for name in filter_.names])
            of_tags = f"SELECT id FROM tags WHERE {where}"
            return column(connection, f"SELECT content_id AS id FROM content_tags WHERE tag_id IN ({of_tags})", values)
        case Word():
            return _with_word(connection, filter_.row.kind, filter_.names)
        case Written():
            return column(connection, *found_by(connection, filter_.row.columns, filter_.names))
        case Favourite():
            return column(connection, "SELECT content_id AS id FROM favourites")
        case Set():
            return _chosen(connection, filter_.names)


def _chosen(connection: Connection, names: Sequence[str]) -> Ids:
    """Contents in any of these sets; those that were pruned since are not.

    Raises:
        MarksError: there is no set of one of the names.
    """
    ids = np.concatenate([id_sets.get(connection, name) for name in names])
    if len(ids) <= FEW:
        return column(connection, f"SELECT id FROM contents WHERE id IN {_VALUES}", (json.dumps(ids.tolist()),))
    there: Mask = mask(column(connection, "SELECT id FROM contents"), int(ids.max()) + 1)[ids]
    return ids[there]


def _with_words(connection: Connection, fact: str, names: Sequence[str]) -> Ids:
    wanted = [casefolded(name).split() for name in names]
    values = [
        value
        for value in checked(distinct(connection, "contents", fact))
        if any(all(word in folded for word in words) for folded in [casefolded(value)] for words in wanted)
    ]
    where, bound = _one_of(fact, values)
    return column(connection, f"SELECT id FROM contents WHERE {where}", bound)


def _with_word(connection: Connection, kind: str, names: Sequence[str]) -> Ids:
    tidy = [LEVEL.join(" ".join(level.split()) for level in name.split(LEVEL)) for name in names]
    keys = [casefolded(name) for name in tidy if is_plain(name) and LEVEL not in name]
    if len(keys) < len(tidy):
        wanted = word_pattern(tidy)
        known = connection.exec_driver_sql("SELECT key FROM words WHERE kind = ?", (kind,)).scalars()
        keys = [key for key in checked(known) if wanted.search(f"{LEVEL}{key}{LEVEL}")]
    where, values = _one_of("key", keys)
    of_words = f"SELECT id FROM words WHERE kind = ? AND {where}"
    having = f"SELECT content_id AS id FROM content_words WHERE word_id IN ({of_words})"
    return column(connection, having, (kind, *values))


def _one_of(name: str, values: Sequence[str]) -> Condition:
    return f"{name} IN {_TEXTS}", (json.dumps(values),)


def distinct(connection: Connection, table: str, name: str) -> list[str]:
    """Return the distinct values of a column, in order, with one seek of its index each.

    SQLite's DISTINCT reads every row.
    """
    there = "missing_since IS NULL" if table == "photos" else f"{name} IS NOT NULL"
    least = f"SELECT min({name}) FROM {table} WHERE {there}"
    query = (
        f"WITH RECURSIVE seen (value) AS ({least} UNION ALL SELECT ({least} AND {name} > seen.value) FROM seen "
        "WHERE seen.value IS NOT NULL) SELECT value FROM seen WHERE value IS NOT NULL"
    )
    return [row[0] for row in connection.exec_driver_sql(query)]


def _near(connection: Connection, near: Near) -> Ids:
    from store.tables.geo import box, kilometres  # no other filter needs it

    where, values = box(near)
    rows = connection.exec_driver_sql(f"SELECT id, latitude, longitude FROM contents WHERE {where}", values).all()
    if not rows:
        return np.empty(0, np.int64)
    ids, latitudes, longitudes = zip(*rows, strict=True)
    distances = kilometres(near.latitude, near.longitude, np.array(latitudes), np.array(longitudes))
    return np.array(ids, np.int64)[distances <= near.kilometres]


# -- what is shown ----------------------------------------------------------------------------------------------


def photos_of(connection: Connection, ids: str, filters: Sequence[Filter]) -> Condition:
    """Return which photos may be shown for contents: present, and passing the photo filters.

    `ids` is a JSON array.
    """
    mine = f"content_id IN {_VALUES} AND missing_since IS NULL"
    parts, values = [mine], [ids]

    def folders() -> list[str]:
        query = f"SELECT DISTINCT folder FROM photos WHERE {mine}"
        return [row[0] for row in connection.exec_driver_sql(query, (ids,))]

    for filter_ in photo_filters(filters):
        part, bound = photo_condition(connection, filter_, folders)
        parts.append(f"NOT {part}" if filter_.negated else part)
        values.extend(bound)
    return " AND ".join(parts), tuple(values)


FactOrder = Literal["date", "oldest", "added", "name"]
"""An order by facts: by the date taken, newest or oldest first; by when indexed, newest first; by file name."""


def ordered(connection: Connection, ids: Ids, by: FactOrder, filters: Sequence[Filter]) -> Ids:
    """Order contents, int64 (n,), by facts; names are the casefolded ones of the photos shown.

    Ties by id. Last, by id, come those without a date, or without a photo that passes the photo filters.
    """
    if by == "added":
        return np.sort(ids)[::-1]  # ids are given in the order in which contents are indexed, and never again
    if by in ("date", "oldest"):
        some = _by_date(connection, ids if len(ids) <= FEW else None, "DESC" if by == "date" else "ASC")
    else:
        some = _by_name_few(connection, ids, filters) if len(ids) <= FEW else _by_name(connection, filters)
    rest = mask(ids, int(ids.max(initial=0)) + 1)
    some = some[some < len(rest)]
    some = some[rest[some]]
    rest[some] = False
    return np.concatenate([some, np.flatnonzero(rest)])


def _by_date(connection: Connection, ids: Ids | None, way: Literal["ASC", "DESC"]) -> Ids:
    """Dated contents in the order of their dates; of `ids`, int64 (n,), looked up one by one, or all."""
    order = f"ORDER BY taken_at {way}, id"
    if ids is None:
        return column(connection, f"SELECT id FROM contents WHERE taken_at IS NOT NULL {order}")
    mine = f"id IN {_VALUES} AND {unindexed(connection, 'taken_at')} IS NOT NULL"
    return column(connection, f"SELECT id FROM contents WHERE {mine} {order}", (json.dumps(ids.tolist()),))


def _by_name(connection: Connection, filters: Sequence[Filter]) -> Ids:
    photos, contents = columns(connection, f"{_PRESENT} ORDER BY name, content_id", (), ("id", "content_id"))
    keep: Mask = shown_photos(connection, filters)[contents] == photos
    return contents[keep]


def _by_name_few(connection: Connection, ids: Ids, filters: Sequence[Filter]) -> Ids:
    where, values = photos_of(connection, json.dumps(ids.tolist()), filters)
    rest = f"FROM photos JOIN roots ON roots.id = root_id WHERE {where}"
    shown = places_order.first(connection, "content_id", "content_id AS id, name", rest)
    return column(connection, f"SELECT id FROM ({shown}) AS shown ORDER BY name, id", values)
