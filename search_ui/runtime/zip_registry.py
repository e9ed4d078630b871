"""The selections whose ZIP file a page offers."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from typing import Final

from store.library import Library

NAMES: Final = ("zip",)
"""The first parts of the addresses of these routes."""


# Archives that can be fetched, the newest of all visitors.
KEPT: Final = 64


class Bundles:
    """What can be fetched as an archive: pictures of a library, by a name that can't be guessed. In memory only."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._names: OrderedDict[tuple[Library, tuple[int, ...]], str] = OrderedDict()

    def offer(self, library: Library, content_ids: Sequence[int]) -> str:
        """Have pictures ready to be fetched; returns the address, one for the same pictures in the same order."""
        key = (library, tuple(content_ids))
        with self._lock:
            name = self._names.setdefault(key, secrets.token_hex(16))
            self._names.move_to_end(key)
            while len(self._names) > self._kept:
                self._names.popitem(last=False)
        return f"/{NAMES[0]}/{name}.zip"

    def get(self, name: str) -> tuple[Library, tuple[int, ...]] | None:
        """The pictures of this name, with their library; None where there are none, any more or ever."""
        with self._lock:
            return next((key for key, known in self._names.items() if known == name), None)


@cache
def bundles() -> Bundles:
    """Those of this process."""
    return Bundles()
