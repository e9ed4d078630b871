"""Runs of the indexer that pages start: a process of its own, one at a time, seen by all visitors.

A run has its own process session, so a Ctrl-C in the server's terminal does not reach it. It still ends with the
server, by the pipe that `indexer.supervised` watches; a run is stopped by the same pipe. What was committed is safe,
and the next run goes on from there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Literal

from sightline.humanize import ago
from store import progress
from store.errors import SightlineError
from store.lock import indexer_pid, is_indexing
from store.paths import absolute, display, to_bytes
from store.tables.records import now
from store.walk_options import NOTHING_CHOSEN, WalkChoice

log = logging.getLogger(__name__)

# A batch takes seconds; with a large model on a slow machine half a minute. A kill loses nothing that was committed.
PATIENCE: Final = 60.0
# Of a run that has no batch at hand yet: until it is told to leave off what it does, and until it is killed. It may
# load a model or wait for a download meanwhile, which Python can't always be called away from.
PATIENCE_STARTING: Final = (1.0, 2.2)
# So many of the last messages of a run are kept, and so many characters of each.
LINES: Final = 200
LINE: Final = 20_000

State = Literal["running", "stopping", "done", "stopped", "failed"]


class RunError(SightlineError):
    """A run can't be started; the message says why."""


@dataclass
class Run:
    """A run that was started here.

    Attributes:
        what: what it does.
        folders: that it looks through, as displayed; none where it looks through all, or verifies.
        pid: its process.
        started: ISO 8601, UTC.
        state: done where it did all it was to do, with or without files that failed.
        code: what it exited with; None before.
        repairs: whether it mends what a check finds.
        places: those folders.
        results: the JSON objects that it printed: a summary, or findings of `verify`.
        log: its last messages.
    """

    what: Literal["index", "prune", "verify"]
    folders: tuple[str, ...]
    places: tuple[Path, ...] = ()
    pid: int = 0
    started: str = field(default_factory=now)
    state: State = "running"
    code: int | None = None
    repairs: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))

    @property
    def doubted(self) -> list[dict[str, Any]]:
        """The folders below which nothing was forgotten, as `indexer.doubt` tells: path, photos, reason."""
        found = self.results[-1].get("doubted", []) if self.results else []
        return found if isinstance(found, list) else []

    @property
    def is_running(self) -> bool:
        """Whether it is still at work."""
        return self.state in ("running", "stopping")


class Runner:
    """Starts and stops the indexer on the library at `path`, offline where the server is."""

    def __init__(self, path: Path, *, offline: bool) -> None:
        self._path = path.expanduser().absolute()
        self._offline = offline
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._ended.set()

    @property
    def run(self) -> Run | None:
        """The present run, or the last one; None before the first, and after `dismiss`."""
        return self._run

    def index(
        self, folders: Sequence[Path], *, space: str | None = None, prune: bool = False, emptied: bool = False,
        walk: WalkChoice = NOTHING_CHOSEN, tiles: int | None = None,
    ) -> Run:  # fmt: skip
        """Start to index folders.

        Args:
            folders: absolute.
            space: as `--space` takes it; None: all of the library.
            prune: forget the photos of these folders that are missing, and marks with them: whoever calls has asked.
            emptied: likewise, and of folders that are gone or empty as a whole, or of which more than a third is gone.
            walk: what is chosen of how they are walked, from now on.
            tiles: parts along the shorter side of pictures that are encoded too, from now on, 0 for none; None: as
                before.

        Raises:
            RunError: a run is going on, here or elsewhere, or it can't be started.
        """
        options = ([f"--space={space}"] if space else []) + walk.as_arguments()
        options += ["--prune-emptied", "--yes"] if emptied else ["--prune", "--lose-marks"] if prune else []
        options += [] if tiles is None else [f"--tiles={tiles}"]
        options += ["--offline"] if self._offline else []
        # After `--` nothing is an option, and after `index` nothing a command, whatever folders are called.
        arguments = ["index", *options, "--", *(os.fspath(absolute(folder)) for folder in folders)]
        names = tuple(display(to_bytes(folder)) for folder in folders)
        what: Literal["prune", "index"] = "prune" if prune or emptied else "index"
        return self._start(Run(what, names, tuple(folders)), arguments)

    def verify(self, *, repair: bool = False) -> Run:
        """Start to check the library; with `repair`, to mend what is wrong.

        Raises:
            RunError: as `index`.
        """
        return self._start(Run("verify", (), repairs=repair), ["verify", *(["--repair"] if repair else [])])

    def stop(self, which: Run | None = None, *, at_once: bool = False) -> None:
        """Stop the run after its batch; kill it after `PATIENCE` seconds, sooner where it is starting.

        Args:
            which: only this one; another that was started meanwhile goes on.
            at_once: kill it now, but only if it is stopping already: two visitors may press "Stop" once each.
        """
        with self._lock:
            run, process = self._run, self._process
            if run is None or process is None or not run.is_running or which not in (None, run):
                return
            if run.state == "stopping":
                if at_once:
                    _kill(process)
                return
            run.state = "stopping"
            _interrupt(process)
        if _is_starting(self._path):
            _later(PATIENCE_STARTING[0], _interrupt, process)
            _later(PATIENCE_STARTING[1], _kill, process)
        else:
            _later(PATIENCE, _kill, process)

    def dismiss(self) -> None:
        """Forget a run that has ended."""
        with self._lock:
            if self._run is not None and not self._run.is_running:
                self._run = None

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the end of the run; returns whether it has ended."""
        return self._ended.wait(seconds)

    def _start(self, run: Run, arguments: list[str]) -> Run:
        with self._lock:
            if self._run is not None and self._run.is_running:
                raise RunError("A run that was started here is still at work. Wait for it, or stop it.")
            busy = running_elsewhere(self._path)
            if busy:
                raise RunError(busy)
            command = [sys.executable, "-m", "indexer.supervised", *arguments]
            # Before `--`, where folders begin.
            command[4:4] = ["--library", os.fspath(self._path), "--json"]
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    # Where this package lies: a folder someone works in may have an `indexer` of its own.
                    cwd=Path(__file__).parents[2], start_new_session=True,
                )  # fmt: skip
            except (OSError, ValueError) as error:
                raise RunError(f"The indexer can't be started ({error}).") from error
            run.pid = process.pid
            self._run, self._process = run, process
            self._ended.clear()
        threading.Thread(target=self._follow, args=(run, process), daemon=True).start()
        return run

    def _follow(self, run: Run, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None and process.stderr is not None
        listener = threading.Thread(target=_listen, args=(process.stderr, run.log), daemon=True)
        listener.start()
        printed: deque[str] = deque(maxlen=LINES)
        _listen(process.stdout, printed)
        listener.join()
        code = process.wait()
        for line in printed:
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            if isinstance(found, dict):
                run.results.append(found)
        with self._lock:
            run.code = code
            # A run that was asked to stop may have ended by itself before.
            was_stopped = code not in (0, 1) and (run.state == "stopping" or code in (130, 143))
            is_done = code in (0, 1) or (code == 2 and bool(run.doubted))
            run.state = "stopped" if was_stopped else "done" if is_done else "failed"
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
        self._ended.set()
        log.info("%s ended with %s", run.what, code)


def _is_starting(library: Path) -> bool:
    """Whether a run has not read any file yet that it would commit."""
    state = progress.read(library)
    if state is None:
        return True
    return state.phase in ("downloading", "looking", "loading") or (state.phase == "indexing" and not state.done)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # it has just ended
        process.stdin.write(b".")
        process.stdin.flush()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a run, and the processes that read files for it."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _later(seconds: float, act: Callable[[subprocess.Popen[bytes]], None], process: subprocess.Popen[bytes]) -> None:
    timer = threading.Timer(seconds, act, (process,))
    timer.daemon = True
    timer.start()


def _listen(stream: IO[bytes], lines: deque[str]) -> None:
    """Read a pipe to its end, and keep its lines: a full pipe blocks the process that writes."""
    while line := stream.readline(LINE):
        text = line.decode("utf-8", "replace").strip()
        if text:
            lines.append(text)


def running_elsewhere(path: Path) -> str:
    """Return a sentence on the indexer that is running on the library at `path`; empty if none is."""
    if not is_indexing(path):
        return ""
    pid = indexer_pid(path)
    state = progress.read(path)
    which = f" (process {pid}{f', started {ago(state.started)}' if state else ''})" if pid else ""
    where = f" on {', '.join(state.folders[:3])}" if state and state.folders else ""
    return (
        f"Another indexer{which} is at work{where}, and only one can be. Wait for it, or stop it where it was started."
    )
