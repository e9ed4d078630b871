"""Telling a library where the model of one of its spaces lies now, without a run."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path

from sightline.models.changes import split
from sightline.models.fitting import UnfitError
from sightline.models.names import changes_of
from sightline.models.resolve import resolve
from store.errors import SpaceError
from store.library import Library
from store.lock import locked
from store.remote import has_library, shown
from store.tables.records import SpaceState
from store.tables.writer import Writer


def find_model(path: Path, spec: str) -> SpaceState:
    """Find the space that the model at an address is of, and note that it lies there. Returns the space.

    Spaces of changes of that model are found with it.

    Args:
        path: the library's folder.
        spec: the address, as `--space` takes it.

    Raises:
        LibraryError: there is no library, or an indexer is at work on it.
        SpaceError: there is no model, or the library has no space of it.
    """
    if not has_library(path):
        Library.open(path)  # says what to do
    with locked(path), Library.create(path) as library:
        spaces = library.catalog.spaces()
        # As it is named, and then with what was changed of the models of the library.
        changed = dict.fromkeys(str(changes_of(space.model)) for space in spaces)
        specs = [spec, *(f"{spec}{changes}" for changes in changed if changes and not split(spec)[1])]
        found: list[int] = []
        identity = resolve(spec).identity()
        for each in specs:
            with suppress(UnfitError):  # the change is of a space of another model
                named = resolve(each).identity()
                if (space_id := library.catalog.find_space(named)) is not None:
                    Writer(library.catalog.engine).add_space(named)
                    found.append(space_id)
        if not found:
            known = ", ".join(dict.fromkeys(space.name for space in spaces)) or "none"
            raise SpaceError(
                f"The model {identity.model} is that of no space of the library {shown(path)}; it has {known}. To make "
                f"a space of it: python -m indexer FOLDER --space {shlex.quote(identity.model)}"
            )
        return library.catalog.space_state(found[0])
