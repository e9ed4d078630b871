"""Repairs of rows of vectors. Each is one transaction; call under the library's lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.tables.catalog import raise_generation


def due_up_to(engine: Engine) -> int:
    """The last id of vectors that may lack checksums, as an older version wrote them; 0: none."""
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT checksums_due FROM library").scalar_one())


def due(engine: Engine, most: int) -> list[tuple[int, int, int, bytes, bytes]]:
    """Vectors without a checksum, newest first: id, space, content, the content's hash, the vector."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(_DUE, (most,))]


def put_checksums(engine: Engine, checksums: Sequence[tuple[int, int]], first: int) -> None:
    """Keep checksums, each before the id of its vector, and that none is due from the id `first` on."""
    with engine.execution_options(write=True).begin() as connection:
        if checksums:
            connection.exec_driver_sql("UPDATE vectors SET checksum = ? WHERE id = ?", list(checksums))
        connection.exec_driver_sql("UPDATE library SET checksums_due = max(0, min(checksums_due, ? - 1))", (first,))


def put_right_checksums(engine: Engine, checksums: Sequence[tuple[int, int]]) -> None:
    """Replace wrong checksums, given before the ids of their vectors."""
    with engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE vectors SET checksum = ? WHERE id = ?", list(checksums))
        connection.exec_driver_sql(_RAISE_EPOCHS, (json.dumps([id_ for _, id_ in checksums]),))
        raise_generation(connection)


def put_back(engine: Engine, vectors: Sequence[tuple[int, bytes]]) -> None:
    """Put vectors, after the ids of their rows, in the place of damaged ones; their checksums stay."""
    with engine.execution_options(write=True).begin() as connection:
        kept = "SELECT space_id, content_id, checksum FROM vectors WHERE id = ?"
        rows = [(*connection.exec_driver_sql(kept, (id_,)).one(), vector) for id_, vector in vectors]
        _drop(connection, [id_ for id_, _ in vectors])
        # As new rows: who has read the old ones reads them again.
        connection.exec_driver_sql(_ADD, rows)


def put_hash(engine: Engine, content_id: int, content_hash: bytes) -> bool:
    """Put the hash of a content right; False where another content has that hash."""
    with engine.execution_options(write=True).begin() as connection:
        if connection.exec_driver_sql("SELECT 1 FROM contents WHERE hash = ?", (content_hash,)).first() is not None:
            return False
        connection.exec_driver_sql("UPDATE contents SET hash = ? WHERE id = ?", (content_hash, content_id))
        raise_generation(connection)
    return True


def remove(engine: Engine, ids: Sequence[int]) -> None:
    """Delete vectors, by id: the next run of the indexer makes them again."""
    with engine.execution_options(write=True).begin() as connection:
        _drop(connection, ids)


def _drop(connection: Connection, ids: Sequence[int]) -> None:
    """Delete vectors, and have readers know it."""
    given = (json.dumps(list(ids)),)
    connection.exec_driver_sql(_RAISE_EPOCHS, given)
    connection.exec_driver_sql("DELETE FROM vectors WHERE id IN (SELECT value FROM json_each(?))", given)
    raise_generation(connection)


_DUE: Final = (
    "SELECT vectors.id, space_id, content_id, hash, vector FROM vectors JOIN contents ON contents.id = content_id "
    "WHERE vectors.id <= (SELECT checksums_due FROM library) AND checksum IS NULL ORDER BY vectors.id DESC LIMIT ?"
)
_ADD: Final = "INSERT INTO vectors (space_id, content_id, checksum, vector) VALUES (?, ?, ?, ?)"
_RAISE_EPOCHS: Final = (
    "UPDATE spaces SET epoch = epoch + 1 "
    "WHERE id IN (SELECT space_id FROM vectors WHERE id IN (SELECT value FROM json_each(?)))"
)
