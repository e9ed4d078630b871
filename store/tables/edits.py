"""Marks of files that were edited: they go on to the new content where the picture is the same.

Where it is another picture, they stay with the old content. `left_marks` then says which photo held it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.tables import id_sets
from store.tables.known_files import CHUNK
from store.tables.liked_pictures import follow, liked

MARKED: Final = (
    "(EXISTS (SELECT 1 FROM content_tags WHERE content_id = contents.id) "
    "OR EXISTS (SELECT 1 FROM favourites WHERE content_id = contents.id) "
    "OR EXISTS (SELECT 1 FROM concept_pictures WHERE content_id = contents.id))"
)
"""Whether a row of `contents` has tags, is a favourite or teaches a concept, in SQL."""

_IDS: Final = "(SELECT value FROM json_each(?))"
_TAGS_OF: Final = (
    f"SELECT content_id, name FROM content_tags JOIN tags ON tags.id = tag_id WHERE content_id IN {_IDS} "
    "ORDER BY content_id, key"
)
_CONCEPTS_OF: Final = (
    "SELECT content_id, name FROM concept_pictures JOIN concepts ON concepts.id = concept_id "
    f"WHERE content_id IN {_IDS} ORDER BY content_id, key"
)
_IS_HELD: Final = "EXISTS (SELECT 1 FROM photos WHERE content_id = contents.id)"


@dataclass(frozen=True, slots=True)
class Former:
    """A content that a path held before. `hash`: its SHA-256, 32 bytes."""

    content_id: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Edit:
    """A photo that came to hold another content.

    Attributes:
        photo_id: of the photo.
        old: the content it held.
        new: the content it holds.
        same: contents that it held, the last or earlier ones, that are the same picture as the new one.
    """

    photo_id: int
    old: int
    new: int
    same: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many pictures' marks went on to the new content, and how many stayed with the old one."""

    carried: int = 0
    left: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.carried + other.carried, self.left + other.left)


def formers(engine: Engine, root_id: int, paths: Sequence[bytes]) -> dict[bytes, list[Former]]:
    """The contents with marks that paths of a root hold, or left their marks on, by path."""
    found: dict[bytes, list[Former]] = {}
    with engine.connect() as connection:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            query = (
                "SELECT photos.path, contents.id, contents.hash, "
                f"{MARKED} OR EXISTS (SELECT 1 FROM set_asides WHERE photo_id = photos.id) FROM photos "
                "JOIN contents ON contents.id IN (SELECT photos.content_id UNION ALL "
                "SELECT content_id FROM left_marks WHERE photo_id = photos.id) "
                f"WHERE root_id = ? AND path IN ({', '.join('?' * len(chunk))}) ORDER BY contents.id DESC"
            )
            rows = connection.exec_driver_sql(query, (root_id, *chunk)).all()
            chosen = (id_sets.members(connection, [row[1] for row in rows]) | liked(connection)) if rows else set()
            for path, id_, hash_, is_marked in rows:
                if is_marked or id_ in chosen:
                    found.setdefault(path, []).append(Former(id_, hash_))
    return found


def apply(connection: Connection, edits: Sequence[Edit]) -> Outcome:
    """Carry marks on, or note that they were left, once the photos hold their new contents."""
    # What is there again has its marks.
    _let_go(connection, [(edit.photo_id, edit.new) for edit in edits])
    pairs = [(old, edit.new) for edit in edits for old in edit.same]
    changed = [edit for edit in edits if edit.old not in edit.same]
    held = _held(connection, [*(old for old, _ in pairs), *(edit.old for edit in changed)])
    carried = _carry(connection, pairs, held)
    _let_go(connection, [(edit.photo_id, old) for edit in edits for old in edit.same])
    orphans = [edit for edit in changed if edit.old not in held]
    with_marks = marked(connection, [edit.old for edit in orphans]) if orphans else set()
    left = [(edit.photo_id, edit.old) for edit in orphans if edit.old in with_marks]
    _each(connection, "INSERT INTO left_marks (photo_id, content_id) VALUES (?, ?) ON CONFLICT DO NOTHING", left)
    return Outcome(carried, len(left))


def _carry(connection: Connection, pairs: Sequence[tuple[int, int]], held: set[int]) -> int:
    """Give contents the marks of others, which keep them while a photo holds them; returns how many."""
    if not pairs:
        return 0
    had = _give(connection, pairs)
    gone = {old for old, _ in pairs} - held
    likes = liked(connection)
    for old, new in pairs:
        if old in gone and old in likes:
            follow(connection, old, new)
            had.add(old)
    _take(connection, gone)
    if had:
        connection.exec_driver_sql("UPDATE library SET marks_generation = marks_generation + 1")
    return sum(old in had for old, _ in pairs)


def _give(connection: Connection, pairs: Sequence[tuple[int, int]]) -> set[int]:
    """Copy the marks of contents to others, (old, new); returns those that had any."""
    olds = [old for old, _ in pairs]
    query = f"SELECT id FROM contents WHERE id IN {_IDS} AND {MARKED}"
    had = set(connection.exec_driver_sql(query, (json.dumps(olds),)).scalars())
    rows = [(new, old) for old, new in pairs if old in had]
    tags = "INSERT INTO content_tags (tag_id, content_id) SELECT tag_id, ? FROM content_tags"
    favourite = "INSERT INTO favourites (content_id) SELECT ? FROM favourites"
    taught = (
        "INSERT INTO concept_pictures (concept_id, content_id, is_example) "
        "SELECT concept_id, ?, is_example FROM concept_pictures"
    )
    for statement in (tags, favourite, taught):
        _each(connection, f"{statement} WHERE content_id = ? ON CONFLICT DO NOTHING", rows)
    return had | id_sets.add_beside(connection, pairs)


def _take(connection: Connection, content_ids: set[int]) -> None:
    """Delete the marks of contents."""
    id_sets.remove(connection, content_ids)
    rows = [(id_,) for id_ in content_ids]
    for table in ("content_tags", "favourites", "concept_pictures", "left_marks"):
        _each(connection, f"DELETE FROM {table} WHERE content_id = ?", rows)


def _let_go(connection: Connection, rows: Sequence[tuple[int, int]]) -> None:
    _each(connection, "DELETE FROM left_marks WHERE photo_id = ? AND content_id = ?", rows)


def _each(connection: Connection, statement: str, rows: Sequence[tuple[int, ...]]) -> None:
    if rows:
        connection.exec_driver_sql(statement, list(rows))


def _held(connection: Connection, content_ids: Sequence[int]) -> set[int]:
    """Which of these contents a photo holds, present or missing."""
    query = f"SELECT DISTINCT content_id FROM photos WHERE content_id IN {_IDS}"
    return set(connection.exec_driver_sql(query, (json.dumps(content_ids),)).scalars())


def marked(connection: Connection, ids: Iterable[int]) -> set[int]:
    """Which of these contents have tags, are favourites, teach a concept, or are in a saved search's set."""
    wanted = json.dumps(list(ids))
    query = f"SELECT id FROM contents WHERE id IN {_IDS} AND {MARKED}"
    found = set(connection.exec_driver_sql(query, (wanted,)).scalars())
    for chosen in id_sets.named_by_searches(connection).values():
        found.update(set(json.loads(wanted)).intersection(chosen.tolist()))
    return found


# -- marks that were left behind ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeftMarks:
    """Marks of a content that no photo holds any more.

    Attributes:
        content_id: of the old content.
        tags: its tags, by name.
        is_favourite: it is a favourite.
        selections: names of sets that it is in and that a saved search asks for.
        concepts: names of concepts that it is an example or a counter-example of.
        root, path: of the photo that held it; None where the library does not know that.
        now: what that photo holds instead; None where it is missing or not known.
    """

    content_id: int
    tags: tuple[str, ...]
    is_favourite: bool
    selections: tuple[str, ...]
    concepts: tuple[str, ...]
    root: bytes | None
    path: bytes | None
    now: int | None


def left(connection: Connection) -> list[LeftMarks]:
    """The marks of contents that no photo holds any more, by path.

    A content that several photos held is there once for each.
    """
    sets = id_sets.named_by_searches(connection)
    chosen: dict[int, list[str]] = {}
    if sets:
        absent = set(connection.exec_driver_sql("SELECT id FROM contents WHERE photo_count = 0").scalars())
        for name, ids in sets.items():
            for id_ in absent.intersection(ids.tolist()):
                chosen.setdefault(id_, []).append(name)
    # The index on contents without photos has the few that may be; tags and favourites are looked up for those.
    query = f"""SELECT contents.id, roots.path, photos.path,
        CASE WHEN photos.missing_since IS NULL THEN photos.content_id END,
        EXISTS (SELECT 1 FROM favourites WHERE content_id = contents.id)
      FROM contents LEFT JOIN left_marks ON left_marks.content_id = contents.id
      LEFT JOIN photos ON photos.id = left_marks.photo_id LEFT JOIN roots ON roots.id = photos.root_id
      WHERE photo_count = 0 AND NOT {_IS_HELD} AND ({MARKED} OR contents.id IN {_IDS})
      ORDER BY roots.path NULLS FIRST, photos.path NULLS FIRST, contents.id"""
    rows = connection.exec_driver_sql(query, (json.dumps(list(chosen)),)).all()
    absentees = [row[0] for row in rows]
    tags = _names(connection, _TAGS_OF, absentees)
    taught = _names(connection, _CONCEPTS_OF, absentees)
    return [
        LeftMarks(id_, tags.get(id_, ()), bool(liked), tuple(chosen.get(id_, ())), taught.get(id_, ()), root, path, now)
        for id_, root, path, now, liked in rows
    ]


def _names(connection: Connection, query: str, ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for id_, name in connection.exec_driver_sql(query, (json.dumps(list(ids)),)):
        found[id_] = (*found.get(id_, ()), name)
    return found


def move_left(connection: Connection, wanted: Sequence[LeftMarks]) -> int:
    """Give what is now at the paths the marks that were left there; returns how many pictures left them."""
    pairs = [(each.content_id, each.now) for each in wanted if each.now is not None]
    _give(connection, pairs)
    for old, new in pairs:
        follow(connection, old, new)
    return drop_left(connection, [old for old, _ in pairs])


def drop_left(connection: Connection, content_ids: Iterable[int]) -> int:
    """Delete the marks of these contents; returns how many they are."""
    ids = set(content_ids)
    _take(connection, ids)
    return len(ids)
