"""Long work of commands that change the library as a whole: its progress, and an end by SIGTERM."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

import click

from indexer.signals import TERMINATED


@contextmanager
def steps_shown(names: Mapping[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr, where that is a terminal.

    Args:
        names: how steps are called, by what is passed on.

    Yields:
        What is to be called with the step, what was done of it, and its total.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr, highlight=False)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task, at = bar.add_task("", total=None), ""

        def show(step: str, done: int, total: int) -> None:
            nonlocal at
            if step != at:
                bar.reset(task, total=total, description=names[step])
                at = step
            bar.update(task, completed=done, total=total)

        yield show


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, so that nothing half-done is left."""

    def stop(_number: int, _frame: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise click.exceptions.Exit(TERMINATED)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
