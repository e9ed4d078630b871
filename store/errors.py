"""Errors a user may see. Each names the thing, the value, the limit and the way out."""

from __future__ import annotations


class SightlineError(Exception):
    """Base of every error a user may see. `exit_code` is what a command line exits with."""

    exit_code: int = 2


class LibraryError(SightlineError):
    """The library could not be opened, read or written."""


class LibraryLockedError(LibraryError):
    """Another indexer holds the library. 75 is EX_TEMPFAIL of sysexits.h: try again later."""

    exit_code = 75


class EmptyLibraryError(LibraryError):
    """There are no tables yet: a database that was just made, or a first run that was stopped at once."""


class VectorServiceError(LibraryError):
    """The vectors lie outside the library's database, and can't be reached, read or written there."""


class RootUnavailableError(SightlineError):
    """A folder the library knows is missing, unmounted or suddenly empty; nothing was changed."""


class SpaceError(SightlineError):
    """An embedding space is unknown, unavailable, or not the one the library holds."""
