"""The folders of the library as a tree, each with how many pictures of a search it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Final

from sightline.query.formatting import printed_filter
from store.library import Library
from store.tables.filters import Filter, Folder
from store.tables.patterns import literal

# A hundred thousand folders take some 30 MB.
_KEPT: Final = 6


class FolderTree:
    """Folders by the folder that they lie in.

    Args:
        counts: how many pictures each folder holds at any depth, by paths such as "photos/trips/2023".
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = counts

    def inside(self, folder: str) -> Sequence[str]:
        """The folders right in a folder, or the roots in ""; those with most pictures first."""
        return sorted(self._inside.get(folder, ()), key=lambda path: (-self.counts[path], path))

    def number_inside(self, folder: str) -> int:
        """How many folders lie right in a folder."""
        return len(self._inside.get(folder, ()))

    @cached_property
    def _inside(self) -> Mapping[str, Sequence[str]]:
        made: dict[str, list[str]] = {}
        for path, count in self.counts.items():
            if count:
                made.setdefault(path.rpartition("/")[0], []).append(path)
        return made


@lru_cache(_KEPT)
def folder_tree(library: Library, state: tuple[int, int], filters: tuple[Filter, ...]) -> FolderTree:
    """The tree of the pictures that pass the filters, in the library's present state.

    Raises:
        MarksError: a filter names a set that is not there any more.
    """
    return FolderTree(library.catalog.folders(library.catalog.matching(filters) if filters else None))


def filter_text(folder: str) -> str | None:
    """The filter for one folder, in the query language; None where no filter can name it."""
    try:
        return printed_filter(Folder((literal(folder),)))
    except ValueError:
        return None  # such as one with a control character in its name
