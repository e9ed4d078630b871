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

MARKED: Final = (
    "(EXISTS (SELECT 1 FROM content_tags WHERE content_id = contents.id) "
    "OR EXISTS (SELECT 1 FROM favourites WHERE content_id = contents.id))"
)
"""Whether a row of `contents` has tags or is a favourite, in SQL."""

_IDS: Final = "(SELECT value FROM json_each(?))"
_HELD: Final = "EXISTS (SELECT 1 FROM photos WHERE content_id = contents.id)"


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
            chosen = id_sets.members(connection, [row[1] for row in rows]) if rows else set()
            for path, id_, hash_, is_marked in rows:
                if is_marked or id_ in chosen:
                    found.setdefault(path, []).append(Former(id_, hash_))
    return found


def apply(connection: Connection, edits: Sequence[Edit]) -> Outcome:
    """Carry marks on, or note that they were left, once the photos hold their new contents."""
    carried = sum(_carry(connection, edit.photo_id, old, edit.new) for edit in edits for old in edit.same)
    for edit in edits:  # what is there again has its marks
        _let_go(connection, edit.photo_id, edit.new)
    left = sum(_leave(connection, edit.photo_id, edit.old) for edit in edits if edit.old not in edit.same)
    if carried:
        connection.exec_driver_sql("UPDATE library SET marks_generation = marks_generation + 1")
    return Outcome(carried, left)


def _carry(connection: Connection, photo_id: int, old: int, new: int) -> int:
    """Give a content the marks of another, which keeps them while a photo holds it; 1 if it had any."""
    changed = _give(connection, old, new)
    if not _is_held(connection, old):
        _take(connection, old)
    _let_go(connection, photo_id, old)
    return changed > 0


def _give(connection: Connection, old: int, new: int) -> int:
    """Copy the marks of a content to another; returns how many it did not have."""
    tags = "INSERT OR IGNORE INTO content_tags (tag_id, content_id) SELECT tag_id, ? FROM content_tags"
    favourite = "INSERT OR IGNORE INTO favourites (content_id) SELECT ? FROM favourites"
    changed = id_sets.add_beside(connection, old, new)
    for statement in (tags, favourite):
        changed += connection.exec_driver_sql(f"{statement} WHERE content_id = ?", (new, old)).rowcount
    return changed


def _take(connection: Connection, content_id: int) -> None:
    """Delete the marks of a content."""
    id_sets.remove(connection, content_id)
    for table in ("content_tags", "favourites", "left_marks"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE content_id = ?", (content_id,))


def _leave(connection: Connection, photo_id: int, old: int) -> int:
    """Note that marks stayed with a content that no photo holds any more; whether there were any."""
    if _is_held(connection, old) or not marked(connection, [old]):
        return 0
    connection.exec_driver_sql("INSERT OR IGNORE INTO left_marks (photo_id, content_id) VALUES (?, ?)", (photo_id, old))
    return 1


def _let_go(connection: Connection, photo_id: int, content_id: int) -> None:
    connection.exec_driver_sql("DELETE FROM left_marks WHERE photo_id = ? AND content_id = ?", (photo_id, content_id))


def _is_held(connection: Connection, content_id: int) -> bool:
    query = "SELECT 1 FROM photos WHERE content_id = ? LIMIT 1"
    return connection.exec_driver_sql(query, (content_id,)).first() is not None


def marked(connection: Connection, ids: Iterable[int]) -> set[int]:
    """Which of these contents have tags, are favourites, or are in a set that a saved search asks for."""
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
        root, path: of the photo that held it; None where the library does not know that.
        now: what that photo holds instead; None where it is missing or not known.
    """

    content_id: int
    tags: tuple[str, ...]
    is_favourite: bool
    selections: tuple[str, ...]
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
      WHERE photo_count = 0 AND NOT {_HELD} AND ({MARKED} OR contents.id IN {_IDS})
      ORDER BY roots.path, photos.path, contents.id"""
    rows = connection.exec_driver_sql(query, (json.dumps(list(chosen)),)).all()
    tags = _tags(connection, [row[0] for row in rows])
    return [
        LeftMarks(id_, tags.get(id_, ()), bool(liked), tuple(chosen.get(id_, ())), root, path, now)
        for id_, root, path, now, liked in rows
    ]


def _tags(connection: Connection, ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    query = (
        f"SELECT content_id, name FROM content_tags JOIN tags ON tags.id = tag_id WHERE content_id IN {_IDS} "
        "ORDER BY content_id, key"
    )
    found: dict[int, tuple[str, ...]] = {}
    for id_, name in connection.exec_driver_sql(query, (json.dumps(list(ids)),)):
        found[id_] = (*found.get(id_, ()), name)
    return found


def move_left(connection: Connection, wanted: Sequence[LeftMarks]) -> int:
    """Give what is now at the paths the marks that were left there; returns how many pictures left them."""
    pairs = [(each.content_id, each.now) for each in wanted if each.now is not None]
    for old, new in pairs:
        _give(connection, old, new)
    return drop_left(connection, [old for old, _ in pairs])


def drop_left(connection: Connection, content_ids: Iterable[int]) -> int:
    """Delete the marks of these contents; returns how many they are."""
    ids = set(content_ids)
    for id_ in ids:
        _take(connection, id_)
    return len(ids)
