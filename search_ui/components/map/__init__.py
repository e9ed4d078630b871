"""The component of the map: points to pan, zoom, point at and select, drawn with WebGL.

Plain JavaScript without a build step: view.js (points and camera), draw.js (drawing), gestures.js (mouse, fingers,
keys) and map.js (the component). Points come by one fetch, not through Streamlit's socket. The component gets numbers,
addresses and text only, and sets text as text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, TypedDict

from search_ui.components.assets import component, css, javascript

_HERE: Final = Path(__file__).parent
_map: Final = component("map", js=javascript(_HERE, "view", "draw", "gestures", "map"), css=css(_HERE, "map"))


class Entry(TypedDict):
    """A line of the legend: a category, its name, its number of pictures, its colour on light and on dark."""

    number: int
    name: str
    count: int
    light: str
    dark: str


class Name(TypedDict):
    """A name written on the map, with its middle at x and y."""

    name: str
    x: float
    y: float


def draw_map(
    src: str, *, key: str, kind: Literal["meaning", "earth"], view: str, about: str, legend: Sequence[Entry],
    names: Sequence[Name], quiet: tuple[str, str], reach: tuple[float, float], on_open: Callable[[], None],
    on_choose: Callable[[], None],
) -> None:  # fmt: skip
    """Draw points on a plane.

    The handlers run before the next run of the script. At `st.session_state[key]` is then the content id of a point
    that was clicked as `.opened`, or at `.chosen` either `{"polygon": [[x, y], ...]}` or `{"category": number}`.

    Args:
        src: address of the points, see `search_ui.server.map_routes`.
        key: of the component.
        kind: `earth`: x and y are degrees divided by 180, with land below; `meaning`: they have no unit.
        view: while it stays the same, so do the centre and the zoom.
        about: a description for screen readers.
        legend: what the colours mean.
        names: the most important first; one that would overlap another is not written.
        reach: the largest |x| and |y| of the whole map.
        quiet: the colour of points without a category, on light and on dark.
        on_open: a point was clicked.
        on_choose: several pictures are to be opened together.
    """
    _map(
        key=key,
        data={
            "src": src, "land": "/points/land.bin" if kind == "earth" else "", "view": view, "about": about,
            "reach": list(reach), "legend": list(legend), "names": list(names),
            "quiet": list(quiet),
        },
        on_opened_change=on_open,
        on_chosen_change=on_choose,
    )  # fmt: skip
