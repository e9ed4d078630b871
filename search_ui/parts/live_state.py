"""What open pages are told while they are open: the run at work, and how far the library is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypedDict

from sqlalchemy.exc import DatabaseError

from search_ui.parts.run_text import STARTING, VERIFYING, details, heading, share
from search_ui.runtime.index_runs import Run
from search_ui.runtime.services import Services
from sightline.run_words import PHASES
from store import progress
from store.errors import SightlineError
from store.library import Library
from store.lock import is_indexing
from store.progress import Progress
from store.remote import truth_file
from store.tables import library_reports


class RunState(TypedDict):
    """A run as it is shown: heading, details, and how much is done, 0 to 1; None if not known."""

    head: str
    said: str
    share: float | None


class LiveState(TypedDict):
    """What is so at one time.

    `at` is of the server's monotonic clock. `library` names the library that is there, empty for none. A commit of
    an indexer raises its `generation`, a new picture `newest`. `runs` changes when a run begins, is stopped, or ends.
    """

    at: float
    library: str
    generation: int
    newest: int
    runs: str
    run: RunState | None


def live_state(services: Services) -> LiveState:
    """Look at a library and its run. One that can't be opened is as good as none."""
    at = time.monotonic()
    own, path = services.runner.run, services.path
    is_own = own is not None and own.is_running
    state = progress.read(path)
    is_busy = is_own or state is not None or is_indexing(path)
    if is_own and own is not None and own.what == "verify":
        run: RunState | None = {"head": VERIFYING, "said": "", "share": None}
    else:
        run = shown(state) if is_busy else None
    library = library_name(path)
    generation = newest = 0
    try:
        if library:
            opened = services.library()
            generation, newest = opened.catalog.generation(), library_reports.newest(opened.catalog)
            if state is None and is_own and own is not None and run is not None and _is_over(own, opened):
                run["head"] = PHASES["finishing"]
    except (SightlineError, DatabaseError):
        library = ""
    runs = f"{own.pid} {own.state}" if own is not None else ""
    return {
        "at": at, "library": library, "generation": generation, "newest": newest,
        "runs": f"{runs}{' busy' if is_busy else ''}", "run": run,
    }  # fmt: skip


def _is_over(run: Run, library: Library) -> bool:
    """Whether a run of the indexer has done its work: its process may take seconds more to end."""
    last = library.catalog.last_run()
    return run.what != "verify" and last is not None and (last["finished_at"] or "") >= run.started


def shown(state: Progress | None) -> RunState:
    """Return a run in words; one that has not said yet how far it is, is starting."""
    if state is None:
        return {"head": STARTING, "said": "", "share": None}
    part = share(state)
    return {"head": heading(state), "said": details(state), "share": None if part is None else round(part, 4)}


def library_name(path: Path) -> str:
    """Return what tells the library at a path from another in its place; empty where there is none."""
    try:
        found = truth_file(path).stat()
    except OSError:
        return ""
    return f"{found.st_dev}-{found.st_ino}"
