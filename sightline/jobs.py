"""Background jobs: work too slow for a page, done once for all visitors, in a thread, polled by pages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.exc import DatabaseError

from sightline.lru import Lru
from store.errors import SightlineError

log = logging.getLogger(__name__)
T = TypeVar("T")

# Results kept: a map of a million pictures takes 20 MB.
KEPT: Final = 6


@dataclass
class Job(Generic[T]):
    """A piece of work, as far as it is.

    Attributes:
        done: the share that is done, 0 to 1.
        doing: the present step, for people.
        result: what the work returned; None until it is done.
        error: why it failed, for people; empty otherwise.
    """

    done: float = 0.0
    doing: str = ""
    result: T | None = None
    error: str = ""
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_running(self) -> bool:
        """Whether it is still at work."""
        return not self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the end; returns whether it came. A quick job need not show progress."""
        return self._ended.wait(seconds)


Report = Callable[[float, str], None]
"""Called by the work: the share that is done, 0 to 1, and what it is at."""


class Background:
    """Jobs by key, which should contain the state of the library. One runs at a time, the others wait."""

    def __init__(self) -> None:
        self._jobs: Lru[Hashable, Job[Any]] = Lru(KEPT, pinned=lambda job: job.is_running)
        self._turn = threading.Lock()  # two at once would take each other's cores, and those of the searches

    def job(self, key: Hashable, work: Callable[[Report], T]) -> Job[T]:
        """The job of this key; started where there is none. A failed one stays failed: `forget` it first."""
        new: Job[T] = Job()
        job = self._jobs.get_or_make(key, lambda: new)
        if job is new:
            threading.Thread(target=self._run, args=(job, work), daemon=True).start()
        return job

    def forget(self, key: Hashable) -> None:
        """Forget the job of this key, so that the next call of `job` starts it anew."""
        self._jobs.drop(lambda known: known == key)

    def _run(self, job: Job[T], work: Callable[[Report], T]) -> None:
        def report(done: float, doing: str) -> None:
            job.done, job.doing = min(max(done, 0.0), 1.0), doing

        try:
            with self._turn:
                job.result = work(report)
        except (SightlineError, DatabaseError) as error:
            job.error = str(error)
        except MemoryError:
            job.error = "There is not enough memory for this on this machine."
        except Exception as error:
            log.exception("background work failed")
            job.error = f"It failed ({type(error).__name__}: {error}). The server's log has the details."
        finally:
            job._ended.set()
