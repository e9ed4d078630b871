"""Removal of a folder from a library: `forget`."""

from __future__ import annotations

from pathlib import Path

import click

from store.errors import LibraryError, SightlineError
from store.library import DATABASE, Library
from store.lock import locked
from store.paths import to_bytes
from store.tables.writer import Writer


def forget_folder(path: Path, folder: Path) -> None:
    """Remove a root, and what only it held, from the library at `path`.

    Raises:
        SightlineError: the library has no such root.
    """
    if not (path / DATABASE).exists():
        raise LibraryError(f"There is no library in {path}.")
    with locked(path), Library.create(path) as library:
        wanted = {to_bytes(folder.absolute()), to_bytes(folder.resolve())}
        roots = library.catalog.roots()
        found = next((root for root in roots if root.path in wanted), None)
        if found is None:
            names = ", ".join(root.display for root in roots) or "none"
            raise SightlineError(f"The library {path} has no folder {folder}; it has: {names}")
        writer = Writer(library.catalog.engine)
        count = writer.forget_root(found.id)
        library.forget_pictures(writer.prune([]))
        for space in library.catalog.spaces():
            library.vectors.save(space.id)
    click.echo(f"Forgot {found.display} and its {count} photos. The files themselves were not touched.", err=True)
