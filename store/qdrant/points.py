"""Contents as points: their vectors in every space, and what filters ask for, as the tables have it."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Halves
from store.qdrant.adapter import Payload, Point
from store.tables import vector_rows
from store.tables.fact_table import FACT_FILTERS, NumberKey, RealKey

LAYOUT: Final = 1
"""Version of what is written here: points of another are made anew."""

YES: Final = "yes"
"""What stands for true. Not a boolean: qdrant-edge-py 0.9 matches none."""

GONE: Final = "gone"
"""Key of the change by which a content lost its vectors. Its point stays for a while: others may still read it."""

UNTIL: Final = "until"
"""Key of the time at which such a point may be removed: seconds since 1970."""

FACT_KINDS: Final[Mapping[str, str]] = {
    row.column: "integer" if isinstance(row, NumberKey) else "float" if isinstance(row, RealKey) else "keyword"
    for row in FACT_FILTERS
}
"""The facts that filters ask for, and how they are indexed."""

_COLUMNS: Final = ("taken_at", "latitude", "longitude", *FACT_KINDS)
_THESE: Final = "(SELECT value FROM json_each(?))"
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d))?)?)?)?)?")


def date_number(text: str, fill: str = "0") -> int | None:
    """A time as a number that sorts as its text does: 2023-06 is 20230600000000; None for what is none.

    `fill` stands for the digits that are not known: "9" for a number after all times that begin so.
    """
    found = _DATE.match(text)
    return None if found is None else int("".join(part or "" for part in found.groups()).ljust(14, fill))


def points_of(connection: Connection, ids: Sequence[int], spaces: Mapping[int, int]) -> list[Point]:
    """The points of those of the contents that have a vector, by id.

    Args:
        connection: to the library's database, in a transaction that sees one state of it.
        ids: content ids, some thousand at most.
        spaces: the spaces to take vectors of: dimensions by space id.
    """
    vectors: dict[int, dict[str, Halves]] = defaultdict(dict)
    for space_id, dim in spaces.items():
        rows = vector_rows.read_contents(connection, space_id, dim, ids)
        for content_id, vector in zip(rows.contents.tolist(), rows.vectors, strict=True):
            vectors[content_id][name_of(space_id)] = vector
    found = _payloads(connection, sorted(vectors))
    return [Point(id_, vectors[id_], payload) for id_, payload in found.items()]


def name_of(space_id: int) -> str:
    """What a space's vectors are called."""
    return f"space-{space_id}"


def _payloads(connection: Connection, ids: Sequence[int]) -> dict[int, Payload]:
    these = (json.dumps(list(ids)),)

    def rows(query: str) -> Any:
        return connection.exec_driver_sql(query.format(these=_THESE), these)

    found: dict[int, Payload] = {}
    columns = ", ".join(_COLUMNS)
    for id_, content_hash, *facts in rows(
        f"SELECT id, hash, {columns} FROM contents WHERE id IN {{these}} ORDER BY id"
    ):
        found[id_] = _facts(content_hash, dict(zip(_COLUMNS, facts, strict=True)))
    query = "SELECT content_id, folder, name, ext FROM photos WHERE missing_since IS NULL AND content_id IN {these} "
    for id_, folder, name, ext in rows(query + "ORDER BY photos.id"):
        found[id_]["here"] = YES
        found[id_].setdefault("photos", []).append({"folder": folder, "name": name, "ext": ext})
    for key, query in (
        ("tags", "SELECT content_id, tag_id FROM content_tags WHERE content_id IN {these} ORDER BY tag_id"),
        ("words", "SELECT content_id, word_id FROM content_words WHERE content_id IN {these} ORDER BY word_id"),
    ):
        for id_, number in rows(query):
            found[id_].setdefault(key, []).append(number)
    for (id_,) in rows("SELECT content_id FROM favourites WHERE content_id IN {these}"):
        found[id_]["favourite"] = YES
    return found


def _facts(content_hash: bytes, facts: dict[str, Any]) -> Payload:
    taken, latitude, longitude = facts.pop("taken_at"), facts.pop("latitude"), facts.pop("longitude")
    payload: Payload = {name: value for name, value in facts.items() if value is not None}
    # The bytes of a hash are as good as chance, and the same on every machine.
    payload["sample"] = int.from_bytes(content_hash[:4], "big")
    if taken is not None and (number := date_number(taken)) is not None:
        payload["taken"] = number
    if latitude is not None and longitude is not None:
        payload["where"] = {"lat": latitude, "lon": longitude}
    return payload


def same(one: Point, other: Point) -> bool:
    """Whether two points are equal, their vectors to the bit."""
    if one.id != other.id or one.vectors.keys() != other.vectors.keys() or not _alike(one.payload, other.payload):
        return False
    return all(np.array_equal(vector, other.vectors[name]) for name, vector in one.vectors.items())


def _alike(one: Any, other: Any) -> bool:
    """Whether two values of a payload are equal; real numbers come back with another last digit."""
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)
