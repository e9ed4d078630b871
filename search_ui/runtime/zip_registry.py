"""The selections whose ZIP file a page offers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache
from typing import Final

from sightline.lru import Lru
from store.library import Library

NAMES: Final = ("zip",)
"""The first parts of the addresses of these routes."""

# Archives that can be fetched, the newest of all visitors.
KEPT: Final = 64


class ZipRegistry:
    """Pictures of a library to fetch as an archive, by names that can't be guessed. In memory only."""

    def __init__(self, kept: int = KEPT) -> None:
        self._names: Lru[tuple[Library, tuple[int, ...]], str] = Lru(kept)

    def offer(self, library: Library, content_ids: Sequence[int]) -> str:
        """Offer pictures as an archive; returns its address, one for the same pictures in the same order."""
        name = self._names.get_or_make((library, tuple(content_ids)), lambda: secrets.token_hex(16))
        return f"/{NAMES[0]}/{name}.zip"

    def get(self, name: str) -> tuple[Library, tuple[int, ...]] | None:
        """The pictures of this name, with their library; None where there are none, any more or ever."""
        return next((key for key, known in self._names.items() if known == name), None)


@cache
def zip_registry() -> ZipRegistry:
    """Those of this process."""
    return ZipRegistry()
