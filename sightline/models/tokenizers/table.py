"""The file of a prepared tokenizer: SQLite, read by the row, so that no vocabulary is in memory whole."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from sightline.models.opened_file import OpenedFile
from store.files import open_private

# Goes up when a table is laid out or read in another way.
_LAYOUT: Final = 1
# Whose ids these are: another version may give others.
_LIBRARIES: Final = ("ftfy", "open_clip_torch", "regex", "tokenizers", "transformers")


class TableError(Exception):
    """A file is no prepared tokenizer, or not one for this model and these libraries, or it was changed."""


class Table:
    """Settings, and rows by key. Safe for use from several threads."""

    def __init__(self, connection: sqlite3.Connection, file: OpenedFile) -> None:
        """Take what `open` opened; its settings are read."""
        self._connection = connection
        self._file = file
        self._lock = threading.Lock()
        ((text,),) = self.rows("SELECT text FROM settings")
        self.settings: dict[str, Any] = json.loads(text)
        self.kind = str(self.settings["kind"])

    @classmethod
    def open(cls, path: Path) -> Table:
        """Open a file for reading.

        Raises:
            TableError: it is not there, or not what `write` writes.
        """
        # Nobody changes it: no locks, and no files beside it in a folder that can't be written.
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            file = OpenedFile(path)
            connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise TableError(f"{path}: {error}") from error
        try:
            return cls(connection, file)
        except (TableError, ValueError, KeyError, TypeError) as error:
            connection.close()
            raise TableError(f"{path}: {error}") from error

    def require(self, fingerprint: str) -> None:
        """Raise TableError where this was made for another model, in another layout, or with other libraries."""
        expected = _made_for(fingerprint)
        if self.settings.get("made") != expected:
            raise TableError(f"made for {self.settings.get('made')}, and this is {expected}")

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a query finds.

        Raises:
            TableError: the file is damaged, or was written since it was opened.
        """
        if not self._file.is_as_opened():
            raise TableError("it was changed while it was in use")
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise TableError(str(error)) from error

    def row(self, query: str, values: Sequence[Any]) -> Any:
        """The first row that a query finds, or None; errors as of `rows`."""
        return next(iter(self.rows(query, values)), None)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
            self._file.close()

    def __del__(self) -> None:
        """Close the file of an encoder that was dropped while another thread was using it."""
        self._connection.close()


def write(
    path: Path, fingerprint: str, settings: dict[str, Any], create: str, insert: str, rows: Iterable[Sequence[Any]]
) -> None:
    """Write a file.

    Args:
        fingerprint: of the model that it is for.
        settings: the `kind` of the tokenizer, and what that wants.
        create: the statement that makes its table `pieces`.
        insert: the statement that adds a row of `rows`.

    Raises:
        OSError: the folder can't be written, or the disk is full.
    """
    os.close(open_private(path, new=True))
    told = json.dumps({"made": _made_for(fingerprint), **settings})
    connection = sqlite3.connect(path)
    try:
        # Whoever makes a file that is not whole throws it away.
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        connection.execute("CREATE TABLE settings (text TEXT)")
        connection.execute(create)
        connection.execute("INSERT INTO settings VALUES (?)", (told,))
        connection.executemany(insert, rows)
        connection.commit()
    except sqlite3.OperationalError as error:
        raise OSError(f"{path} can't be written: {error}") from error
    finally:
        connection.close()


def _made_for(fingerprint: str) -> dict[str, Any]:
    return {"fingerprint": fingerprint, "layout": _LAYOUT, "versions": {name: _version(name) for name in _LIBRARIES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
