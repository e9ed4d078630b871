"""Photos that moved: missing ones, each with a new path that has its bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Final

from sqlalchemy.engine import Connection

# Photos that came since the last full walk of their roots, and whose contents lack old ones. The order of the join and
# the unary plus keep SQLite from going by content: it looks at new ids only.
_ARRIVED: Final = """SELECT new.content_id, new.id, new.path, new.inode FROM roots CROSS JOIN photos AS new
    WHERE +new.root_id = roots.id AND roots.id IN (SELECT value FROM json_each(?))
    AND new.id > settled_photo_id AND new.missing_since IS NULL
    AND new.content_id IN (SELECT content_id FROM photos WHERE missing_since IS NOT NULL) ORDER BY new.id"""
_MISSING: Final = """SELECT content_id, id, path, inode, EXISTS (SELECT 1 FROM set_asides WHERE photo_id = photos.id)
    FROM photos WHERE content_id IN (SELECT value FROM json_each(?)) AND missing_since IS NOT NULL ORDER BY id"""
# What is at the new place stays.
_MOVE_ASIDE: Final = """UPDATE set_asides SET photo_id = ? WHERE photo_id = ?
    AND NOT EXISTS (SELECT 1 FROM set_asides AS there WHERE there.photo_id = ?)"""
_MOVE_LEFT: Final = """UPDATE left_marks SET photo_id = ? WHERE photo_id = ? AND NOT EXISTS
    (SELECT 1 FROM left_marks AS there WHERE there.photo_id = ? AND there.content_id = left_marks.content_id)"""
# More pairs of places than these are not compared one by one.
_MOST_PAIRS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Place:
    photo_id: int
    path: bytes
    inode: int | None
    is_aside: bool = False


def settle(connection: Connection, root_ids: Sequence[int]) -> dict[int, bool]:
    """Forget missing photos that moved; marks they left, and that they are set aside if renamed, go along.

    Returns:
        The ids of those photos, and of each whether its very file was renamed: a copy has another inode.
    """
    arrived: dict[int, list[_Place]] = {}
    for content_id, *place in connection.exec_driver_sql(_ARRIVED, (json.dumps(list(root_ids)),)):
        arrived.setdefault(content_id, []).append(_Place(*place))
    missing: dict[int, list[_Place]] = {}
    if arrived:
        for content_id, *place in connection.exec_driver_sql(_MISSING, (json.dumps(list(arrived)),)):
            missing.setdefault(content_id, []).append(_Place(*place))
    moved: dict[int, bool] = {}
    places: list[tuple[int, int]] = []
    aside: list[tuple[int, int]] = []
    for content_id, old in missing.items():
        pairs = _paired(old, arrived[content_id])
        moved |= {was.photo_id: _is_renamed(was, new) for was, new in pairs}
        places += [(new.photo_id, was.photo_id) for was, new in pairs]
        # A copy is not set aside for that the file it was made of was.
        aside += [(new.photo_id, was.photo_id) for was, new in pairs if was.is_aside and _is_renamed(was, new)]
    if aside:
        connection.exec_driver_sql(_MOVE_ASIDE, [(new, old, new) for new, old in aside])
    if places:
        connection.exec_driver_sql(_MOVE_LEFT, [(new, old, new) for new, old in places])
        connection.exec_driver_sql("DELETE FROM photos WHERE id = ?", [(id_,) for id_ in moved])
    return moved


def _paired(old: list[_Place], new: list[_Place]) -> list[tuple[_Place, _Place]]:
    """Pairs of old and new places, each in one: renamed files first, then those whose paths end alike."""
    if len(old) * len(new) > _MOST_PAIRS:
        return list(zip(*(sorted(places, key=lambda place: place.path[::-1]) for places in (old, new)), strict=False))
    every = [(was, now) for was in old for now in new]
    every.sort(key=lambda pair: (not _is_renamed(*pair), -_alike(pair[0].path, pair[1].path)))
    pairs: list[tuple[_Place, _Place]] = []
    used: set[int] = set()
    for was, now in every:
        if not used & {was.photo_id, now.photo_id}:
            used.update((was.photo_id, now.photo_id))
            pairs.append((was, now))
    return pairs


def _is_renamed(old: _Place, new: _Place) -> bool:
    return old.inode is not None and old.inode == new.inode


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes two paths have in common at their end."""
    return len(commonprefix((one[::-1], other[::-1])))  # noqa: RUF071 - bytes, not parts of a path
