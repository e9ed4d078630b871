"""Draws what scale.py measured as curves of cost by size: an SVG readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 250, 200, 52, 34, 76
# Each readable on white and on nearly black.
COLOURS = ("#d1495b", "#e8871e", "#2e8b57", "#3d7dca", "#8e5bb5", "#7a7a7a", "#00979d", "#b8860b")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .small { font-size: 10px; fill: #57606a }
.line { fill: none; stroke-width: 2 } .grid { stroke: #8c959f; stroke-opacity: .35 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9da7b1 } }
"""
Row = Mapping[str, Any]


def _latency(own: Row) -> float:
    return 1e3 * float(next(iter(own["variants"].values()))["text"]["median"])


PANELS: tuple[tuple[str, Callable[[Row], float]], ...] = (
    ("one search, ms", _latency),
    ("memory, MB", lambda own: float(own["memory"]) / 1e6),
    ("build, s", lambda own: float(own["seconds"])),
)


def draw(every: Mapping[str, Mapping[str, Row]]) -> str:
    """An SVG with a panel for each cost, both axes logarithmic: `every` is by size, then by index."""
    names = list(dict.fromkeys(name for found in every.values() for name in found))
    sizes = sorted(map(int, every))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    parts, usual = [], {}
    for place, (title, cost) in enumerate(PANELS):
        points = {
            name: [(size, max(cost(every[str(size)][name]), 1e-3)) for size in sizes if _ran(every[str(size)], name)]
            for name in names
        }
        parts.append(_panel(LEFT + place * (WIDTH + GAP), title, points, colours))
    for name in names:
        recalls = [next(iter(found[name]["variants"].values()))["text"]["recall"] for found in every.values()
                   if _ran(found, name)]  # fmt: skip
        usual[name] = f", recall {min(recalls):.2f}" if recalls else ", not run"
    legend = []
    for place, name in enumerate(names):
        x, y = LEFT + place % 3 * (WIDTH + GAP), TOP + HEIGHT + 52 + place // 3 * 20
        legend.append(f'<rect x="{x}" y="{y - 9}" width="14" height="4" fill="{colours[name]}"/>'
                      f'<text x="{x + 20}" y="{y}">{escape(name + usual[name])}</text>')  # fmt: skip
    width = LEFT + len(PANELS) * (WIDTH + GAP) - GAP + 44
    height = TOP + HEIGHT + 52 + -(-len(names) // 3) * 20
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="Cost of searching by number of vectors"><style>{STYLE}</style>'
            f"{''.join(parts)}{''.join(legend)}</svg>\n")  # fmt: skip


def _ran(found: Mapping[str, Row], name: str) -> bool:
    return "variants" in found.get(name, {})


def _panel(x: int, title: str, points: Mapping[str, list[tuple[int, float]]], colours: Mapping[str, str]) -> str:
    flat = [point for own in points.values() for point in own] or [(1, 1.0)]
    xs, ys = _decades([size for size, _ in flat]), _decades([value for _, value in flat])

    def across(size: float) -> float:
        return x + WIDTH * (math.log10(size) - xs[0]) / (xs[-1] - xs[0])

    def up(value: float) -> float:
        return TOP + HEIGHT * (1 - (math.log10(value) - ys[0]) / (ys[-1] - ys[0]))

    parts = [f'<text class="title" x="{x}" y="{TOP - 14}">{escape(title)}</text>']
    for power in ys:
        y = up(10.0**power)
        parts.append(f'<line class="grid" x1="{x}" x2="{x + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
                     f'<text class="small" x="{x - 6}" y="{y + 3:.1f}" text-anchor="end">'
                     f"{10.0**power:,g}</text>")  # fmt: skip
    for power in xs:
        at = across(10.0**power)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{TOP + HEIGHT}"/>'
                     f'<text class="small" x="{at:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">'
                     f"{10**power:,}</text>")  # fmt: skip
    for name, own in points.items():
        places = [(across(size), up(value)) for size, value in own]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline class="line" stroke="{colours[name]}" points="{line}"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colours[name]}"/>' for a, b in places]
    return "".join(parts)


def _decades(values: list[int] | list[float]) -> list[int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return list(range(low, max(high, low + 1) + 1))
