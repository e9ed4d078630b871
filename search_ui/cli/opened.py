"""The library that a command searches or changes: opened once, without what only pages need."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sightline.models.loaded import Encoders
from sightline.models.offline import is_offline
from sightline.searcher import Searcher
from store.library import Library
from store.paths import default_library
from store.remote import truth_file


def library() -> Library:
    """The library of SIGHTLINE_LIBRARY.

    Raises:
        LibraryError: there is none, or it can't be opened.
    """
    path = default_library()
    try:
        found = truth_file(path).stat()
    except OSError:
        return Library.open(path)  # which says what is wrong
    return _library(path, (found.st_dev, found.st_ino))


@lru_cache(maxsize=1)
def _library(path: Path, _identity: tuple[int, int]) -> Library:
    return Library.open(path)


def searcher() -> Searcher:
    """A searcher of it, offline by HF_HUB_OFFLINE; errors as of `library`."""
    return Searcher(library(), Encoders(offline=is_offline()))
