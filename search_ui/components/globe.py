"""The earth in small, with a dot where a picture was taken."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

ADDRESS: Final = "/land.svg"


@functools.cache
def land() -> bytes:
    """Return the drawing without a dot (SVG): 360 by 180 degrees. docs/make_land.py makes it."""
    return Path(__file__).with_name("land.svg").read_bytes()


def globe(latitude: float, longitude: float) -> str:
    """Return HTML that shows a place, in degrees north and east; style.css puts the dot on the drawing."""
    left, top = (longitude + 180) / 3.6, (90 - latitude) / 1.8
    text = f"On a world map, at {coordinates(latitude, longitude)}"
    return (
        f'<div class="globe"><img src="{ADDRESS}" alt="{text}">'
        f'<span style="left: {left:.2f}%; top: {top:.2f}%"></span></div>'
    )


def coordinates(latitude: float, longitude: float) -> str:
    """Return degrees north and east, as maps and other programs take them, to about a metre."""
    return f"{latitude:.5f}, {longitude:.5f}"
