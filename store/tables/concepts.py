"""Concepts: words that a person taught by pictures, examples and counter-examples.

They are marks: they belong to contents, and so follow a file that moves; where a file is edited, see
`store.tables.edits`. What is learnt from the pictures is not here: it is derived, for each space by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.tables import mark_rows
from store.tables.filters import casefolded
from store.tables.mark_writer import MarkWriter, check_known
from store.tables.marks_json import MarksError, concept_name
from store.tables.records import now

MIN_EXAMPLES: Final = 3
"""Of one concept: fewer have too much in common by chance."""
MAX_PICTURES: Final = 2_000
"""Of one concept: more teach hardly more, and would keep a search waiting."""


@dataclass(frozen=True, slots=True)
class Concept:
    """A word that a person taught.

    Attributes:
        name: as first typed; case makes no other one.
        examples: content ids of pictures that show it, sorted.
        counter_examples: content ids of pictures that do not, sorted.
        changed_at: ISO 8601, UTC.
    """

    name: str
    examples: tuple[int, ...]
    counter_examples: tuple[int, ...]
    changed_at: str

    @property
    def key(self) -> str:
        """The folded name, which identifies it."""
        return casefolded(self.name)


class Concepts:
    """Concepts of one library; each call is a transaction of its own."""

    def __init__(self, engine: Engine, where: str, *, readonly: bool) -> None:
        self._engine = engine
        self._write = MarkWriter(engine, where, readonly=readonly).begin

    def teach(
        self, name: str, examples: Iterable[int] = (), counter_examples: Iterable[int] = (), *,
        without: Iterable[int] = (),
    ) -> Concept:  # fmt: skip
        """Give a concept more pictures, or make it; all of it, or nothing.

        What was the other kind of example changes sides.

        Args:
            name: of the concept.
            examples: content ids of pictures that show it.
            counter_examples: content ids of pictures that do not.
            without: content ids of pictures that shall teach it no more.

        Raises:
            MarksError: a bad name, a picture that is given twice or that the library does not have, too few examples,
                or too many pictures.
            LibraryError: the library may not be written.
        """
        kept, key = concept_name(name), casefolded(concept_name(name))
        sides = [{int(id_) for id_ in ids} for ids in (examples, counter_examples, without)]
        twice = (sides[0] & sides[1]) | (sides[0] & sides[2]) | (sides[1] & sides[2])
        if twice:
            raise MarksError(
                f"Picture {min(twice)} is given as two things at once: an example, a counter-example, or one to take "
                "out. Name it once; nothing was changed."
            )
        given = sorted(sides[0] | sides[1])
        with self._write() as connection:
            check_known(connection, json.dumps(given))
            before = read(connection, key)
            if not given and not before:
                raise MarksError(
                    f"There is no concept {kept!r} yet. Give examples of it, by their ids; nothing was changed."
                )
            connection.exec_driver_sql(
                "INSERT INTO concepts (name, key, changed_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (kept, key, now()),
            )
            for ids, is_example in zip(sides[:2], (1, 0), strict=True):
                add(connection, key, sorted(ids), is_example=is_example, replace=True)
            connection.exec_driver_sql(
                "DELETE FROM concept_pictures WHERE concept_id = (SELECT id FROM concepts WHERE key = ?) "
                "AND content_id IN (SELECT value FROM json_each(?))",
                (key, json.dumps(sorted(sides[2]))),
            )
            (after,) = read(connection, key)
            if len(after.examples) < MIN_EXAMPLES:
                raise MarksError(
                    f"A concept takes at least {MIN_EXAMPLES} examples; {after.name!r} would have "
                    f"{len(after.examples)}. Give more, or forget the concept; nothing was changed."
                )
            count = len(after.examples) + len(after.counter_examples)
            if count > MAX_PICTURES:
                raise MarksError(
                    f"The concept {after.name!r} would have {count:,} pictures; the limit is {MAX_PICTURES:,}. Give "
                    "fewer; nothing was changed."
                )
            if before and (before[0].examples, before[0].counter_examples) == (after.examples, after.counter_examples):
                return before[0]
            connection.exec_driver_sql("UPDATE concepts SET changed_at = ? WHERE key = ?", (now(), key))
            mark_rows.raise_generation(connection, 1)
            (after,) = read(connection, key)
            return after

    def forget(self, name: str) -> bool:
        """Forget a concept; whether there was one. Its pictures stay as they are.

        Raises:
            LibraryError: the library may not be written.
        """
        with self._write() as connection:
            gone = connection.exec_driver_sql("DELETE FROM concepts WHERE key = ?", (casefolded(name),)).rowcount
            mark_rows.raise_generation(connection, gone)
        return gone > 0

    def find(self, name: str) -> Concept | None:
        """The concept of a name; None where there is none."""
        with self._engine.connect() as connection:
            found = read(connection, casefolded(name))
        return found[0] if found else None

    def all(self) -> list[Concept]:
        """Every concept, by name."""
        with self._engine.connect() as connection:
            return read(connection)

    def names_of(self, content_id: int) -> list[tuple[str, bool]]:
        """The concepts that a picture teaches, by name, each with whether it is an example."""
        query = (
            "SELECT name, is_example FROM concepts JOIN concept_pictures ON concept_id = id WHERE content_id = ? "
            "ORDER BY key"
        )
        with self._engine.connect() as connection:
            return [(row[0], bool(row[1])) for row in connection.exec_driver_sql(query, (content_id,))]


def add(connection: Connection, key: str, ids: Iterable[int], *, is_example: int, replace: bool) -> int:
    """Let contents teach a concept; returns how many changed.

    With `replace` those that taught the opposite change sides; without, they stay as they are.
    """
    conflict = (
        "DO UPDATE SET is_example = excluded.is_example WHERE concept_pictures.is_example <> excluded.is_example"
        if replace
        else "DO NOTHING"
    )
    return connection.exec_driver_sql(
        "INSERT INTO concept_pictures (concept_id, content_id, is_example) "
        "SELECT concepts.id, value, ? FROM concepts CROSS JOIN json_each(?) WHERE concepts.key = ? "
        f"ON CONFLICT (concept_id, content_id) {conflict}",
        (is_example, json.dumps(list(ids)), key),
    ).rowcount


def read(connection: Connection, key: str | None = None) -> list[Concept]:
    """Every concept, by name, or the one of a folded name."""
    only = "" if key is None else "WHERE key = ?"
    query = (
        "SELECT id, name, changed_at, content_id, is_example FROM concepts "
        f"LEFT JOIN concept_pictures ON concept_id = id {only} ORDER BY key, content_id"
    )
    found: dict[int, tuple[str, str, list[int], list[int]]] = {}
    rows = connection.exec_driver_sql(query, () if key is None else (key,))
    for id_, name, changed_at, content_id, is_example in rows:
        _, _, examples, others = found.setdefault(id_, (name, changed_at, [], []))
        if content_id is not None:
            (examples if is_example else others).append(content_id)
    return [
        Concept(name, tuple(examples), tuple(others), changed_at)
        for name, changed_at, examples, others in found.values()
    ]
