"""What pages and routes of one server share: the open library, the model, the uploaded pictures.

Streamlit runs the page as a script, again for every click, in the process of the server: what must outlive a run
lives here.
"""

from __future__ import annotations

import functools
import logging
import threading
from pathlib import Path
from typing import Final

from search_ui.runtime.index_runs import Runner
from search_ui.runtime.uploads import UploadCache
from sightline.jobs import Background
from sightline.models.loaded import Encoders
from sightline.models.offline import is_offline
from sightline.searcher import Searcher
from store.errors import LibraryError, SightlineError
from store.library import Library
from store.paths import default_library
from store.remote import truth_file

log = logging.getLogger(__name__)

_A_TEXT: Final = "a photo of a boat"


class Services:
    """The library at `path`, opened when first asked for, and what is needed to search it.

    Attributes:
        manages: whether pages may act on this machine beyond the library: index folders, copy files, open folders.
        offered: a folder that the forms propose to index.
        preloads: whether to load the model before it is needed, once the first page has been drawn.
    """

    def __init__(self, path: Path, *, offline: bool) -> None:
        self.path = path
        self.encoders = Encoders(offline=offline)
        self.uploads = UploadCache()
        self.background = Background()
        self.runner = Runner(path, offline=offline)
        self.manages = False
        self.offered: Path | None = None
        self.preloads = False
        self._preloaded: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._library: Library | None = None
        self._searcher: Searcher | None = None
        self._opened: tuple[int, int] | None = None

    def library(self) -> Library:
        """The library, opened again where another was put in its place.

        Raises:
            LibraryError: there is none (yet), or it can't be opened.
        """
        try:
            found = truth_file(self.path).stat()
            identity = (found.st_dev, found.st_ino)
        except OSError:
            identity = None
        with self._lock:
            if self._library is None or identity != self._opened:
                # The old one is not closed: a search may be reading it. Its connections go with the last of them.
                self._library, self._opened = None, None
                self._library, self._opened = Library.open(self.path), identity
            return self._library

    def require_same_library(self, library: Library) -> Library:
        """Return the library a page showed if it is still the one served: ids are of one library only.

        Raises:
            LibraryError: another was put in its place.
        """
        if self.library() is not library:
            raise LibraryError("Another library was put in the place of this one; nothing was changed. Look again.")
        return library

    def searcher(self) -> Searcher:
        """The searcher of the library: one for all visitors, because it caches text vectors and rankings.

        Raises:
            LibraryError: see `library`.
        """
        library = self.library()
        with self._lock:
            if self._searcher is None or self._searcher.library is not library:
                self._searcher = Searcher(library, self.encoders)
            return self._searcher

    def preload_async(self) -> None:
        """Start `preload` in a thread if `preloads` is set: once, and again for another library."""
        with self._lock:
            if not self.preloads or (self._preloaded is not None and self._preloaded == self._opened):
                return
            self._preloaded = self._opened
        threading.Thread(target=self.preload, daemon=True).start()

    def preload(self) -> None:
        """Load the model and the vectors, so that the first search is fast. That search reports what fails."""
        try:
            searcher = self.searcher()
            space = searcher.space(words=True)
            engine = searcher.library.vectors.get(space.id)
            # Beside the imports: the compiler releases the GIL.
            threading.Thread(target=engine.warm, daemon=True).start()
            encoder = self.encoders.get(space)
            searcher.warm_up(space)
            if space.has_text:
                encoder.encode_texts([_A_TEXT])  # a compiled tower is opened by the first text
        except SightlineError as error:
            log.info("nothing was loaded ahead: %s", error)


@functools.cache
def _services(path: Path, offline: bool) -> Services:
    return Services(path, offline=offline)


def services() -> Services:
    """The services of this process: the library by SIGHTLINE_LIBRARY, offline by HF_HUB_OFFLINE."""
    return _services(default_library(), is_offline())
