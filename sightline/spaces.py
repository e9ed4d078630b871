"""The spaces of a library by name."""

from __future__ import annotations

from sightline.query.types import QueryError
from store.tables.catalog import Catalog, SpaceState


class SpaceDirectory:
    """Finds the space that a query asks for. Safe for use from several threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        # The generation, the default space, all spaces: reading them counts every vector, so once a generation.
        self._read: tuple[int, SpaceState | None, list[SpaceState]] = (-1, None, [])

    def find(self, name: str | None = None) -> SpaceState:
        """The space of this name, or the default one.

        Raises:
            QueryError: the library has no such space, or nothing was indexed yet.
        """
        default, spaces = self._current()
        if name is None:
            if default is None:
                raise QueryError("The library holds no pictures yet. Index a folder first: python -m indexer ./photos")
            return default
        # The newest where a model changed under its name: that is the one which still can encode words.
        found = [space for space in spaces if space.name.casefold() == name.casefold()]
        if not found:
            known = ", ".join(dict.fromkeys(space.name for space in spaces)) or "none yet"
            raise QueryError(f"The library has no model {name!r}; it has {known}.")
        return found[-1]

    def _current(self) -> tuple[SpaceState | None, list[SpaceState]]:
        generation = self._catalog.generation()
        known, default, spaces = self._read
        if known != generation or default is None:
            spaces, chosen = self._catalog.spaces(), self._catalog.default_space_id()
            default = next((space for space in spaces if space.id == chosen), None)
            self._read = (generation, default, spaces)
        return default, spaces
