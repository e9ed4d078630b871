"""What a person decided: tags, favourites, saved searches.

They belong to contents, and so follow a file that moves. Where a file is edited, see `store.tables.edits`.

Beside them what pages keep: sets of pictures that were chosen, and photos that were set aside.

Each change is one short transaction, beside an indexer's. Pruning a content forgets its marks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from store.tables import edits, id_sets, mark_rows, marks_transfer, set_asides
from store.tables.edits import LeftMarks
from store.tables.filters import casefolded
from store.tables.mark_writer import MarkWriter, check_known
from store.tables.marks_json import (
    MarksError,
    Restored,
    SavedSearch,
    as_json,
    check_search_name,
    check_search_text,
    read,
    tag_name,
)
from store.tables.records import now

__all__ = ["LeftMarks", "Marks", "MarksError", "Restored", "SavedSearch"]

_IDS: Final = "(SELECT value FROM json_each(?))"


class Marks:
    """Marks of one library; each call is a transaction of its own.

    Readers see the last committed state.
    """

    def __init__(self, engine: Engine, where: str, *, readonly: bool) -> None:
        self._engine = engine
        self._write = MarkWriter(engine, where, readonly=readonly).begin

    # -- tags ---------------------------------------------------------------------------------------------------

    def change(self, content_ids: Iterable[int], *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Give each content every tag of `add` and take every tag of `remove` from it: both, or nothing.

        A tag is called what it was called first; case makes no other one. What a content has or lacks already is fine.

        Raises:
            MarksError: a bad name, one that is in both, or a content that the library does not have is to get a tag.
            LibraryError: the library may not be written.
        """
        added = {casefolded(name): name for name in map(tag_name, reversed(add))}
        removed = {casefolded(name): name for name in map(tag_name, remove)}
        both = [name for key, name in removed.items() if key in added]
        if both:
            raise MarksError(
                f"The tag {both[0]!r} is to be added and removed at once; nothing was changed. Name it in one of the "
                "two; case makes no other tag."
            )
        ids = _array(content_ids)
        with self._write() as connection:
            if added:
                check_known(connection, ids)
            changed = sum(mark_rows.tag(connection, ids, key, name) for key, name in added.items())
            mark_rows.tidy(connection, changed + mark_rows.untag(connection, ids, removed))

    def tags(self) -> list[tuple[str, int]]:
        """Every tag, by name, and how many pictures `tag:` finds with it: those that a present photo holds."""
        query = (
            "SELECT tags.name, count(*) FILTER (WHERE contents.photo_count > 0) FROM tags "
            "JOIN content_tags ON tag_id = tags.id JOIN contents ON contents.id = content_id "
            "GROUP BY tags.id ORDER BY tags.key"
        )
        with self._engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.exec_driver_sql(query)]

    def tags_of(self, content_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """The tags of each content that has any, by name."""
        query = (
            f"SELECT content_id, name FROM content_tags JOIN tags ON tags.id = tag_id WHERE content_id IN {_IDS} "
            "ORDER BY content_id, key"
        )
        found: dict[int, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            for id_, name in connection.exec_driver_sql(query, (_array(content_ids),)):
                found[id_] = (*found.get(id_, ()), name)
        return found

    # -- favourites ---------------------------------------------------------------------------------------------

    def favourite(self, content_ids: Iterable[int], yes: bool) -> None:
        """Make contents favourites, or no favourites any more.

        Raises:
            MarksError: a content that the library does not have is to be one.
            LibraryError: the library may not be written.
        """
        ids = _array(content_ids)
        with self._write() as connection:
            if yes:
                check_known(connection, ids)
                changed = mark_rows.favourite(connection, ids)
            else:
                changed = connection.exec_driver_sql(
                    f"DELETE FROM favourites WHERE content_id IN {_IDS}", (ids,)
                ).rowcount
            mark_rows.raise_generation(connection, changed)

    def favourites_of(self, content_ids: Iterable[int]) -> set[int]:
        """Which of the contents are favourites."""
        query = f"SELECT content_id FROM favourites WHERE content_id IN {_IDS}"
        with self._engine.connect() as connection:
            return set(connection.exec_driver_sql(query, (_array(content_ids),)).scalars())

    # -- searches -----------------------------------------------------------------------------------------------

    def save_search(self, name: str, query: str) -> None:
        """Keep the text of a search under a name, in place of what was kept under it.

        Raises:
            MarksError: a bad name, or a text that is blank or longer than 8,000 characters.
            LibraryError: the library may not be written.
        """
        search = SavedSearch(check_search_name(name), check_search_text(query), now())
        with self._write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO saved_searches (name, query, saved_at) VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET query = excluded.query, saved_at = excluded.saved_at",
                (search.name, search.query, search.saved_at),
            )

    def delete_search(self, name: str) -> bool:
        """Forget a saved search; whether there was one.

        Raises:
            LibraryError: the library may not be written.
        """
        with self._write() as connection:
            return connection.exec_driver_sql("DELETE FROM saved_searches WHERE name = ?", (name,)).rowcount > 0

    def saved_searches(self) -> list[SavedSearch]:
        """Every saved search, by name."""
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT name, query, saved_at FROM saved_searches").all()
        return sorted((SavedSearch(*row) for row in rows), key=lambda search: (casefolded(search.name), search.name))

    # -- sets and photos set aside ------------------------------------------------------------------------------

    def keep_set(self, content_ids: Iterable[int]) -> str:
        """Keep a choice of pictures for the filter `set:`; returns its name, 12 hexadecimal digits.

        The same pictures have the same name. The newest 200 sets stay.

        Raises:
            MarksError: there are none, or a content that the library does not have.
            LibraryError: the library may not be written.
        """
        ids = np.fromiter((int(id_) for id_ in content_ids), np.int64)
        if not len(ids):
            raise MarksError("A selection has at least one picture; none was chosen.")
        with self._write() as connection:
            check_known(connection, json.dumps(ids.tolist()))
            name, forgotten = id_sets.keep(connection, ids)
            # Names never change their meaning; only what asks for one that is gone finds something else now.
            mark_rows.raise_generation(connection, forgotten)
        return name

    def set_ids(self, name: str) -> NDArray[np.int64] | None:
        """Return the content ids of a set, sorted, int64 (n,); None where there is no such set now.

        They are those that were chosen.
        """
        with self._engine.connect() as connection:
            return id_sets.find(connection, name)

    def set_aside(self, photo_ids: Iterable[int], yes: bool) -> None:
        """Mark photos as not needed, or take that back.

        Searches find them as before; their files are not touched.

        The mark is on a path and the picture it holds: it goes along when the file moves, and ends with that picture.

        Raises:
            MarksError: a photo that the library does not have is to be set aside.
            LibraryError: the library may not be written.
        """
        with self._write() as connection:
            set_asides.set_aside(connection, _array(photo_ids), yes)

    def set_aside_of(self, photo_ids: Iterable[int] | None = None) -> set[int]:
        """Which of the photos are set aside; all that are where none are given."""
        with self._engine.connect() as connection:
            return set_asides.set_aside_of(connection, None if photo_ids is None else _array(photo_ids))

    # -- marks that were left behind ----------------------------------------------------------------------------

    def left(self) -> list[LeftMarks]:
        """Marks of contents that no photo holds any more, by path: what lies there is another picture now."""
        with self._engine.connect() as connection:
            return edits.left(connection)

    def move_left(self, wanted: Sequence[LeftMarks]) -> int:
        """Give marks that were left behind to what lies at their path now; returns of how many pictures.

        Those stay whose path is missing or not known.

        Raises:
            LibraryError: the library may not be written.
        """
        with self._write() as connection:
            moved = edits.move_left(connection, wanted)
            mark_rows.raise_generation(connection, moved)
        return moved

    def drop_left(self, wanted: Sequence[LeftMarks]) -> int:
        """Delete marks that were left behind; returns of how many pictures.

        Raises:
            LibraryError: the library may not be written.
        """
        with self._write() as connection:
            dropped = edits.drop_left(connection, [each.content_id for each in wanted])
            mark_rows.tidy(connection, dropped)
        return dropped

    # -- to a file and back -------------------------------------------------------------------------------------

    def export(self) -> dict[str, Any]:
        """Return every mark, as `json.dumps` takes it; of sets those that a saved search asks for.

        Contents are named by the SHA-256 of their bytes, so that another library of the same pictures can have the
        marks; photos that are set aside by their place too.
        """
        with self._engine.connect() as connection:
            return as_json(marks_transfer.gather(connection))

    def restore(self, data: Mapping[str, Any]) -> Restored:
        """Add what `export` gave to what is there, all of it or none. What is there stays as it is.

        Returns:
            How many were added, and what was not: hashes of pictures that this library does not have, names of saved
            searches that have another text here, and places where this library has no such photo.

        Raises:
            MarksError: not what `export` gives; the message says where it is wrong.
            LibraryError: the library may not be written.
        """
        decided = read(data)
        with self._write() as connection:
            return marks_transfer.restore(connection, decided)


def _array(ids: Iterable[int]) -> str:
    return json.dumps([int(id_) for id_ in ids])
