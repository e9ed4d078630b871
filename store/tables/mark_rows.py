"""Changes of tags and favourites, in the current transaction.

Contents are given as a JSON array of ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy.engine import Connection

_IDS: Final = "(SELECT value FROM json_each(?))"


def tag(connection: Connection, ids: str, key: str, name: str) -> int:
    """Give contents a tag; returns how many did not have it."""
    connection.exec_driver_sql("INSERT INTO tags (name, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, key))
    return connection.exec_driver_sql(
        "INSERT INTO content_tags (tag_id, content_id) "
        "SELECT tags.id, value FROM tags CROSS JOIN json_each(?) WHERE tags.key = ? ON CONFLICT DO NOTHING",
        (ids, key),
    ).rowcount


def untag(connection: Connection, ids: str, keys: Iterable[str]) -> int:
    """Take tags from contents; returns how many had them."""
    return connection.exec_driver_sql(
        "DELETE FROM content_tags WHERE tag_id IN (SELECT id FROM tags WHERE key IN (SELECT atom FROM json_each(?))) "
        f"AND content_id IN {_IDS}",
        (json.dumps(list(keys)), ids),
    ).rowcount


def favourite(connection: Connection, ids: str) -> int:
    """Make contents favourites; returns how many were none."""
    return connection.exec_driver_sql(
        # WHERE: without one, SQLite takes ON for that of a join.
        "INSERT INTO favourites (content_id) SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
        (ids,),
    ).rowcount


def tidy(connection: Connection, changed: int) -> None:
    """Forget tags that nothing has, so that their names can be written anew; and note a change."""
    connection.exec_driver_sql("DELETE FROM tags WHERE NOT EXISTS (SELECT 1 FROM content_tags WHERE tag_id = tags.id)")
    raise_generation(connection, changed)


def raise_generation(connection: Connection, changed: int) -> None:
    """Note that marks changed, where any did."""
    if changed:
        connection.exec_driver_sql("UPDATE library SET marks_generation = marks_generation + 1")
