"""The watcher that a server keeps running while any folder is switched on.

`python -m indexer watch --switched` is a process of its own that ends with the server, as runs are (see `index_runs`).
It is started again where it ended by itself, and learns by itself which folders are switched on.
"""

from __future__ import annotations

import functools
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from search_ui.runtime.index_runs import LINE, LINES, PATIENCE
from search_ui.runtime.services import services
from sightline.humanize import short_path
from sightline.models.offline import is_offline
from store.errors import LibraryError
from store.library import Library
from store.paths import to_path
from store.tables.watched_roots import watched_roots

log = logging.getLogger(__name__)

# Seconds until a watcher that ended by itself is started again: twice as many each time, up to the last.
_FIRST: Final = 2.0
_LAST: Final = 300.0
# One that worked so long did not fail at once.
_WORKED: Final = 60.0


class WatchKeeper:
    """Keeps a watcher of the library at `path`, offline where the server is."""

    def __init__(self, path: Path, *, offline: bool) -> None:
        self._path = path.expanduser().absolute()
        self._offline = offline
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._pause = _FIRST
        self._log: deque[str] = deque(maxlen=LINES)

    @property
    def is_running(self) -> bool:
        """Whether a watcher is at work."""
        process = self._process
        return process is not None and process.poll() is None

    def line(self, folder: bytes) -> str:
        """What the watcher last said of a folder, or what keeps it from working; empty for nothing."""
        name = short_path(to_path(folder))
        said = (line for line in reversed(list(self._log)) if line.startswith("Error:") or _names(line, name))
        return next(said, "")

    def sync(self, library: Library | None = None) -> None:
        """Start the watcher if a folder is switched on and it does not run; stop it if none is.

        `library` is the one served, if it is open.
        """
        try:
            library = library or services().library()
        except LibraryError:  # there is none yet
            return
        wanted = any(watched_roots(library.catalog.engine).values())
        with self._lock:
            self._wanted = wanted
            if wanted and not self.is_running:
                self._pause = _FIRST
                self._start()
            elif not wanted and self._process is not None:
                _stop(self._process)

    def _start(self) -> None:
        command = [sys.executable, "-m", "indexer.supervised", "watch", "--switched"]
        command += ["--library", os.fspath(self._path), *(["--offline"] if self._offline else [])]
        self._log.clear()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                # Where this package lies: a folder someone works in may have an `indexer` of its own.
                cwd=Path(__file__).parents[2], start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._log.append(f"Error: the watcher can't be started ({error}).")
            return
        threading.Thread(target=self._follow, args=(self._process,), daemon=True).start()

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None and process.stdin is not None
        began = time.monotonic()
        while read := process.stderr.readline(LINE):
            if text := read.decode("utf-8", "replace").strip():
                self._log.append(text)
        code = process.wait()
        process.stderr.close()
        with suppress(OSError):
            process.stdin.close()
        with self._lock:
            if self._process is not process:  # another was started meanwhile
                return
            self._process = None
            if not self._wanted:
                return
            worked = time.monotonic() - began > _WORKED
            pause = self._pause = _FIRST if worked else min(2 * self._pause, _LAST)
        log.info("the watcher ended with %s; it is started again in %s seconds", code, pause)
        timer = threading.Timer(pause, self._again)
        timer.daemon = True
        timer.start()

    def _again(self) -> None:
        with self._lock:
            if self._wanted and not self.is_running:
                self._start()


def _names(line: str, name: str) -> bool:
    at = line.find(name)
    return at >= 0 and line[at + len(name) : at + len(name) + 1] in ("", ":", ",", " ")


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # it has just ended
        process.stdin.write(b".")
        process.stdin.flush()
    timer = threading.Timer(PATIENCE, process.kill)
    timer.daemon = True
    timer.start()


@functools.cache
def _keeper(path: Path, offline: bool) -> WatchKeeper:
    return WatchKeeper(path, offline=offline)


def watch_keeper() -> WatchKeeper:
    """The one of this process, for the library that is served."""
    return _keeper(services().path, is_offline())
