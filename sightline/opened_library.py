"""The files and the model behind `sightline.Library`: opened when needed, shared by threads, closed."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from sightline.models.loaded import Encoders
from sightline.models.offline import is_offline
from sightline.searcher import Searcher
from store.errors import EmptyLibraryError
from store.library import Library as Store
from store.paths import default_library
from store.remote import folder_of, has_library, is_address


class OpenedLibrary:
    """Opens a library's folder, and closes it. Safe for use from several threads."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, offline: bool | None = None) -> None:
        """Open a library. Where `path` holds none yet, `index` makes one there.

        Args:
            path: its folder, or the address of its PostgreSQL database. Default: the environment variable
                SIGHTLINE_LIBRARY, else the user's data folder.
            offline: never use the network, not even for the weights of a model. Default: whether HF_HUB_OFFLINE is on.

        Raises:
            LibraryError: the library is damaged, was made by a newer version, or its database can't be reached.
        """
        if path is None:
            path = default_library()
        self.path = folder_of(path) if is_address(path) else Path(path).expanduser().absolute()
        self._offline = is_offline() if offline is None else offline
        self._encoders = Encoders(offline=self._offline)
        self._lock = threading.Lock()
        self._opened: Searcher | None = None
        if has_library(self.path):
            with suppress(EmptyLibraryError):
                self._open()

    def close(self) -> None:
        """Close the files and let go of the model. The next call opens them again."""
        with self._lock:
            if self._opened is not None:
                self._opened.library.close()
            self._opened, self._encoders = None, Encoders(offline=self._offline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self) -> Searcher:
        with self._lock:
            if self._opened is None:
                self._opened = Searcher(Store.open(self.path), self._encoders)
            return self._opened

    @property
    def _store(self) -> Store:
        return self._open().library
