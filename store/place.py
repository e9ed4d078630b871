"""Where an open library lies: its folder may be renamed, moved or replaced while it is used."""

from __future__ import annotations

from pathlib import Path

from store.errors import LibraryError


class LibraryMovedError(LibraryError):
    """The folder of a library, or its database, was renamed, moved or replaced while it was open."""


class Place:
    """The database of an open library: what is written by path asks here first.

    That is one `stat`, two microseconds.

    Connections stay with the file that they opened, wherever it goes; paths lead to what lies there now. Half of what
    belongs together would go to each.
    """

    def __init__(self, database: Path) -> None:
        """Remember what lies at the path `database` now."""
        self._database = database.absolute()  # the working directory may change
        self._known = _identity(self._database)

    def is_kept(self) -> bool:
        """Whether the database still lies where it was when the library was opened."""
        return _identity(self._database) == self._known

    def check(self) -> None:
        """Make sure of it.

        Raises:
            LibraryMovedError: it does not, or another does.
        """
        if not self.is_kept():
            raise LibraryMovedError(
                f"The library {self._database.parent} is not where it was: its folder or {self._database.name} was "
                "renamed, moved or replaced while it was open. Nothing more was written. What was committed is in the "
                "folder's new place: name that with --library, and run again."
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
