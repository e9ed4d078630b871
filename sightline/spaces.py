"""The spaces of a library: by name, and by what a query asks for."""

from __future__ import annotations

from sightline.humanize import count
from sightline.query.types import Like, Picture, Query, QueryError, Taught
from store.tables.catalog import Catalog, SpaceState


class SpaceDirectory:
    """Finds the space that a query asks for. Safe for use from several threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        # The generation, the default space, all spaces: reading them counts every vector, so once a generation.
        self._read: tuple[int, SpaceState | None, list[SpaceState]] = (-1, None, [])
        # The generation, and the space for queries of pictures alone.
        self._complete: tuple[int, SpaceState | None] = (-1, None)

    def find(self, name: str | None = None, *, words: bool = False) -> SpaceState:
        """The space of this name, or the default one.

        Args:
            name: of the space; None for the library's own choice.
            words: whether words are to be encoded. Where the default space reads none, and another has seen pictures
                and does, that other is the library's choice: of several, the one that has seen most, or the newest.

        Raises:
            QueryError: the library has no such space, or nothing was indexed yet.
        """
        default, spaces = self._current()
        if name is None:
            if default is None:
                raise QueryError("The library holds no pictures yet. Index a folder first: python -m indexer ./photos")
            reading = [space for space in spaces if space.has_text and space.count]
            if words and not default.has_text and reading:
                return max(reading, key=lambda space: (space.count, space.id))
            return default
        # The newest where a model changed under its name: that is the one which still can encode words.
        found = [space for space in spaces if space.name.casefold() == name.casefold()]
        if not found:
            known = ", ".join(dict.fromkeys(space.name for space in spaces)) or "none yet"
            raise QueryError(f"The library has no model {name!r}; it has {known}.")
        return found[-1]

    def find_for(self, query: Query) -> SpaceState:
        """The space that a query names, or the library's choice for it; errors as for `find`."""
        if query.space is None and is_of_pictures(query):
            return self.for_pictures()
        return self.find(query.space, words=query.has_words)

    def for_pictures(self) -> SpaceState:
        """The space in which pictures are compared with pictures: see docs/decisions/two-spaces.md.

        Where the default space reads words, and a model that reads none has seen every picture, the space of that: of
        several, the newest. Else the default one; errors as for `find`.
        """
        default, (known, found) = self.find(), self._complete
        generation, _, spaces = self._read
        if known != generation:
            found = None
            if default.has_text and (others := [space for space in spaces if not space.has_text and space.count]):
                total = self._catalog.counts().pictures
                seen = (space for space in reversed(others) if space.count >= total)  # the cheap question first
                found = next((space for space in seen if self._catalog.counts(space.id).pictures == total), None)
            self._complete = (generation, found)
        return found or default

    def note(self, query: Query) -> str | None:
        """In a sentence, why a query is not searched in the default space though it names no other; else None."""
        space = self.find_for(query)
        if query.space is not None or space.id == (default := self.find()).id:
            return None
        if is_of_pictures(query):
            return f"Similar by {space.name}, which knows pictures only. By {default.name} instead: {_named(default)}"
        seen = f"{self._catalog.counts(space.id).pictures:,} of {count(self._catalog.counts().pictures, 'picture')}"
        return (
            f"Searched with the model {space.name}, which has seen {seen}: the model {default.name}, which the library "
            "uses else, reads no words."
        )

    def _current(self) -> tuple[SpaceState | None, list[SpaceState]]:
        generation = self._catalog.generation()
        known, default, spaces = self._read
        if known != generation or default is None:
            spaces, chosen = self._catalog.spaces(), self._catalog.default_space_id()
            default = next((space for space in spaces if space.id == chosen), None)
            self._read = (generation, default, spaces)
        return default, spaces


def is_of_pictures(query: Query) -> bool:
    """Whether a query looks for pictures that are like others, or as others taught, and for nothing else."""
    return bool(query.terms) and all(isinstance(term.subject, Like | Picture | Taught) for term in query.terms)


def _named(space: SpaceState) -> str:
    """How a query asks for a space."""
    return str(Query(space=space.name))
