"""Photos that a person marked as not needed: a mark on a path and the bytes it holds.

No file is ever touched.

The mark goes along when the file moves. It goes away with its photo, or when its file comes to hold another picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.engine import Connection

from store.tables.marks_json import MarksError, Place

_IDS: Final = "(SELECT value FROM json_each(?))"


def set_aside(connection: Connection, ids: str, yes: bool) -> None:
    """Set photos aside, or take that back. `ids`: a JSON array.

    Raises:
        MarksError: a photo that the library does not have is to be set aside.
    """
    if not yes:
        connection.exec_driver_sql(f"DELETE FROM set_asides WHERE photo_id IN {_IDS}", (ids,))
        return
    query = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM photos) LIMIT 10"
    unknown = [str(id_) for id_ in connection.exec_driver_sql(query, (ids,)).scalars()]
    if unknown:
        raise MarksError(f"There is no photo {', '.join(unknown)} in this library; nothing was changed.")
    connection.exec_driver_sql(
        "INSERT INTO set_asides (photo_id) SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING", (ids,)
    )


def set_aside_of(connection: Connection, ids: str | None) -> set[int]:
    """Which of the photos are set aside; all that are where `ids`, a JSON array, is None."""
    if ids is None:
        return set(connection.exec_driver_sql("SELECT photo_id FROM set_asides").scalars())
    query = f"SELECT photo_id FROM set_asides WHERE photo_id IN {_IDS}"
    return set(connection.exec_driver_sql(query, (ids,)).scalars())


def places(connection: Connection) -> list[Place]:
    """Where every photo lies that is set aside, and what it holds."""
    query = (
        "SELECT roots.path, photos.path, hash FROM set_asides JOIN photos ON photos.id = photo_id "
        "JOIN roots ON roots.id = root_id JOIN contents ON contents.id = content_id ORDER BY photo_id"
    )
    return [Place(*row) for row in connection.exec_driver_sql(query)]


def restore(connection: Connection, wanted: Sequence[Place]) -> tuple[int, list[Place]]:
    """Set aside what lies at these places, if it holds the bytes that it held.

    Returns:
        How many photos were not set aside before, and the places where there is no such photo.
    """
    query = (
        "SELECT photos.id FROM roots JOIN photos ON root_id = roots.id JOIN contents ON contents.id = content_id "
        "WHERE roots.path = ? AND photos.path = ? AND hash = ?"
    )
    added, unknown = 0, []
    for place in wanted:
        id_ = connection.exec_driver_sql(query, (place.root, place.path, place.hash)).scalar_one_or_none()
        if id_ is None:
            unknown.append(place)
        else:
            statement = "INSERT INTO set_asides (photo_id) VALUES (?) ON CONFLICT DO NOTHING"
            added += connection.exec_driver_sql(statement, (id_,)).rowcount
    return added, unknown
