"""What of the tables can be compared with the rest of them, and mended from it.

Call what mends under the library's lock.
Each is one transaction, so that an indexer at work makes no false finding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.tables import integrity, written
from store.tables.batch_writer import recount
from store.tables.catalog import raise_generation
from store.tables.looks import SIDE, Look, put
from store.tables.row_checksums import of_look

_CHUNK: Final = 4_096
# Tables whose rows can be made again, from other rows or from a picture's file. What people decided is in none of them.
DERIVED: Final = ("vectors", "tiles", "tile_grids", "looks", "content_words", "photos", "failures")


@dataclass(frozen=True, slots=True)
class CheckedLooks:
    """Looks that are not what was written, and those that have no checksum.

    `wrong`: ids of contents. `unchecked`: id and hash of the content, and its look.
    """

    wrong: list[int]
    unchecked: list[tuple[int, bytes, Look]]


def has_unchecked_pictures(engine: Engine) -> bool:
    """Whether thumbnails and previews may be those of an older version, without a checksum."""
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT unchecked_pictures FROM library").scalar_one())


def all_pictures_checked(engine: Engine) -> None:
    """Note that every thumbnail and preview has a checksum now."""
    with engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE library SET unchecked_pictures = 0")


def is_malformed(engine: Engine) -> bool:
    """Whether the database's own integrity check fails: nothing should be written then."""
    with engine.connect() as connection:
        return bool(integrity.damages(connection, 1))


def unfindable(engine: Engine) -> list[int]:
    """Contents whose words or full text are not those of their title, caption, keywords and people."""
    with engine.connect() as connection:
        return written.differing(connection)


def wrong_dims(engine: Engine) -> list[tuple[int, int]]:
    """Spaces that say another dimension than most of their vectors have: id, and the dimension of those."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(_WRONG_DIMS)]


def is_mendable(engine: Engine) -> bool:
    """Whether all rows that refer to nothing can go, or be put right, without what people decided."""
    with engine.connect() as connection:
        return {orphan.table for orphan in integrity.orphans(connection)} <= {*DERIVED, "library"}


def mend_rows(engine: Engine) -> None:
    """Remove rows of DERIVED tables that refer to nothing; put counts, words and the like right.

    Where the space that searches use is not there, it becomes the one with most vectors.
    """
    dims = wrong_dims(engine)
    with engine.execution_options(write=True).begin() as connection:
        orphans = integrity.orphans(connection)
        for table, key, value in orphans:
            if table == "content_words":  # it has no row ids
                connection.exec_driver_sql(_DROP_WORDS)
            elif table in DERIVED:
                connection.exec_driver_sql(f"DELETE FROM {table} WHERE {key} = ?", (value,))
        if dims:
            connection.exec_driver_sql("UPDATE spaces SET dim = ? WHERE id = ?", [(dim, id_) for id_, dim in dims])
        if dims or any(orphan.table == "vectors" for orphan in orphans):
            connection.exec_driver_sql("UPDATE spaces SET epoch = epoch + 1")
        connection.exec_driver_sql(_MEND_DEFAULT)
        written.renew(connection, written.differing(connection))
        recount(connection, [id_ for (id_,) in connection.exec_driver_sql(_MISCOUNTED)])
        raise_generation(connection)


def check_looks(engine: Engine) -> CheckedLooks:
    """Compare looks with their checksums."""
    found = CheckedLooks([], [])
    with engine.connect() as connection:
        for row in _rows(connection, _LOOKS):
            id_, content_hash, look_hash, grey, checksum = row
            if not isinstance(grey, bytes) or len(grey) != SIDE * SIDE or not isinstance(look_hash, int):
                found.wrong.append(id_)
            elif checksum is None:
                found.unchecked.append((id_, content_hash, Look(look_hash, grey)))
            elif checksum != of_look(content_hash, look_hash, grey):
                found.wrong.append(id_)
    return found


def keep_looks(engine: Engine, found: Sequence[tuple[int, bytes, Look]]) -> None:
    """Keep looks, as in `looks.put`, with their checksums."""
    if found:
        with engine.execution_options(write=True).begin() as connection:
            put(connection, found)


def drop_looks(engine: Engine, ids: Sequence[int]) -> None:
    """Forget the looks of contents, by id."""
    with engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql(
            "DELETE FROM looks WHERE content_id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
        )
        raise_generation(connection)


def _rows(connection: Connection, query: str) -> Iterator[Any]:
    """Rows of a query on looks, without holding them all."""
    result = connection.execution_options(stream_results=True).exec_driver_sql(query)
    for part in result.partitions(_CHUNK):
        yield from part


_MISCOUNTED: Final = (
    "SELECT id FROM contents WHERE photo_count != "
    "(SELECT count(*) FROM photos WHERE content_id = contents.id AND missing_since IS NULL)"
)
_WRONG_DIMS: Final = """
    WITH sizes AS (SELECT space_id, length(vector) AS size, count(*) AS held FROM vectors GROUP BY space_id, size)
    SELECT id, size / 2 FROM sizes JOIN spaces ON id = space_id WHERE size != 2 * dim AND size % 2 = 0 AND size > 0
        AND 2 * held > (SELECT sum(held) FROM sizes AS others WHERE others.space_id = id)"""
_MEND_DEFAULT: Final = (
    "UPDATE library SET default_space_id = "
    "(SELECT space_id FROM vectors GROUP BY space_id ORDER BY count(*) DESC LIMIT 1) "
    "WHERE default_space_id NOT IN (SELECT id FROM spaces)"
)
_LOOKS: Final = (
    "SELECT content_id, contents.hash, looks.hash, grey, checksum FROM looks JOIN contents ON contents.id = content_id"
)
_DROP_WORDS: Final = (
    "DELETE FROM content_words WHERE content_id NOT IN (SELECT id FROM contents) "
    "OR word_id NOT IN (SELECT id FROM words)"
)
