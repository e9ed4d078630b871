"""The component that shows one picture large: to leaf, to zoom, to show why, to cut a part out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypedDict

from search_ui.components.assets import component, css, javascript
from search_ui.components.event_queue import acknowledged

_HERE: Final = Path(__file__).parent

_viewer: Final = component(
    "viewer",
    js=javascript(_HERE, "frame", "tiles", "crop", "why", "found", "closing", "slideshow", "viewer", events=True),
    css=css(_HERE, "viewer"),
)


class Picture(TypedDict):
    """A picture to go to.

    `small` and `large` are addresses, `large` empty where the small one shows all there is; `tiles` is what those of
    its tiles begin with, or empty; `width` and `height` are those of the upright picture; `colour` is `#rrggbb` or
    empty; `position` is its place, as in "3 of 120"; `found` is the part that it was found by, left, top, width and
    height in shares, None where that is the whole; `part` is where "Show why" looks, the same numbers with
    commas between, or empty where the server tells.
    """

    id: int
    name: str
    small: str
    large: str
    tiles: str
    width: int
    height: int
    colour: str
    position: str
    favourite: bool
    part: str
    found: tuple[float, float, float, float] | None


def viewer(
    pictures: Sequence[Picture], shown: int, *, key: str, opening: int, words: str, on_move: Callable[[], None],
    on_part: Callable[[], None],
) -> None:  # fmt: skip
    """Show one of some pictures; the others can be gone to without waiting.

    The component keeps `photo` in the page's URL, without a step of the browser's Back. At `st.session_state[key]` is
    then the id of the picture that was gone to as `.moved`; changes of favourites as `.favourites`, for
    `event_queue.apply` at the beginning of a run: events `{"id": ..., "yes": ...}`; and a part to search with as
    `.part`: `{"id": ..., "box": [left, top, right, bottom]}`, in shares of width and height.

    Args:
        pictures: in order.
        shown: id of the one to show.
        key: of the component.
        opening: the number of this opening of the dialog, another one for each: one that the browser has closed is not
            shown again, whatever a run that was on its way still draws.
        words: the query whose words the pictures were found by, to be shown where in them that is; empty without words.
        on_move, on_part: run before the next run of the script.
    """
    _viewer(
        key=key,
        data={
            "pictures": list(pictures), "shown": shown, "opening": opening, "words": words, "cropping": False,
            "acknowledged": acknowledged(key),
        },
        default={"favourites": []},
        on_moved_change=on_move,
        on_favourites_change=lambda: None,
        on_part_change=on_part,
    )  # fmt: skip


def cutter(picture: Picture, *, key: str, on_part: Callable[[], None]) -> None:
    """Show a picture to cut a part out of it; `.part` as `viewer` gives it."""
    _viewer(
        key=key,
        data={"pictures": [picture], "shown": picture["id"], "words": "", "cropping": True},
        on_part_change=on_part,
    )
