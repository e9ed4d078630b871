"""Pictures that saved searches name by their id: `like:ID`."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy.engine import Connection

_LIKE: Final = re.compile(r"(?<![\w:\"])(like:)(\d{1,19})(?!\w)", re.IGNORECASE)


def liked(connection: Connection) -> set[int]:
    """The ids of all pictures that a saved search asks for."""
    texts = connection.exec_driver_sql("SELECT query FROM saved_searches WHERE lower(query) LIKE '%like:%'").scalars()
    return {int(found[2]) for text in texts for found in _LIKE.finditer(text)}


def follow(connection: Connection, old: int, new: int) -> int:
    """Let saved searches ask for one picture in place of another; returns how many did."""
    query = "SELECT id, query FROM saved_searches WHERE lower(query) LIKE ?"
    rows = connection.exec_driver_sql(query, (f"%like:{old}%",)).all()
    texts = [(id_, text, _LIKE.sub(lambda found: _other(found, old, new), text)) for id_, text in rows]
    changed = [(text, id_) for id_, before, text in texts if text != before]
    for values in changed:
        connection.exec_driver_sql("UPDATE saved_searches SET query = ? WHERE id = ?", values)
    return len(changed)


def _other(found: re.Match[str], old: int, new: int) -> str:
    return f"{found[1]}{new if int(found[2]) == old else found[2]}"
