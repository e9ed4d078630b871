"""What a library can be narrowed by: its years, cameras and folders, and how many pictures each has."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from store.selection import FEW, Ids, Mask, column, distinct, mask, matching, room

Counted = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Facets:
    """Values of facts, each with the number of pictures that have it.

    Attributes:
        years: newest first, as in "2023".
        cameras: make and model, most frequent first.
        folders: from the root's own name down, as in "photos/trips/2023"; a picture counts once for each folder that
            it lies in, at any depth. Most frequent first.
    """

    years: Counted
    cameras: Counted
    folders: Counted


def facets(connection: Connection, only: Ids | None, limit: int) -> Facets:
    """Facets of the contents `only`, or of all that a present photo holds; at most `limit` cameras and folders."""
    if only is not None and len(only) <= FEW:
        years, cameras, folders = _of_few(connection, json.dumps(only.tolist()))
    else:
        size = room(connection, "contents")
        wanted = mask(matching(connection, ()) if only is None else only, size)
        years, cameras, folders = _years(connection, wanted), _cameras(connection, wanted), _folders(connection, wanted)
    return Facets(
        tuple(sorted((pair for pair in years.items() if pair[1]), reverse=True)),
        _most(cameras, limit),
        _most(folders, limit),
    )


def _of_few(connection: Connection, ids: str) -> tuple[Counter[str], Counter[str], Counter[str]]:
    mine = "IN (SELECT value FROM json_each(?))"
    rows = connection.exec_driver_sql(f"SELECT substr(taken_at, 1, 4), camera FROM contents WHERE id {mine}", (ids,))
    years, cameras = Counter[str](), Counter[str]()
    for year, camera in rows:
        years.update([year] if year else [])
        cameras.update([camera] if camera else [])
    # +: the index on folders is no help here, but SQLite without statistics may think so.
    query = f"SELECT folder, content_id FROM photos WHERE content_id {mine} AND +missing_since IS NULL"
    held: dict[str, set[int]] = {}
    for folder, content in connection.exec_driver_sql(query, (ids,)):
        for name in _ancestors(folder):
            held.setdefault(name, set()).add(content)
    return years, cameras, Counter({name: len(contents) for name, contents in held.items()})


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


def _cameras(connection: Connection, wanted: Mask) -> Counter[str]:
    taken = "SELECT id FROM contents WHERE camera = ?"
    cameras = distinct(connection, "contents", "camera")
    return Counter({camera: _count(column(connection, taken, (camera,)), wanted) for camera in cameras})


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
    held: dict[str, set[int]] = {}
    for place, content in zip(places[copied].tolist(), contents[copied].tolist(), strict=True):
        for folder in _ancestors(names[place]):
            held.setdefault(folder, set()).add(content)
    found.update({folder: len(contents) for folder, contents in held.items()})
    return found


def _ancestors(folder: str) -> list[str]:
    """ "/photos/trips/" is in "photos" and in "photos/trips"."""
    parts = folder.strip("/").split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1) if parts[0]]


def _most(counted: Counter[str], limit: int) -> Counted:
    there = [pair for pair in counted.items() if pair[1]]
    return tuple(sorted(there, key=lambda pair: (-pair[1], pair[0]))[:limit])
