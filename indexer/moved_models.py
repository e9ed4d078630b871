"""Telling a library where the model of one of its spaces lies now, without a run."""

from __future__ import annotations

from pathlib import Path

from sightline.models.resolve import resolve
from store.errors import SpaceError
from store.library import DATABASE, Library
from store.lock import locked
from store.tables.records import SpaceState
from store.tables.writer import Writer


def find_model(path: Path, spec: str) -> SpaceState:
    """Find the space that the model at an address is of, and note that it lies there. Returns the space.

    Args:
        path: the library's folder.
        spec: the address, as `--space` takes it.

    Raises:
        LibraryError: there is no library, or an indexer is at work on it.
        SpaceError: there is no model, or the library has no space of it.
    """
    if not (path / DATABASE).exists():
        Library.open(path)  # says what to do
    with locked(path), Library.create(path) as library:
        identity = resolve(spec).identity()
        found = library.catalog.find_space(identity)
        if found is None:
            known = ", ".join(dict.fromkeys(space.name for space in library.catalog.spaces())) or "none"
            raise SpaceError(
                f"The model {identity.model} is that of no space of the library {path}; it has {known}. To make a "
                f"space of it: python -m indexer FOLDER --space {identity.model}"
            )
        Writer(library.catalog.engine).add_space(identity)
        return library.catalog.space_state(found)
