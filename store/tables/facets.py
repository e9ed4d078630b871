"""What a library can be narrowed by: years, cameras, folders and more, and how many pictures each has."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Ids, Mask
from store.tables.dialect import unindexed
from store.tables.fact_filters import LEVEL
from store.tables.fact_table import FACET_NAMES, FACT_FILTERS, FILTERS, ChoiceKey, NumberKey, WordKey
from store.tables.filter_sql import FEW, column, columns, distinct, mask, matching, one_spelling, room

Counted = tuple[tuple[str, int], ...]
_Kinds = dict[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class Facets:
    """Values of facts, each with the number of pictures that have it.

    Attributes:
        values: by the names of `fact_table.FACET_NAMES`; the most frequent first, years and numbers from the greatest.
            A picture counts once for each folder that it lies in, at any depth, as in "photos/trips/2023", once for
            each extension, and once for each level of its keywords. Two spellings of one format are one, as for the
            filter `ext:`, under the more usual of them.
        favourites: how many are.
    """

    values: Mapping[str, Counted]
    favourites: int

    def __getitem__(self, name: str) -> Counted:
        return self.values[name]


# Of each kind but these there may be any number of values.
_FEW_VALUES: Final = {row.facet.name for row in FACT_FILTERS if row.facet is not None and isinstance(row, ChoiceKey)}
_BY_VALUE: Final = {row.facet.name for row in FACT_FILTERS if row.facet is not None and isinstance(row, NumberKey)}
_COLUMNS: Final = {row.facet.name: row.column for row in FACT_FILTERS if row.facet is not None}
_KINDS: Final = {
    row.kind: row.facet.name for row in FILTERS.values() if isinstance(row, WordKey) and row.facet is not None
}
# Keywords with several levels are counted by each of them.
_LEVELS: Final = f"instr(name, '{LEVEL}') = 0"

_MINE: Final = "IN (SELECT value FROM json_each(?))"


def facets(connection: Connection, only: Ids | None, limit: int, *, with_folders: bool = True) -> Facets:
    """Facets of the contents `only`, or of all that a present photo holds.

    At most `limit` values of each kind that is open; there are as many years and choices as there are. Without folders
    there are none of those: see `folders`.
    """
    counted: _Kinds
    if only is not None and len(only) <= FEW:
        counted, favourites = _of_few(connection, json.dumps(only.tolist()))
    else:
        counted, favourites = _of_many(connection, _mask_of(connection, only))
    counted["folders"] = folders(connection, only) if with_folders else Counter()
    return Facets({name: _listed(name, counted[name], limit) for name in FACET_NAMES}, favourites)


def folders(connection: Connection, only: Ids | None) -> Counter[str]:
    """How many of the contents `only`, or of all, each folder holds at any depth."""
    if only is None or len(only) > FEW:
        return _folders(connection, _mask_of(connection, only))
    held = defaultdict[str, set[int]](set)
    query = f"SELECT folder, content_id FROM photos WHERE content_id {_MINE} AND {_present(connection)}"
    for folder, content in connection.exec_driver_sql(query, (json.dumps(only.tolist()),)):
        for name in _ancestors(folder):
            held[name].add(content)
    return _sizes(held)


def _present(connection: Connection) -> str:
    # The index on folders is no help beside contents, but SQLite without statistics may think so.
    return f"{unindexed(connection, 'missing_since')} IS NULL"


def _mask_of(connection: Connection, only: Ids | None) -> Mask:
    return mask(matching(connection, ()) if only is None else only, room(connection, "contents"))


def _listed(name: str, counted: Counter[str], limit: int) -> Counted:
    there = [pair for pair in counted.items() if pair[1]]
    if name == "years":
        return tuple(sorted(there, reverse=True))
    if name in _BY_VALUE:
        return tuple(sorted(there, key=lambda pair: -int(pair[0]))[:limit])
    return tuple(sorted(there, key=lambda pair: (-pair[1], pair[0]))[: None if name in _FEW_VALUES else limit])


def _of_few(connection: Connection, ids: str) -> tuple[_Kinds, int]:
    columns = {"years": "substr(taken_at, 1, 4)", **_COLUMNS}
    of_contents: dict[str, Counter[Any]] = {name: Counter() for name in columns}
    query = f"SELECT {', '.join(columns.values())} FROM contents WHERE id {_MINE}"
    for row in connection.exec_driver_sql(query, (ids,)):
        for name, value in zip(columns, row, strict=True):
            if value is not None:
                of_contents[name][value] += 1
    query = f"SELECT ext, content_id FROM photos WHERE content_id {_MINE} AND {_present(connection)}"
    exts = defaultdict[str, set[int]](set)
    for ext, content in connection.exec_driver_sql(query, (ids,)):
        if ext:
            exts[one_spelling(ext)].add(content)
    tagged = (
        "SELECT name, count(*) FROM content_tags JOIN tags ON tags.id = tag_id "
        f"WHERE content_id {_MINE} GROUP BY tags.id"
    )
    tags = Counter({row[0]: row[1] for row in connection.exec_driver_sql(tagged, (ids,))})
    having = (
        f"SELECT kind, name, count(*) FROM content_words JOIN words ON words.id = word_id WHERE content_id {_MINE} "
        f"AND {_LEVELS} GROUP BY words.id"
    )
    words = _by_kind(connection.exec_driver_sql(having, (ids,)))
    favourites = f"SELECT count(*) FROM favourites WHERE content_id {_MINE}"
    found = {name: Counter({str(value): number for value, number in of.items()}) for name, of in of_contents.items()}
    found |= {"exts": _sizes(exts), "tags": tags, **words}
    return found, int(connection.exec_driver_sql(favourites, (ids,)).scalar_one())


def _of_many(connection: Connection, wanted: Mask) -> tuple[_Kinds, int]:
    found = {
        "years": _years(connection, wanted),
        "exts": _exts(connection, wanted),
        "tags": _tags(connection, wanted),
        **_words(connection, wanted),
        **{name: _values(connection, fact, wanted) for name, fact in _COLUMNS.items()},
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
    return Counter({str(value): _count(column(connection, having, (value,)), wanted) for value in values})


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


def _words(connection: Connection, wanted: Mask) -> _Kinds:
    others = np.flatnonzero(~wanted)
    if len(others) <= FEW:
        # Nearly all: SQLite counts all in a fifth of the time that reading them takes, and the others are taken off.
        words, numbers = columns(
            connection, "SELECT word_id, count(*) AS number FROM content_words GROUP BY word_id", (),
            ("word_id", "number"),
        )  # fmt: skip
        of_others = "SELECT word_id AS id FROM content_words WHERE content_id IN (SELECT value FROM json_each(?))"
        unwanted = column(connection, of_others, (json.dumps(others.tolist()),))
        counts = np.zeros(int(words.max(initial=0)) + 1, np.int64)
        counts[words] = numbers
        counts -= np.bincount(unwanted, minlength=len(counts))
    else:
        having = "SELECT word_id, content_id FROM content_words"
        words, contents = columns(connection, having, (), ("word_id", "content_id"))
        counts = np.bincount(words[wanted[contents]])
    named = connection.exec_driver_sql(f"SELECT kind, name, id FROM words WHERE {_LEVELS}")
    return _by_kind((kind, name, int(counts[id_])) for kind, name, id_ in named if id_ < len(counts))


def _by_kind(rows: Iterable[Sequence[Any]]) -> _Kinds:
    found: _Kinds = {name: Counter() for name in _KINDS.values()}
    for kind, name, number in rows:
        found[_KINDS[kind]][name] = number
    return found


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
    """Return the folders that hold one: "photos" and "photos/trips" for "/photos/trips/"."""
    parts = folder.strip("/").split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1) if parts[0]]
