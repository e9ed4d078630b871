"""Files of photos where they can be opened: an object of a store is fetched, and kept for a moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sightline.images.limits import PAGES
from sightline.images.reader import Place
from store.addresses import is_address
from store.fetched import Kept
from store.paths import to_bytes

_kept: Final = Kept()


@contextmanager
def at_hand(root: bytes, path: bytes, follow_links: Callable[[bytes], bool]) -> Iterator[Place]:
    """Where the file of a photo is to be opened, which holds for as long as this lasts.

    Args:
        root: a folder, or an address.
        path: below it.
        follow_links: see `Place`.

    Raises:
        OSError: an object is gone, or can't be fetched.
    """
    if not is_address(os.fsdecode(root)):
        yield Place(root, path, follow_links=follow_links)
        return
    with copied(root, path) as file:
        yield Place(to_bytes(file.parent), os.fsencode(file.name), name=path)


@contextmanager
def copied(address: bytes, path: bytes) -> Iterator[Path]:
    """An object as a file of this machine; errors as of `at_hand`."""
    with _kept.hold(
        os.fsdecode(address), path, silent_seconds=PAGES.read_seconds, total_seconds=PAGES.total_seconds
    ) as file:
        yield file
