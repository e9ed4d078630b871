"""The output of a run, on stderr: a progress bar where someone is looking, and a summary at the end."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from indexer.summary import Summary
from sightline.humanize import count
from store.printing import printable
from store.progress import BOUND_BY

if TYPE_CHECKING:
    from store.progress import Progress as State


class RunScreen:
    """A progress bar with pictures per second and the time left; silent when not a terminal."""

    def __init__(self, stream: TextIO, *, quiet: bool, verbose: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._live = not quiet and stream.isatty()
        self._verbose = verbose
        self._console = Console(file=stream, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._progress.add_task("index", total=None, speed="looking for pictures")

    def show(self, state: State) -> None:
        """Draw the state of a run."""
        failed = f", {state.failed} failed" if state.failed else ""
        limit = _limit(state.bound_by) if self._verbose else ""
        self._progress.update(
            self._task,
            completed=state.done,
            total=state.total,
            speed=f"{state.rate:.1f} pictures/s{limit}{failed}",
        )

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(printable(text, "\n"), markup=False)

    def hide(self) -> None:
        """Take the bar away for good, so that something can be asked."""
        self._progress.stop()

    def __enter__(self) -> RunScreen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def print_summary(stream: TextIO, summary: Summary, library: Path, *, verbose: bool) -> None:
    """The end of a run in a few lines; `verbose` adds what limited its speed."""
    counted = ", ".join(
        f"{value} {name}"
        for name, value in (
            ("added", summary.added),
            ("changed", summary.changed),
            ("moved", summary.moved),
            ("duplicates", summary.duplicates),
            ("restored", summary.restored),
            ("unchanged", summary.unchanged),
            ("missing", summary.missing),
            ("failed", summary.failed),
            ("forgotten", summary.forgotten),
        )
        if value or name in ("added", "unchanged", "missing", "failed")
    )
    lines = [counted + "."]
    models = "model" if len(summary.spaces) == 1 else "models"
    if summary.encoded:
        limit = _limit(summary.bound_by) if verbose else ""
        lines.append(
            f"{summary.encoded} pictures encoded in {summary.seconds - summary.loading:.1f} s "
            f"({summary.rate:.1f} pictures/s){limit}; "
            f"loading the {models} took {summary.loading:.1f} s."
        )
    if not summary.pictures:
        lines.append("There are no pictures in it.")
    if summary.caches:
        number = sum(summary.caches.values())
        named = ", ".join(list(summary.caches)[:3]) + (", ..." if len(summary.caches) > 3 else "")
        lines.append(
            f"{count(number, 'folder')} of other programs, bins and caches, {'was' if number == 1 else 'were'} left "
            f"out: {named}; --caches takes them."
        )
    lines += [f"Warning: --exclude {pattern} left nothing out." for pattern in summary.unmatched]
    if summary.not_in_space:
        lines.append(
            f"Searches use the model {summary.searched_space}: {summary.spaces[0]} has not seen "
            f"{count(summary.not_in_space, 'picture')} of the library yet. Index their folders with the same --space."
        )
    elif len(summary.spaces) == 1 and summary.searched_space not in ("", *summary.spaces):
        lines.append(
            f"Words are searched with the model {summary.searched_space}, as {summary.spaces[0]} reads none: in a "
            f"query, space:{summary.spaces[0]} chooses it."
        )
    lines += [
        f"The model {space['name']} is behind by {count(space['pictures'], 'picture')}: {space['reason']}"
        for space in summary.behind
        if not (summary.not_in_space and space["name"] in summary.spaces)
    ]
    if summary.marks_left:
        changed = "1 marked picture" if summary.marks_left == 1 else f"{summary.marks_left} marked pictures"
        theirs = "its" if summary.marks_left == 1 else "their"
        lines.append(
            f"{changed} changed; {theirs} marks stayed with the old version. `status` lists them, and "
            "`python -m search_ui left-marks` moves or deletes them."
        )
    if summary.marks_file:
        lines.append(f"All marks as they were before are in {summary.marks_file}")
    if summary.not_forgotten:
        number = summary.not_forgotten
        lines.append(f"{count(number, 'missing photo')} {'was' if number == 1 else 'were'} not forgotten.")
    if summary.failed:
        lines.append("Why files failed: python -m indexer failures")
    lines.append(f"Library {library}, {models} {', '.join(summary.spaces)}.")
    stream.write(printable("\n".join(lines), "\n") + "\n")


def _limit(bound_by: str) -> str:
    """What limits the speed of a run, to go on a line with it."""
    return f", limited by: {BOUND_BY[bound_by]}"
