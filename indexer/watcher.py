"""Watches folders of a library: indexes what is behind, then waits for changes and indexes those.

The lock of the library is held during runs alone, so others may index between them. Models stay loaded from one run to
the next, and are dropped after ten idle minutes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy.exc

from indexer import watch_text
from indexer.batcher import PictureEncoder
from indexer.chosen_spaces import choose
from indexer.dry_run import planned_spaces
from indexer.options import Options
from indexer.pipeline import Pipeline
from indexer.progress_bar import RunScreen
from indexer.roots import resolved
from indexer.run_lock import run_locked
from indexer.watch_drives import network_drive
from indexer.watch_folder import WatchedFolder, WatchLimitError
from indexer.watch_look import look
from sightline.humanize import short_path
from sightline.models.memory import give_back
from store.addresses import is_address
from store.errors import LibraryLockedError, SightlineError
from store.indexer_words import WAIT
from store.library import Library
from store.paths import display, to_bytes, to_path
from store.place import LibraryMovedError
from store.tables.watched_roots import watched_roots
from store.walk_options import NOTHING_CHOSEN

if TYPE_CHECKING:
    from indexer.summary import Summary

log = logging.getLogger(__name__)

# Seconds between two looks at whether folders are due; whether they are where they were, and which are to be watched.
_TICK: Final = 0.25
_CHECK: Final = 2.0
# Seconds that a tick may take: after more, the machine slept, or the process was stopped.
_ASLEEP: Final = 10.0
# Seconds between looks on network drives, and until it is tried again where a run failed.
EVERY: Final = 60.0
# Seconds after which a folder is looked at though nothing was reported: a system may lose reports.
_ANYWAY: Final = 6 * 3600.0
# Seconds without a run after which models are dropped.
_IDLE: Final = 600.0
# Seconds until it is tried again where another indexer is at work.
_AGAIN: Final = 2.0
# And where a folder is there and can't be indexed, such as one that seems emptied.
_SOON: Final = 3.0
# Files that a run was for are remembered up to so many.
_TRIED: Final = 10_000


class WatchError(SightlineError):
    """There is nothing to watch."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What is watched, and how.

    Attributes:
        library: its folder.
        folders: that were named; none: all of the library.
        only_switched: of all, those that were switched on at the page.
        space: as `--space` takes it.
        every: seconds between looks, where they are asked for in place of the system's reports.
        options: of the first run; later ones walk folders as they were.
        offline: use no network.
    """

    library: Path
    folders: Sequence[Path]
    only_switched: bool
    space: str | None
    every: float | None
    options: Options
    offline: bool


class Watcher:
    """The watcher of a library; hold `store.lock.watching` meanwhile.

    Attributes:
        stop: set it to end after the batch at hand.
        is_running: whether a run is at work.
    """

    def __init__(
        self, watching: Watching, say: Callable[[str], None], screen: Callable[[], RunScreen],
        result: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            watching: what, and how.
            say: prints a line.
            screen: makes what shows a run while it is at work.
            result: is given what a run did.
        """
        self.stop = threading.Event()
        self.is_running = False
        self._watching = watching
        self._say = say
        self._screen = screen
        self._result = result
        self._encoders: list[PictureEncoder] = []
        self._used = time.monotonic()
        self._named = sorted({resolved(folder) for folder in watching.folders})
        self._folders: dict[Path, WatchedFolder] = {}
        self._space_ids: list[int] | None = None
        self._said_busy = False
        self._pipeline: Pipeline | None = None

    def interrupt(self) -> None:
        """End after the batch at hand."""
        self.stop.set()
        if self._pipeline is not None:
            self._pipeline.stop.set()

    def watch(self) -> None:
        """Watch until `stop` is set, or nothing is left to watch.

        Raises:
            SightlineError: the first run could not be made, or the library is gone.
        """
        named = self._watching.folders
        if named:
            self._first_run()
        try:
            with Library.open(self._watching.library) as library:
                self._choose(library)
                if not self._folders and not self._watching.only_switched:
                    raise WatchError(
                        "There is nothing to watch: the library has no folder yet, or only addresses, which are looked "
                        "at with --every N. Name one: python -m indexer watch FOLDER"
                    )
                if self._folders and not self.stop.is_set():
                    self._take_up(library, list(self._folders.values()))
                    self._say(watch_text.watching(list(self._folders)))
                self._wait(library)
        finally:
            for folder in self._folders.values():
                folder.close()
            self._drop_models()

    # -- which folders --------------------------------------------------------------------------------------------

    def _choose(self, library: Library) -> None:
        """Take up folders that are to be watched now; drop those that are not, or not of the library."""
        known = watched_roots(library.catalog.engine)
        roots = [to_path(path) for path, is_on in known.items() if is_on or not self._watching.only_switched]
        if self._watching.folders:
            wanted = [folder for folder in self._named if any(folder.is_relative_to(root) for root in roots)]
        else:
            wanted = roots
        if self._watching.every is None:
            wanted = [folder for folder in wanted if not is_address(folder)]
        for folder in self._folders.keys() - set(wanted):
            self._folders.pop(folder).close()
            self._say(f"{short_path(folder)} is not watched any more.")
        for folder in wanted:
            if folder not in self._folders:
                self._add(folder)

    def _add(self, folder: Path) -> None:
        watched = self._folders[folder] = WatchedFolder(folder, self._watching.every)
        self._check_place(watched)

    def _check_place(self, folder: WatchedFolder) -> None:
        """Take a folder up anew where it came, went, or is another; it may be on a network drive now."""
        if folder.has_other_place() and self._watching.every is None:
            kind = network_drive(folder.folder)
            if kind and folder.every is None:
                self._say(watch_text.polling(folder.folder, f"is on a network drive ({kind})", EVERY))
            folder.every = EVERY if kind else None

    # -- waiting --------------------------------------------------------------------------------------------------

    def _wait(self, library: Library) -> None:
        checked = time.monotonic()
        while not self.stop.is_set() and self._folders:
            asked = time.time()
            self.stop.wait(_TICK)
            now = time.monotonic()
            if time.time() - asked > _ASLEEP:
                self._say("The machine slept, or this program was stopped: looking through everything.")
                for folder in self._folders.values():
                    folder.close()
                    folder.is_whole = True
                    folder.note(at_once=True)
            if now - checked >= _CHECK:
                checked = now
                library.place.check()
                self._choose(library)
                for folder in self._folders.values():
                    if folder.every is None:  # others are looked at anyway, and may not answer
                        self._check_place(folder)
            due = [folder for folder in self._folders.values() if folder.is_due(now) or folder.age(now) > _ANYWAY]
            if due:
                self._take_up(library, due)
            elif self._encoders and now - self._used > _IDLE:
                self._drop_models()

    def _drop_models(self) -> None:
        for encoder in self._encoders:
            encoder.close()
        self._encoders.clear()
        give_back()

    # -- looks ----------------------------------------------------------------------------------------------------

    def _take_up(self, library: Library, due: Sequence[WatchedFolder]) -> None:
        """Look at folders, and make a run for those with news."""
        news = []
        for folder in due:
            if self.stop.is_set():
                return
            if folder.every is not None:
                self._check_place(folder)
            folder.begin_look()
            if self._has_news(library, folder):
                news.append(folder)
            folder.end_look()
        # Files are still being written by another rule where the system does not report.
        for rule in {folder.rule for folder in news}:
            self._run_for(library, [folder for folder in news if folder.rule == rule])

    def _has_news(self, library: Library, folder: WatchedFolder) -> bool:
        """Whether a run has something to do; says once why a folder can't be looked at."""
        if not folder.is_there():
            return self._leave(folder, "is not there now. Nothing is changed until it is back.")
        try:
            if self._space_ids is None:
                watching = self._watching
                self._space_ids = planned_spaces(watching.library, watching.space, offline=watching.offline)
            look(library, folder, self._space_ids)
        except WatchLimitError:
            folder.every = EVERY
            self._say(watch_text.polling(folder.folder, watch_text.limit_reached(), EVERY))
        except LibraryMovedError:
            raise
        except (SightlineError, sqlalchemy.exc.DBAPIError, OSError) as error:
            return self._leave(folder, _in_words(error))
        if folder.away:
            self._say(f"{short_path(folder.folder)} is watched again.")
        folder.away = ""
        # What is still so after the run that was for it, as a file that a model makes nothing of, is no news.
        return folder.is_whole or bool(folder.found - folder.tried)

    def _leave(self, folder: WatchedFolder, why: str) -> bool:
        if folder.away != why:
            name = short_path(folder.folder)
            self._say(f"{name} {why}" if why.startswith("is ") else f"{name}: {why}")
        folder.away = why
        folder.growing = []
        folder.close()
        if folder.is_there():
            folder.put_off(_SOON)
        return False

    # -- runs -----------------------------------------------------------------------------------------------------

    def _first_run(self) -> None:
        """Index what was named, as `index` does, once no other indexer is at work."""
        watching = self._watching
        while not self.stop.is_set():
            try:
                self._run(watching.folders, watching.options)
            except LibraryLockedError as error:
                self._say_busy(error)
                self.stop.wait(_AGAIN)
            else:
                return

    def _run_for(self, library: Library, folders: Sequence[WatchedFolder]) -> None:
        """Make a run, and try again later where it can't be made."""
        options = replace(self._watching.options, walk=NOTHING_CHOSEN, growing=folders[0].rule)
        try:
            self._run([folder.folder for folder in folders], options)
        except LibraryLockedError as error:
            self._say_busy(error)
            for folder in folders:
                folder.put_off(_AGAIN)
            return
        except LibraryMovedError:
            raise
        except (SightlineError, sqlalchemy.exc.DBAPIError, OSError) as error:
            log.debug("a run failed", exc_info=error)
            library.place.check()
            why = _in_words(error)
            if any(folder.failed != why for folder in folders):
                self._say(f"Error: {why} Trying again every {EVERY:.0f} seconds.")
            for folder in folders:
                folder.failed = why
                folder.put_off(EVERY)
            return
        for folder in folders:
            folder.failed = ""
            folder.is_whole = False
            folder.tried = folder.found if len(folder.found) <= _TRIED else frozenset()

    def _run(self, folders: Sequence[Path], options: Options) -> Summary:
        watching = self._watching
        path = watching.library
        with run_locked(path, folders):
            self._said_busy = False
            chosen = choose(path, watching.space, options.device, offline=watching.offline)
            with Library.create(path) as library, self._screen() as screen:
                library.sweep()
                pipeline = Pipeline(
                    library, chosen, options, screen.show, self._encoders, keep=self._encoders.append
                )  # fmt: skip
                self._pipeline, self.is_running = pipeline, True
                if self.stop.is_set():
                    pipeline.stop.set()
                try:
                    summary = pipeline.run(folders)
                finally:
                    self._pipeline, self.is_running = None, False
                    self._used = time.monotonic()
                    self._space_ids = None
        self._say(watch_text.line(summary, list(folders)))
        self._result({**summary.to_dict(), "library": display(to_bytes(path)), "interrupted": self.stop.is_set()})
        return summary

    def _say_busy(self, error: LibraryLockedError) -> None:
        if not self._said_busy:
            self._say(f"{str(error).removesuffix(WAIT)}Waiting for it.")
        self._said_busy = True


def _in_words(error: Exception) -> str:
    return str(error.orig) if isinstance(error, sqlalchemy.exc.DBAPIError) else str(error)
