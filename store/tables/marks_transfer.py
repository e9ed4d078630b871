"""All marks of a library, as they go to a file and come back.

Contents are named by their SHA-256, photos by their place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
from sqlalchemy.engine import Connection

from store.arrays import Ids
from store.paths import display
from store.tables import concepts, id_sets, mark_rows, set_asides
from store.tables.filters import casefolded
from store.tables.marks_json import Decided, Restored, SavedSearch
from store.tables.records import now


def gather(connection: Connection) -> Decided:
    """Return every mark; of sets those that a saved search asks for."""
    decided = Decided()
    pairs = (
        "SELECT tags.name, hash FROM tags JOIN content_tags ON tag_id = tags.id "
        "JOIN contents ON contents.id = content_id ORDER BY tags.key, content_id"
    )
    for name, hash_ in connection.exec_driver_sql(pairs):
        decided.tags.setdefault(name, []).append(hash_)
    favourites = "SELECT hash FROM favourites JOIN contents ON contents.id = content_id ORDER BY content_id"
    decided.favourites.extend(connection.exec_driver_sql(favourites).scalars())
    searches = "SELECT name, query, saved_at FROM saved_searches ORDER BY name"
    decided.searches.extend(SavedSearch(*row) for row in connection.exec_driver_sql(searches))
    decided.set_aside.extend(set_asides.places(connection))
    for name, ids in id_sets.named_by_searches(connection).items():
        decided.selections[name] = _hashes_of(connection, ids)
    for concept in concepts.read(connection):
        examples, others = (
            _hashes_of(connection, np.array(ids, np.int64)) for ids in (concept.examples, concept.counter_examples)
        )
        decided.concepts[concept.name] = (examples, others)
    return decided


def restore(connection: Connection, decided: Decided) -> Restored:
    """Add marks to those that are there, which stay as they are."""
    marked = {*decided.favourites, *(hash_ for of in decided.tags.values() for hash_ in of)}
    marked.update(hash_ for of in decided.selections.values() for hash_ in of)
    marked.update(hash_ for sides in decided.concepts.values() for side in sides for hash_ in side)
    ids = _ids_of(connection, marked)

    def known(hashes: Sequence[bytes]) -> list[int]:
        return [ids[hash_] for hash_ in hashes if hash_ in ids]

    tagged = sum(
        mark_rows.tag(connection, json.dumps(known(hashes)), casefolded(name), name)
        for name, hashes in decided.tags.items()
    )
    liked = mark_rows.favourite(connection, json.dumps(known(decided.favourites)))
    selected, other = 0, list[str]()
    for name, hashes in decided.selections.items():
        added = _restore_selection(connection, name, known(hashes))
        if added is None:
            other.append(name)
        else:
            selected += added
    taught = sum(
        _restore_concept(connection, name, known(examples), known(others))
        for name, (examples, others) in decided.concepts.items()
    )
    mark_rows.tidy(connection, tagged + liked + selected + taught)
    texts = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT name, query FROM saved_searches").all()}
    new = [search for search in decided.searches if search.name not in texts]
    for search in new:
        connection.exec_driver_sql(
            "INSERT INTO saved_searches (name, query, saved_at) VALUES (?, ?, ?)",
            (search.name, search.query, search.saved_at),
        )
    aside, elsewhere = set_asides.restore(connection, decided.set_aside)
    return Restored(
        tags=tagged,
        favourites=liked,
        searches=len(new),
        unknown=tuple(sorted(hash_.hex() for hash_ in marked - ids.keys())),
        kept=tuple(s.name for s in decided.searches if texts.get(s.name, s.query) != s.query),
        set_aside=aside,
        elsewhere=tuple(display(place.root.rstrip(b"/") + b"/" + place.path) for place in elsewhere),
        selected=selected,
        other_selections=tuple(other),
        taught=taught,
    )


def _restore_concept(connection: Connection, name: str, examples: list[int], others: list[int]) -> int:
    """Give a concept pictures that it does not have; returns how many.

    It is made where this library has any of them.
    """
    key = casefolded(name)
    if examples or others:
        connection.exec_driver_sql(
            "INSERT INTO concepts (name, key, changed_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (name, key, now())
        )
    sides = ((examples, 1), (others, 0))
    return sum(concepts.add(connection, key, ids, is_example=which, replace=False) for ids, which in sides)


def _restore_selection(connection: Connection, name: str, ids: list[int]) -> int | None:
    """Put pictures back into a set; returns how many, or None where it has other pictures.

    Sets are named after ids, so two libraries may have one name for two choices.
    """
    held = id_sets.find(connection, name)
    if held is None:
        return id_sets.restore(connection, name, ids) if ids else 0
    present = connection.exec_driver_sql(
        "SELECT id FROM contents WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(held.tolist()),)
    ).scalars()
    if not set(present) <= set(ids):
        return None
    return id_sets.restore(connection, name, [*held.tolist(), *ids]) - len(held)


def _hashes_of(connection: Connection, ids: Ids) -> list[bytes]:
    query = "SELECT hash FROM contents WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    return list(connection.exec_driver_sql(query, (json.dumps(ids.tolist()),)).scalars())


def _ids_of(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for hash_ in hashes:
        row = connection.exec_driver_sql("SELECT id FROM contents WHERE hash = ?", (hash_,)).first()
        if row is not None:
            found[hash_] = row[0]
    return found
