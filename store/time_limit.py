"""A limit of time for work that someone waits for, such as the answer to a request.

Threads can't be ended from outside. So work looks at the clock itself: SQLite does while it runs a statement
(`store.tables.database`), and loops whose length comes from a request or a library do through `checked`. Without a
limit, as in the indexer and at the command line, nothing is looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

from store.errors import SightlineError

T = TypeVar("T")


class TimeLimitError(SightlineError):
    """The work took longer than it may. Nothing that it began was kept."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"This took longer than the {seconds:g} seconds it may take, and was stopped. Ask for less, or ask again "
            "when the machine is less busy; the command line has no such limit."
        )


class _Limit(NamedTuple):
    end: float  # of time.monotonic()
    seconds: float


_limit: ContextVar[_Limit | None] = ContextVar("time limit", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit what is done inside, in this thread and those that carry its context.

    A limit around it that ends first stays.

    Raises:
        TimeLimitError: from inside, where the work looks at the clock.
    """
    made, around = _Limit(time.monotonic() + seconds, seconds), _limit.get()
    token = _limit.set(made if around is None or made.end < around.end else around)
    try:
        yield
    finally:
        _limit.reset(token)


def restart() -> None:
    """Let the limit begin again, where there is one: what the work had to wait for is there now."""
    limit = _limit.get()
    if limit is not None:
        _limit.set(_Limit(time.monotonic() + limit.seconds, limit.seconds))


def lift() -> None:
    """Let what follows here take as long as it needs: a client takes its time."""
    _limit.set(None)


def is_limited() -> bool:
    """Whether there is a limit here."""
    return _limit.get() is not None


def is_over() -> bool:
    """Whether there is a limit here, and it is over."""
    limit = _limit.get()
    return limit is not None and time.monotonic() > limit.end


def remaining() -> float:
    """Seconds until the limit is over, not below 0; infinite where there is none."""
    limit = _limit.get()
    return math.inf if limit is None else max(0.0, limit.end - time.monotonic())


def check() -> None:
    """Go on only while there is time.

    Raises:
        TimeLimitError: the limit is over.
    """
    limit = _limit.get()
    if limit is not None and time.monotonic() > limit.end:
        raise TimeLimitError(limit.seconds)


def checked(items: Iterable[T], *, every: int = 64) -> Iterator[T]:
    """Yield the items, with a look at the clock before each `every` of them.

    Raises:
        TimeLimitError: the limit is over.
    """
    if not is_limited():
        yield from items
        return
    for turn, item in enumerate(items):
        if turn % every == 0:
            check()
        yield item
