"""The earth in small: its land below a net of lines, with a dot where a picture was taken. It is all drawn here."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import numpy as np

LAND: Final = Path(__file__).parent / "map" / "land.bin"  # docs/make_land.py says what is in it
ADDRESS: Final = "/land.svg"
_STEPS: Final = 180  # of the file's numbers, to a degree


@functools.cache
def land() -> bytes:
    """The drawing without a dot (SVG): 360 by 180 degrees, a line each 30, in greys that suit light and dark."""
    shores = "".join(_outline(ring) for ring in _rings(LAND.read_bytes()))
    meridians = "".join(f"M{x},-90V90" for x in range(-150, 180, 30))
    parallels = "".join(f"M-180,{y}H180" for y in range(-60, 90, 30))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180">'
        '<rect x="-180" y="-90" width="360" height="180" rx="8" fill="#888" fill-opacity="0.1"/>'
        f'<path d="{shores}" fill="#888" fill-opacity="0.45"/>'
        f'<path d="{meridians}{parallels}" fill="none" stroke="#888" stroke-opacity="0.3" stroke-width="0.6"/></svg>'
    ).encode()


def _rings(data: bytes) -> list[np.ndarray[tuple[int, int], np.dtype[np.int16]]]:
    """Outlines: longitude and latitude of each corner, int16 (n, 2), in steps."""
    count = int(np.frombuffer(data, "<u2", 1)[0])
    sizes = np.frombuffer(data, "<u2", count, 2)
    corners = np.frombuffer(data, "<i2", offset=2 + 2 * count).reshape(-1, 2)
    return np.split(corners, np.cumsum(sizes)[:-1])


def _outline(ring: np.ndarray[tuple[int, int], np.dtype[np.int16]]) -> str:
    degrees = np.round(ring / _STEPS, 1)
    return "M" + "L".join(f"{x:g},{-y:g}" for x, y in degrees.tolist()) + "Z"


def globe(latitude: float, longitude: float) -> str:
    """HTML that shows where a place in degrees north and east lies; style.css puts the dot on the drawing."""
    left, top = (longitude + 180) / 3.6, (90 - latitude) / 1.8
    said = f"On the earth, at {coordinates(latitude, longitude)}"
    return (
        f'<div class="globe"><img src="{ADDRESS}" alt="{said}">'
        f'<span style="left: {left:.2f}%; top: {top:.2f}%"></span></div>'
    )


def coordinates(latitude: float, longitude: float) -> str:
    """Degrees north and east, as maps and other programs take them: metres are in the fifth decimal."""
    return f"{latitude:.5f}, {longitude:.5f}"
