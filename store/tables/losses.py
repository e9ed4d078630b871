"""Forgetting of photos, and of contents that nothing holds then, and what is lost for good by it.

Marks are lost only with photos that are forgotten: those of what they hold, and those that were left behind at their
paths. Other contents with marks stay, though no photo holds them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from store.tables import id_sets
from store.tables.batch_writer import recount
from store.tables.edits import marked
from store.tables.liked_pictures import liked
from store.tables.written import drop_unused_words

_IDS: Final = "(SELECT value FROM json_each(?))"
# What photos hold, or left marks on.
_OF: Final = (
    f"SELECT content_id FROM photos WHERE id IN {_IDS} UNION SELECT content_id FROM left_marks WHERE photo_id IN {_IDS}"
)


@dataclass(frozen=True, slots=True)
class Losses:
    """What a person decided that is lost for good when photos are forgotten.

    Attributes:
        tagged: pictures with tags.
        favourites: pictures that are favourites.
        set_aside: photos that are set aside.
        selected: pictures that a saved search names, by `like:` or in a selection.
        taught: pictures that teach a concept.
    """

    tagged: int = 0
    favourites: int = 0
    set_aside: int = 0
    selected: int = 0
    taught: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def losses(engine: Engine, photo_ids: list[int]) -> Losses:
    """What would be lost if these photos were forgotten."""
    gone = json.dumps(photo_ids)
    # `of` is in no photo but these, and was left behind at no path but theirs.
    elsewhere = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.content_id = of.content_id AND {key} NOT IN {_IDS})"
        for table, key in (("photos", "id"), ("left_marks", "photo_id"))
    )
    with engine.connect() as connection:
        query = f"SELECT content_id FROM ({_OF}) AS of WHERE {elsewhere}"
        lost = list(connection.exec_driver_sql(query, (gone,) * 4).scalars())

        def count(what: str, table: str, key: str, ids: str) -> int:
            query = f"SELECT count({what}) FROM {table} WHERE {key} IN {_IDS}"
            return int(connection.exec_driver_sql(query, (ids,)).scalar_one())

        chosen = liked(connection).union(*(ids.tolist() for ids in id_sets.named_by_searches(connection).values()))
        return Losses(
            tagged=count("DISTINCT content_id", "content_tags", "content_id", json.dumps(lost)),
            favourites=count("*", "favourites", "content_id", json.dumps(lost)),
            set_aside=count("*", "set_asides", "photo_id", gone),
            selected=len(chosen.intersection(lost)),
            taught=count("DISTINCT content_id", "concept_pictures", "content_id", json.dumps(lost)),
        )


def forget(connection: Connection, photo_ids: list[int]) -> list[bytes]:
    """Delete photos, and every content that no photo holds any more, but for marks that are not theirs.

    Returns:
        The hashes of the contents that went.
    """
    gone = json.dumps(photo_ids)
    of = set(connection.exec_driver_sql(_OF, (gone, gone)).scalars())
    connection.exec_driver_sql(f"DELETE FROM photos WHERE id IN {_IDS}", (gone,))
    recount(connection, of)
    orphan = "photo_count = 0 AND NOT EXISTS (SELECT 1 FROM photos WHERE content_id = contents.id)"
    orphans = {row[0]: row[1] for row in connection.exec_driver_sql(f"SELECT id, hash FROM contents WHERE {orphan}")}
    left = "SELECT content_id FROM left_marks"
    elsewhere = set(connection.exec_driver_sql(left).scalars())
    for id_ in marked(connection, orphans) | liked(connection).intersection(orphans):
        if id_ not in of or id_ in elsewhere:
            del orphans[id_]
    ids = json.dumps(list(orphans))
    spaces = f"SELECT space_id FROM vectors WHERE content_id IN {_IDS}"
    connection.exec_driver_sql(f"UPDATE spaces SET epoch = epoch + 1 WHERE id IN ({spaces})", (ids,))
    connection.exec_driver_sql(f"DELETE FROM contents WHERE id IN {_IDS}", (ids,))
    drop_unused_words(connection)
    return list(orphans.values())
