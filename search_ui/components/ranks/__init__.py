"""The component that shows two rankings side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypedDict

from search_ui.components.assets import component, css, javascript

_HERE: Final = Path(__file__).parent


_ranks: Final = component("ranks", js=javascript(_HERE, "ranks"), css=css(_HERE, "ranks"))


class Ranked(TypedDict):
    """A picture at its rank. `change` is shown beside it, `meaning` says it in words, `href` is the link."""

    id: int
    src: str
    href: str
    name: str
    rank: int
    change: str
    meaning: str
    way: Literal["up", "down", "same", "new"]


class Side(TypedDict):
    """One of the rankings: its title, a line about it, and its pictures, best first."""

    title: str
    about: str
    problem: str
    tiles: list[Ranked]


def ranks(sides: Sequence[Side], *, key: str) -> None:
    """Show rankings side by side. Pointing at a picture, or its focus, marks it in the other ones too."""
    _ranks(key=key, data={"sides": list(sides)})
