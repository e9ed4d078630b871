"""The progress of a run on stderr: a line that fits the terminal; elsewhere a line or two."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, TextIO

from sightline.humanize import clock
from sightline.run_words import PHASES, of_bytes
from store.printing import printable
from store.progress import BOUND_BY

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from store.progress import Progress

_COUNTING: Final = ("downloading", "indexing", "thumbnails")
# Cells between two parts, of the bar, and of the least bar that is worth drawing.
_GAP, _LONG, _SHORT = 2, 40, 10
# The place of what goes first, and before the bar does; and of names, which are shortened after the bar went.
_FIRST, _NAME = 1, 5
# Files after which the time left is worth saying.
_ENOUGH: Final = 5


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the line: its forms, the longest first, and when it is made shorter (the least first)."""

    forms: tuple[str, ...]
    order: int


def parts_of(state: Progress, *, verbose: bool) -> list[Part]:
    """Say what a line about a run consists of, in the order of the line."""
    is_download = state.phase == "downloading"
    if state.phase not in _COUNTING or not (state.done or is_download):
        alone = "Looking for pictures" if state.phase in ("looking", "indexing") else PHASES[state.phase]
        return [Part((alone,), 9)]
    number = f"{state.done:,}" if state.total is None else f"{state.done:,} of {state.total:,}"
    parts = []
    if is_download:
        amount = of_bytes(state)
        forms = (f"{PHASES[state.phase]}, {amount}", f"Model: {amount}", amount) if amount else (PHASES[state.phase],)
        parts.append(Part(forms, _NAME))
        speed: tuple[str, ...] = (f"{state.rate / 1e6:.1f} MB/s", "")
    else:
        if state.phase == "thumbnails":
            parts.append(Part((PHASES[state.phase], "Thumbnails", ""), _NAME))
        parts.append(Part((f"{number} pictures", number), 3))
        speed = (f"{state.rate:.1f} pictures/s", f"{state.rate:.1f}/s", "")
    if state.total:
        share = min(1.0, state.done / state.total)
        parts.append(Part((f"{int(share * 100)}%",), 9))
        if state.rate > 0 and (is_download or state.done >= _ENOUGH):
            parts.append(Part((f"{clock(max(0.0, state.total - state.done) / state.rate)} left",), 9))
    if state.rate > 0:
        parts.append(Part(speed, 4))
    if state.failed:
        parts.append(Part((f"{state.failed:,} unreadable", ""), 6))
    if verbose and not is_download:
        parts.append(Part((f"limited by: {BOUND_BY[state.bound_by]}", ""), _FIRST))
    return parts


def fitted(parts: list[Part], width: int, *, drop: bool) -> str:
    """Join the parts, made shorter one after the other until they fit in so many cells.

    Args:
        parts: of the line.
        width: in cells.
        drop: shorten names and leave parts out, too; else only those that are the first to go.
    """
    forms = [0] * len(parts)
    while True:
        text = (" " * _GAP).join(filter(None, (part.forms[form] for part, form in zip(parts, forms, strict=True))))
        longer = [
            place
            for place, part in enumerate(parts)
            if forms[place] < len(part.forms) - 1
            and (drop or part.order == _FIRST or (part.order < _NAME and part.forms[forms[place] + 1]))
        ]
        if len(text) <= width or not longer:
            return text
        forms[min(longer, key=lambda place: parts[place].order)] += 1


class RunScreen:
    """Shows how far a run is.

    On a terminal by a line with a bar; in a pipe by a line where a download begins and ends.
    """

    def __init__(self, stream: TextIO, *, quiet: bool, verbose: bool) -> None:
        self._quiet = quiet
        self._live = not quiet and stream.isatty()
        self._verbose = verbose
        self._stream = stream
        self._state: Progress | None = None
        self._is_downloading = False
        self._screen: Live | None = None
        if self._live:
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner

            self._spinner = Spinner("dots")
            console = Console(file=stream, highlight=False)
            self._screen = Live(console=console, transient=True, refresh_per_second=8, get_renderable=self._line)

    def show(self, state: Progress) -> None:
        """Draw the state of a run; in a pipe, say where a download begins and ends."""
        self._state = state
        # Before anything is known of it the hub has not answered.
        if state.phase == "downloading" and (state.total or state.done) and not self._is_downloading:
            self._is_downloading = True
            size = f", {of_bytes(state).rpartition(' of ')[2]}" if state.total else ""
            self.announce(f"{PHASES['downloading']}{size}")
        elif self._is_downloading and state.phase != "downloading":
            self._is_downloading = False
            self.announce("Downloaded the model")

    def announce(self, text: str) -> None:
        """Print a line where no bar is drawn."""
        if not self._live and not self._quiet:
            self.note(text)

    def note(self, text: str) -> None:
        """A line above the bar."""
        said = printable(text, "\n")
        if self._screen is None:
            print(said, file=self._stream, flush=True)
        else:
            self._screen.console.print(said, markup=False)

    def hide(self) -> None:
        """Take the bar away for good, so that something can be asked."""
        if self._screen is not None:
            self._screen.stop()

    def _line(self) -> RenderableType:
        """The line, as wide as the terminal is now; the bar takes what the words leave."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        state = self._state
        if state is None or self._screen is None:  # which is what draws it
            return ""
        width = self._screen.console.width
        parts = parts_of(state, verbose=self._verbose)
        beside_bar = width - 2 - _GAP - _SHORT
        words = fitted(parts, beside_bar, drop=False)
        if len(words) > beside_bar:
            words = fitted(parts, width, drop=True)
        room = width - len(words) - 2
        row: list[RenderableType] = [words]
        if room >= 0:
            row.insert(0, self._spinner)
        if room >= _GAP + _SHORT:
            is_counted = state.phase in _COUNTING and state.total is not None
            bar = ProgressBar(
                total=state.total if is_counted else None, completed=state.done, width=min(_LONG, room - _GAP),
                pulse=not is_counted,
            )  # fmt: skip
            row.insert(1, bar)
        line = Table.grid(padding=(0, 1))
        for _ in row:
            line.add_column(no_wrap=True)
        line.add_row(*row)
        return line

    def __enter__(self) -> RunScreen:
        if self._screen is not None:
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()
