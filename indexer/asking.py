"""The question before marks are lost: `forget` and `--prune` ask, or say what to say."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from sightline.humanize import count
from sightline.lost_marks import in_words
from store.errors import SightlineError
from store.printing import printable
from store.tables.losses import Losses


class NotForgottenError(SightlineError):
    """Nothing was forgotten, because marks would be lost and nobody was there to be asked."""


class Question:
    """Asks whether marks may be lost: with `yes` nobody, else who sits at the terminal.

    Attributes:
        refusal: why nothing was forgotten where nobody could be asked.
    """

    def __init__(self, *, yes: bool, before: Callable[[], object] = lambda: None) -> None:
        """`before`: called before something is asked, such as to take a progress bar away."""
        self.refusal: NotForgottenError | None = None
        self._yes = yes
        self._before = before

    def __call__(self, losses: Losses, photos: int) -> bool:
        """Whether so many photos may be forgotten, with which these marks are lost."""
        if self._yes:
            return True
        said = what_goes(losses, photos)
        if not sys.stdin.isatty():
            self.refusal = NotForgottenError(
                f"{said} Nothing was forgotten. Say --yes to forget them; before that, all marks are written to a file "
                "in the library's folder, which `python -m search_ui import-marks` reads. --dry-run lists the files."
            )
            return False
        self._before()
        question = f"{said} All marks are written to a file first. Forget them?"
        return click.confirm(printable(question), default=False, err=True)


def what_goes(losses: Losses, photos: int) -> str:
    """What is lost with so many photos, in a sentence or two."""
    forgotten = f"{count(photos, 'photo')} would be forgotten"
    return f"{forgotten}, and with them for good: {in_words(losses)}." if losses else f"{forgotten}, and no marks."
