"""What a library can be narrowed by: years, cameras, folders and more, and how many pictures each has."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Ids, Mask
from store.tables.filter_sql import FEW, column, columns, distinct, mask, matching, one_spelling, room

Counted = tuple[tuple[str, int], ...]
_Kinds = dict[str, Counter[str]]

_OPEN: Final = ("cameras", "lenses", "folders", "exts", "tags")


@dataclass(frozen=True, slots=True)
class Facets:
    """Values of facts, each with the number of pictures that have it; the most frequent first unless said otherwise.

    Attributes:
        years: newest first, as in "2023".
        cameras: make and model.
        lenses: as cameras name them.
        folders: from the root's own name down, as in "photos/trips/2023"; a picture counts once for each folder that
            it lies in, at any depth.
        exts: what file names end with, folded, without the dot; a picture counts once for each. Two spellings of one
            format are one, as for the filter `ext:`, under the shorter or more usual of them.
        shapes: "landscape", "portrait" and "square".
        tags: their names.
        favourites: how many are.
    """

    years: Counted
    cameras: Counted
    lenses: Counted
    folders: Counted
    exts: Counted
    shapes: Counted
    tags: Counted
    favourites: int


def facets(connection: Connection, only: Ids | None, limit: int) -> Facets:
    """Facets of the contents `only`, or of all that a present photo holds.

    At most `limit` cameras, lenses, folders, extensions and tags each.
    """
    if only is not None and len(only) <= FEW:
        kinds, favourites = _of_few(connection, json.dumps(only.tolist()))
    else:
        size = room(connection, "contents")
        kinds, favourites = _of_many(connection, mask(matching(connection, ()) if only is None else only, size))
    years = tuple(sorted((pair for pair in kinds.pop("years").items() if pair[1]), reverse=True))
    most = {kind: _most(counted, limit if kind in _OPEN else None) for kind, counted in kinds.items()}
    return Facets(years=years, favourites=favourites, **most)


def _of_few(connection: Connection, ids: str) -> tuple[_Kinds, int]:
    mine = "IN (SELECT value FROM json_each(?))"
    facts = ("years", "cameras", "lenses", "shapes")
    found: _Kinds = {kind: Counter() for kind in facts}
    query = f"SELECT substr(taken_at, 1, 4), camera, lens, shape FROM contents WHERE id {mine}"
    for row in connection.exec_driver_sql(query, (ids,)):
        for kind, value in zip(facts, row, strict=True):
            if value:
                found[kind][value] += 1
    # +: the index on folders is no help here, but SQLite without statistics may think so.
    query = f"SELECT folder, ext, content_id FROM photos WHERE content_id {mine} AND +missing_since IS NULL"
    folders, exts = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for folder, ext, content in connection.exec_driver_sql(query, (ids,)):
        for name in _ancestors(folder):
            folders[name].add(content)
        if ext:
            exts[one_spelling(ext)].add(content)
    tagged = (
        f"SELECT name, count(*) FROM content_tags JOIN tags ON tags.id = tag_id WHERE content_id {mine} GROUP BY tag_id"
    )
    tags = Counter({row[0]: row[1] for row in connection.exec_driver_sql(tagged, (ids,))})
    favourites = f"SELECT count(*) FROM favourites WHERE content_id {mine}"
    found |= {"folders": _sizes(folders), "exts": _sizes(exts), "tags": tags}
    return found, int(connection.exec_driver_sql(favourites, (ids,)).scalar_one())


def _of_many(connection: Connection, wanted: Mask) -> tuple[_Kinds, int]:
    found = {
        "years": _years(connection, wanted),
        "cameras": _values(connection, "camera", wanted),
        "lenses": _values(connection, "lens", wanted),
        "shapes": _values(connection, "shape", wanted),
        "folders": _folders(connection, wanted),
        "exts": _exts(connection, wanted),
        "tags": _tags(connection, wanted),
    }
    return found, _count(column(connection, "SELECT content_id AS id FROM favourites"), wanted)


def _sizes(held: Mapping[str, set[int]]) -> Counter[str]:
    return Counter({name: len(contents) for name, contents in held.items()})


def _years(connection: Connection, wanted: Mask) -> Counter[str]:
    # "~" sorts after every time of the year: one seek finds the next.
    least = "SELECT substr(min(taken_at), 1, 4) FROM contents WHERE taken_at IS NOT NULL"
    query = (
        f"WITH RECURSIVE seen (year) AS ({least} UNION ALL SELECT ({least} AND taken_at > seen.year || '~') FROM seen "
        "WHERE seen.year IS NOT NULL) SELECT year FROM seen WHERE year IS NOT NULL"
    )
    dated = "SELECT id FROM contents WHERE taken_at >= ? AND taken_at < ?"
    years = connection.exec_driver_sql(query).scalars().all()
    return Counter({year: _count(column(connection, dated, (year, f"{year}~")), wanted) for year in years})


def _values(connection: Connection, fact: str, wanted: Mask) -> Counter[str]:
    having = f"SELECT id FROM contents WHERE {fact} = ?"
    values = distinct(connection, "contents", fact)
    return Counter({value: _count(column(connection, having, (value,)), wanted) for value in values})


def _exts(connection: Connection, wanted: Mask) -> Counter[str]:
    there = "SELECT content_id AS id FROM photos WHERE missing_since IS NULL AND ext = ?"
    held: dict[str, Mask] = {}
    for ext in filter(None, distinct(connection, "photos", "ext")):
        found = mask(column(connection, there, (ext,)), len(wanted))
        name = one_spelling(ext)
        held[name] = held[name] | found if name in held else found
    return Counter({name: int(np.count_nonzero(found & wanted)) for name, found in held.items()})


def _tags(connection: Connection, wanted: Mask) -> Counter[str]:
    tags, contents = columns(connection, "SELECT tag_id, content_id FROM content_tags", (), ("tag_id", "content_id"))
    counts = np.bincount(tags[wanted[contents]])
    named = connection.exec_driver_sql("SELECT id, name FROM tags").all()
    return Counter({name: int(counts[id_]) for id_, name in named if id_ < len(counts)})


def _count(ids: Ids, wanted: Mask) -> int:
    return int(np.count_nonzero(wanted[ids]))


def _folders(connection: Connection, wanted: Mask) -> Counter[str]:
    names = distinct(connection, "photos", "folder")
    # In the order of `names`: how many photos each has says whose each content is.
    there = "FROM photos WHERE missing_since IS NULL"
    lengths = column(connection, f"SELECT count(*) AS id {there} GROUP BY folder ORDER BY folder")
    contents = column(connection, f"SELECT content_id AS id {there} ORDER BY folder, content_id")
    keep = wanted[contents]
    places, contents = np.repeat(np.arange(len(names)), lengths)[keep], contents[keep]
    # Those with copies may lie twice in a folder that holds both: they are counted apart, and are few.
    copied = np.bincount(contents, minlength=1)[contents] > 1
    found: Counter[str] = Counter()
    for name, count in zip(names, np.bincount(places[~copied], minlength=len(names)).tolist(), strict=True):
        for folder in _ancestors(name):
            found[folder] += count
    held = defaultdict[str, set[int]](set)
    for place, content in zip(places[copied].tolist(), contents[copied].tolist(), strict=True):
        for folder in _ancestors(names[place]):
            held[folder].add(content)
    found.update(_sizes(held))
    return found


def _ancestors(folder: str) -> list[str]:
    """ "/photos/trips/" is in "photos" and in "photos/trips"."""
    parts = folder.strip("/").split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1) if parts[0]]


def _most(counted: Counter[str], limit: int | None) -> Counted:
    there = [pair for pair in counted.items() if pair[1]]
    return tuple(sorted(there, key=lambda pair: (-pair[1], pair[0]))[:limit])
