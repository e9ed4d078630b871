"""A model as it was published, and what came of trying changes of it. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.models.text_files import TextFiles


@dataclass(frozen=True, slots=True)
class Published:
    """A model as it was published.

    Attributes:
        library: which one reads it.
        folder: holds its configuration and weights.
        text: where the files of its text tower and tokenizer lie.
        size: height and width of the pictures that it was made for, px.
    """

    library: Literal["open_clip", "timm"]
    folder: Path
    text: TextFiles
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying the changes of a network.

    Attributes:
        problem: why it can't have them; nothing where it can.
        work: how often the work of the unchanged network a picture takes.
        nearest: sizes next to the one asked for that it can have, where it can't have that, px.
    """

    problem: str = ""
    work: float = 1.0
    nearest: tuple[int, ...] = ()
