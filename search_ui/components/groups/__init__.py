"""The component that shows groups of versions side by side, to choose which are not needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypedDict

from search_ui.components.assets import component, css, javascript
from search_ui.components.event_queue import acknowledged

_HERE: Final = Path(__file__).parent


_groups: Final = component("groups", js=javascript(_HERE, "groups", events=True), css=css(_HERE, "groups"))


class Place(TypedDict):
    """A photo: `where` and `note` are shown, `path` names it for screen readers.

    `differs`: it is in another folder than the one to keep; `is_rest`: it is set aside with the rest.
    """

    id: int
    path: str
    where: str
    differs: bool
    note: str
    is_kept: bool
    is_aside: bool
    is_rest: bool


class Fact(TypedDict):
    """A fact of a picture, and how it differs from that of the one to keep; empty where it does not."""

    text: str
    differs: list[str]


class Picture(TypedDict):
    """A picture of a group, in all its places; `more` counts places that are not listed."""

    src: str
    large: str
    name: str
    ratio: float
    facts: list[Fact]
    places: list[Place]
    more: str


class Card(TypedDict):
    """A group.

    `kept` is the id of the photo that is suggested to be kept, and names the group; `keep` says why it is that one,
    `lost` warns, `more` counts pictures that are not shown.
    """

    number: int
    kept: int
    title: str
    keep: str
    lost: str
    rest: int
    pictures: list[Picture]
    more: str


def groups(
    cards: Sequence[Card], *, key: str, is_readonly: bool, on_change: Callable[[], None]
) -> None:  # fmt: skip
    """Show groups one below the other, the pictures of each side by side.

    At `st.session_state[key].changed` are then events for `event_queue.apply`: either `photo` and `yes`, whether it is
    to be set aside, or `group`, by its `kept`: its rest is to be set aside.
    """
    _groups(
        key=key,
        data={"cards": list(cards), "readonly": is_readonly, "acknowledged": acknowledged(key)},
        default={"changed": []},
        on_changed_change=on_change,
    )
