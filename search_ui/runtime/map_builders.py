"""The maps of each library, for all visitors of this process."""

from __future__ import annotations

import threading
from typing import Final
from weakref import WeakKeyDictionary

from search_ui.runtime.services import services
from sightline.maps.builder import Maps
from sightline.searcher import Searcher
from store.library import Library

_all: Final[WeakKeyDictionary[Library, Maps]] = WeakKeyDictionary()
_lock: Final = threading.Lock()


def maps_of(searcher: Searcher) -> Maps:
    """The maps of a searcher's library: one for all visitors."""
    with _lock:
        if searcher.library not in _all:
            _all[searcher.library] = Maps(searcher.library, searcher.encoders, services().background)
        return _all[searcher.library]
