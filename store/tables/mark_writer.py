"""Short transactions for what a person decides, beside an indexer's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from store.errors import LibraryError
from store.tables.marks_json import MarksError


class MarkWriter:
    """Begins transactions that change marks of one library."""

    def __init__(self, engine: Engine, where: str, *, readonly: bool) -> None:
        self._engine = engine.execution_options(write=True)
        self._where = where
        self._readonly = readonly

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction; committed at the end, or undone where an error leaves it.

        Raises:
            LibraryError: the library may not be written, or not just now.
        """
        if self._readonly:
            raise LibraryError(
                f"The library {self._where} is read-only for this user, so tags, favourites, saved searches, concepts "
                "and what was chosen or set aside can't be changed. Change its permissions, or choose another library "
                "with --library."
            )
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise LibraryError(
                f"The library {self._where} can't be written just now ({error.orig}); nothing was changed. Try again, "
                "when an indexer that is at work has come to its end."
            ) from error


def check_known(connection: Connection, ids: str) -> None:
    """Check that the library has these contents, a JSON array of ids.

    Raises:
        MarksError: it lacks some.
    """
    query = (
        "SELECT value FROM json_each(?) AS asked "
        "WHERE NOT EXISTS (SELECT 1 FROM contents WHERE id = asked.value) LIMIT 10"
    )
    unknown = [str(id_) for id_ in connection.exec_driver_sql(query, (ids,)).scalars()]
    if unknown:
        raise MarksError(f"There is no picture {', '.join(unknown)} in this library; nothing was changed.")
