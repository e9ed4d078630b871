"""Runs of the indexer to which something happens half-way: a process of its own each, so that it may be killed."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

MOMENTS: Final = ("scandir", "replace", "fsync", "commit")
"""What is counted: calls of `os` by the run, and its transactions just before they are committed."""

# All forks of one process that has imported what takes seconds to import, and used none of it.
_FORKS: Final = multiprocessing.get_context("forkserver") if hasattr(os, "fork") else None
if _FORKS is not None:
    _FORKS.set_forkserver_preload(["indexer.commands", "indexer.pipeline", "open_clip", "sqlalchemy", "faults"])


def run(arguments: Sequence[str], moment: str, number: int, happens: Callable[[], object]) -> int:
    """Run the command line of the indexer; at the `number`-th moment of one of MOMENTS, something happens.

    Returns:
        The exit code, or minus the number of the signal that ended the run.
    """
    return _in_process(_with_moment, list(arguments), moment, number, happens)


def run_on_full_disk(arguments: Sequence[str], kib: int) -> int:
    """Run the command line of the indexer; no file grows beyond a size, as on a disk without room."""
    return _in_process(_with_limit, list(arguments), kib)


def kill() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> None:
    """Fail as a call of the system does.

    Raises:
        OSError: with the error `number`.
    """
    raise OSError(number, os.strerror(number))


def disk_is_full() -> None:
    """Fail as writing to a full disk does."""
    fail(errno.ENOSPC)


def disk_is_broken() -> None:
    """Fail as a broken disk does."""
    fail(errno.EIO)


def _in_process(target: Callable[..., None], *given: object) -> int:
    assert _FORKS is not None
    process = _FORKS.Process(target=target, args=given)
    process.start()
    process.join(180)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"a run did not end: {given}")
    return process.exitcode


def _with_moment(arguments: list[str], moment: str, number: int, happens: Callable[[], object]) -> None:
    from sqlalchemy import Engine, event

    count = 0

    def counted() -> None:
        nonlocal count
        count += 1
        if count == number:
            happens()

    if moment == "commit":
        event.listen(Engine, "commit", lambda connection: counted())
    else:
        real = getattr(os, moment)

        def call(*given: Any, **options: Any) -> Any:
            counted()
            return real(*given, **options)

        setattr(os, moment, call)
    _end(arguments)


def _with_limit(arguments: list[str], kib: int) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, kib * 1024))
    _end(arguments)


def _end(arguments: list[str]) -> None:
    from indexer.commands import run

    sys.exit(run(arguments))


def folder_size(folder: Path) -> int:
    """KiB of the largest file below a folder."""
    return max((path.stat().st_size for path in folder.rglob("*") if path.is_file()), default=0) // 1024
