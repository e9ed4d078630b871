"""Errors of worker processes, for programs that decode nothing yet."""

from __future__ import annotations

from store.errors import SightlineError


class WorkerError(SightlineError):
    """The processes that decode pictures can't be started."""


class BusyError(SightlineError):
    """All workers have been busy for too long."""


class StoppedError(Exception):
    """Nobody wants the answer any more."""
