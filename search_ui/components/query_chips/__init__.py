"""The component that shows the parts of the query as chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypedDict

from search_ui.components.assets import component, css, javascript

_HERE: Final = Path(__file__).parent
_drawn: Final = component("query_chips", js=javascript(_HERE, "query_chips"), css=css(_HERE, "query_chips"))


class Chip(TypedDict):
    """A part of the query.

    `part` is its text there, `label` how it is shown, `kind` how it looks, `meaning` what pointing at it tells,
    `pictures` the addresses of its thumbnails; `given` names the dropped picture that it is, empty where it is none.
    """

    part: str
    label: str
    kind: str
    meaning: str
    pictures: list[str]
    given: str


def query_chips(chips: Sequence[Chip], *, key: str, on_remove: Callable[[], None], on_crop: Callable[[], None]) -> None:
    """Show the parts of the query, and let people take them out.

    The handlers run before the next run of the script. At `st.session_state[key]` is then

    - `.removed`: a list of `[part, left]` for chips that were closed since the last drawing: how many of this text are
      left;
    - `.crop`: the name of the dropped picture whose chip was pressed.
    """
    _drawn(key=key, data={"chips": list(chips)}, on_removed_change=on_remove, on_crop_change=on_crop)
