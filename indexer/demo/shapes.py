"""The shapes of the things, as lists of polygons in a unit frame.

A thing stands on the line y = 0 and reaches up to about y = -1 (y points down, as in pictures); x is 0 in
its middle. Colours are named by role, so that one shape list serves every colour.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import NamedTuple

Point = tuple[float, float]


class Part(NamedTuple):
    """One polygon (``width`` 0) or one line of the given width, filled with the tone called ``role``.

    ``edge`` says whether the part belongs to the silhouette and so gets the outline.
    """

    role: str
    points: tuple[Point, ...]
    width: float = 0.0
    edge: bool = True


def poly(role: str, *points: Point, edge: bool = True) -> Part:
    """Return a filled polygon."""
    return Part(role, points, 0.0, edge)


def line(role: str, width: float, *points: Point, edge: bool = False) -> Part:
    """Return a line of the given width through the points."""
    return Part(role, points, width, edge)


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float, steps: int) -> tuple[Point, ...]:
    """Return points on an ellipse between two turns (0 is right, 0.25 is down), both ends included."""
    turns = [start + (end - start) * step / steps for step in range(steps + 1)]
    return tuple((cx + rx * cos(2 * pi * turn), cy + ry * sin(2 * pi * turn)) for turn in turns)


def oval(role: str, cx: float, cy: float, rx: float, ry: float, *, tilt: float = 0.0, edge: bool = True) -> Part:
    """Return a filled ellipse; ``tilt`` is in turns."""
    ring = arc(0, 0, rx, ry, 0, 1, 24)[:-1]
    c, s = cos(2 * pi * tilt), sin(2 * pi * tilt)
    return Part(role, tuple((cx + x * c - y * s, cy + x * s + y * c) for x, y in ring), 0.0, edge)


def box(role: str, x0: float, y0: float, x1: float, y1: float, *, round_: float = 0.0, edge: bool = True) -> Part:
    """Return a filled box, its corners rounded by ``round_``."""
    if round_ <= 0:
        return Part(role, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), 0.0, edge)
    r = round_
    points = (
        *arc(x1 - r, y0 + r, r, r, -0.25, 0, 5),
        *arc(x1 - r, y1 - r, r, r, 0, 0.25, 5),
        *arc(x0 + r, y1 - r, r, r, 0.25, 0.5, 5),
        *arc(x0 + r, y0 + r, r, r, 0.5, 0.75, 5),
    )
    return Part(role, points, 0.0, edge)


def wheel(x: float, r: float) -> list[Part]:
    """Return a wheel of radius ``r`` that stands on y = 0."""
    return [oval("tyre", x, -r, r, r), oval("metal", x, -r, r * 0.5, r * 0.5, edge=False)]
