"""Which spaces of a library are complete, and which one searches use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from store.tables.catalog import Catalog
from store.tables.space_rows import stood_for


@dataclass(frozen=True, slots=True)
class SpaceFacts:
    """A space as far as its choice depends on it.

    Attributes:
        held: how many vectors it has.
        lacking: how many pictures that can be found now have no vector in it.
        last_run: the id of the last run that was for it alone; 0 without one.
    """

    id: int
    has_text: bool
    held: int
    lacking: int
    last_run: int


def space_facts(catalog: Catalog) -> list[SpaceFacts]:
    """The facts of every space, oldest first; without those that another of the same model stands for."""
    with catalog.engine.connect() as connection:
        present = connection.exec_driver_sql("SELECT count(*) FROM contents WHERE photo_count > 0").scalar_one()
        rows = connection.exec_driver_sql(_FACTS).all()
    others = stood_for((row.id, row.fingerprint, row.held) for row in rows)
    return [
        SpaceFacts(row.id, bool(row.has_text), row.held, present - row.held + row.absent, row.run)
        for row in rows
        if row.id not in others
    ]


def lacking(catalog: Catalog) -> Mapping[int, int]:
    """How many pictures that can be found have no vector in a space, by its id; 0 for `stood_for`."""
    return Counter({each.id: each.lacking for each in space_facts(catalog)})


def best_default(spaces: Iterable[SpaceFacts], current: int | None) -> int | None:
    """The id of the space that searches are to use; None where there is none.

    It is complete and has text: of several, the one that was last asked for by name, or the newest. A space without
    text is chosen only where none with text has vectors. Where no such one is complete, the current one stays.
    """
    held = [space for space in spaces if space.held]
    if not held:
        return current
    of_text = [space for space in held if space.has_text]
    complete = [space for space in of_text or held if not space.lacking]
    if complete:
        return max(complete, key=lambda space: (space.last_run, space.id)).id
    if any(space.id == current for space in held):
        return current
    return max(of_text or held, key=lambda space: (space.held, space.id)).id


def for_words(spaces: Iterable[SpaceFacts], default: int | None) -> int | None:
    """The id of the space that searches by words use: another than the default where that one reads none."""
    reading = [space for space in spaces if space.has_text and space.held]
    if not reading or any(space.id == default for space in reading):
        return default
    return max(reading, key=lambda space: (space.held, space.id)).id


# Vectors of pictures that are absent are few, and found by the index of these; the others need no look at contents.
_FACTS: Final = """SELECT id, has_text, fingerprint,
    (SELECT count(*) FROM vectors WHERE space_id = spaces.id) AS held,
    (SELECT count(*) FROM contents CROSS JOIN vectors
        WHERE content_id = contents.id AND space_id = spaces.id AND photo_count = 0) AS absent,
    (SELECT coalesce(max(runs.id), 0) FROM runs WHERE runs.space_id = spaces.id) AS run
    FROM spaces ORDER BY id"""
