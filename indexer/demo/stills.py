"""The shapes of the things that stay where they are, and the cat (see ``shapes`` for their frame)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from .shapes import Part, arc, box, line, oval, poly


def _house() -> Iterable[Part]:
    yield box("dark", 0.2, -0.98, 0.34, -0.6)
    yield box("main", -0.5, -0.58, 0.5, 0)
    yield poly("dark", (-0.62, -0.56), (0, -1.0), (0.62, -0.56))
    yield line("light", 0.035, (-0.56, -0.58), (0, -0.96))
    yield box("wood", -0.12, -0.36, 0.12, 0, edge=False)
    yield oval("lamp", 0.07, -0.17, 0.025, 0.025, edge=False)
    for x in (-0.42, 0.2):
        yield box("white", x, -0.47, x + 0.22, -0.24, edge=False)
        yield box("glass", x + 0.025, -0.445, x + 0.195, -0.265, edge=False)
        yield line("white", 0.025, (x + 0.11, -0.45), (x + 0.11, -0.26))


def _castle() -> Iterable[Part]:
    for x in (-0.3, -0.1, 0.1, 0.3):
        yield box("main", x - 0.06, -0.66, x + 0.06, -0.5)
    yield box("main", -0.4, -0.56, 0.4, 0)
    for x in (-0.5, 0.5):
        yield box("main", x - 0.16, -0.7, x + 0.16, 0)
        yield poly("dark", (x - 0.22, -0.68), (x, -1.0), (x + 0.22, -0.68))
        yield box("light", x - 0.16, -0.66, x - 0.1, 0, edge=False)
        yield box("ink", x - 0.035, -0.54, x + 0.035, -0.38, edge=False)
    yield line("wood", 0.03, (0, -0.56), (0, -0.92))
    yield poly("pale", (0.01, -0.92), (0.24, -0.85), (0.01, -0.78))
    yield line("dark", 0.035, (-0.34, -0.48), (0.34, -0.48))
    yield Part("ink", (*arc(0, -0.24, 0.13, 0.13, -0.5, 0, 10), (0.13, 0), (-0.13, 0)), 0.0, False)


def _lighthouse() -> Iterable[Part]:
    yield poly("stone", (-0.5, 0.02), (-0.42, -0.1), (0.4, -0.1), (0.5, 0.02))
    yield poly("main", (-0.2, -0.76), (0.2, -0.76), (0.32, -0.06), (-0.32, -0.06))
    yield poly("pale", (-0.225, -0.6), (0.225, -0.6), (0.245, -0.49), (-0.245, -0.49), edge=False)
    yield poly("pale", (-0.272, -0.34), (0.272, -0.34), (0.292, -0.22), (-0.292, -0.22), edge=False)
    yield poly("shade", (0.07, -0.76), (0.2, -0.76), (0.32, -0.06), (0.14, -0.06), edge=False)
    yield box("lamp", -0.14, -0.9, 0.14, -0.78)
    yield box("ink", -0.26, -0.79, 0.26, -0.75)
    yield poly("dark", (-0.21, -0.89), (0, -1.03), (0.21, -0.89))
    yield box("wood", -0.07, -0.18, 0.07, -0.06, edge=False)


def _windmill() -> Iterable[Part]:
    yield poly("main", (-0.2, -0.66), (0.2, -0.66), (0.33, 0), (-0.33, 0))
    yield poly("light", (-0.19, -0.66), (-0.1, -0.66), (-0.18, 0), (-0.32, 0), edge=False)
    yield Part("dark", (*arc(0, -0.65, 0.24, 0.2, -0.5, 0, 10),))
    yield box("wood", -0.07, -0.2, 0.07, 0, edge=False)
    yield box("glass", -0.05, -0.45, 0.05, -0.33, edge=False)
    for dx, dy in ((0.34, -0.3), (0.3, 0.34), (-0.34, 0.3), (-0.3, -0.34)):
        nx, ny = -dy * 0.24, dx * 0.24
        yield poly(
            "cream",
            (dx * 0.3, -0.7 + dy * 0.3),
            (dx * 1.2, -0.7 + dy * 1.2),
            (dx * 1.2 + nx, -0.7 + dy * 1.2 + ny),
            (dx * 0.3 + nx, -0.7 + dy * 0.3 + ny),
        )
        yield line("wood", 0.035, (0, -0.7), (dx * 1.2, -0.7 + dy * 1.2))
    yield oval("ink", 0, -0.7, 0.05, 0.05, edge=False)


def _tent() -> Iterable[Part]:
    yield poly("dark", (-0.16, -0.8), (0.4, -0.7), (0.86, 0), (0.34, 0))
    yield poly("main", (-0.16, -0.8), (0.42, 0), (-0.72, 0))
    yield poly("light", (-0.16, -0.8), (-0.3, -0.48), (-0.58, 0), (-0.72, 0), edge=False)
    yield poly("ink", (-0.16, -0.56), (0.08, 0), (-0.38, 0), edge=False)
    yield poly("pale", (-0.16, -0.56), (-0.38, 0), (-0.5, 0), (-0.26, -0.4), edge=False)
    yield line("wood", 0.035, (-0.16, -0.8), (-0.16, -0.92))
    yield poly("pale", (-0.15, -0.95), (0.02, -0.9), (-0.15, -0.85))


def _tree() -> Iterable[Part]:
    yield poly("wood", (-0.07, -0.45), (0.07, -0.45), (0.11, 0), (-0.11, 0))
    yield oval("main", -0.23, -0.5, 0.26, 0.2)
    yield oval("main", 0.24, -0.5, 0.26, 0.2)
    yield oval("main", 0, -0.73, 0.32, 0.27)
    yield oval("dark", -0.2, -0.42, 0.2, 0.09, edge=False)
    yield oval("dark", 0.22, -0.42, 0.2, 0.09, edge=False)
    yield oval("main", 0.0, -0.55, 0.26, 0.17, edge=False)
    yield oval("light", -0.09, -0.83, 0.16, 0.1, edge=False)
    yield oval("light", 0.28, -0.57, 0.1, 0.06, edge=False)


def _flower() -> Iterable[Part]:
    yield line("leaf", 0.06, (0, -0.6), (0.03, -0.3), (0, 0), edge=True)
    yield oval("leaf", 0.17, -0.18, 0.18, 0.07, tilt=-0.1)
    yield oval("leaf", -0.15, -0.24, 0.18, 0.07, tilt=0.1)
    for x, y in arc(0, -0.68, 0.22, 0.22, 0.05, 1.05, 6)[:-1]:
        yield oval("main", x, y, 0.15, 0.15)
    for x, y in arc(0, -0.68, 0.24, 0.24, 0.05, 1.05, 6)[:-1]:
        yield oval("light", x, y, 0.07, 0.07, edge=False)
    yield oval("heart", 0, -0.68, 0.12, 0.12, edge=False)


def _mushroom() -> Iterable[Part]:
    yield poly("cream", (-0.13, -0.5), (0.13, -0.5), (0.2, -0.06), (0.12, 0), (-0.12, 0), (-0.2, -0.06))
    yield oval("cream", 0, -0.43, 0.42, 0.09)
    yield Part("main", (*arc(0, -0.45, 0.56, 0.52, -0.5, 0, 18), (0.4, -0.4), (-0.4, -0.4)))
    yield Part("dark", ((0.56, -0.46), (0.4, -0.4), (-0.4, -0.4), (-0.56, -0.46), (0, -0.5)), 0.0, False)
    for x, y, r in ((0, -0.8, 0.1), (-0.3, -0.62, 0.085), (0.3, -0.64, 0.085), (0.03, -0.57, 0.06)):
        yield oval("spot", x, y, r, r * 0.85, edge=False)


def _cactus() -> Iterable[Part]:
    yield line("main", 0.17, (-0.1, -0.34), (-0.36, -0.36), (-0.37, -0.62), edge=True)
    yield line("main", 0.17, (0.1, -0.26), (0.37, -0.28), (0.38, -0.74), edge=True)
    yield oval("main", -0.37, -0.63, 0.085, 0.1)
    yield oval("main", 0.38, -0.75, 0.085, 0.1)
    yield box("main", -0.16, -1.0, 0.16, 0, round_=0.155)
    yield line("light", 0.035, (-0.07, -0.9), (-0.07, -0.04))
    yield line("dark", 0.035, (0.07, -0.9), (0.07, -0.04))
    yield line("light", 0.03, (0.36, -0.7), (0.36, -0.34))
    yield line("light", 0.03, (-0.38, -0.6), (-0.38, -0.42))
    for y in (-0.8, -0.6, -0.4, -0.2):
        yield line("pale", 0.025, (-0.03, y), (0.03, y - 0.03))


def _cat() -> Iterable[Part]:
    yield line("dark", 0.1, (0.2, -0.07), (0.46, -0.08), (0.52, -0.26), (0.44, -0.4), edge=True)
    yield Part("main", (*arc(0, -0.3, 0.24, 0.3, -0.5, 0, 10), (0.32, -0.06), (0.26, 0), (-0.26, 0), (-0.32, -0.06)))
    yield poly("main", (-0.27, -0.72), (-0.26, -1.0), (-0.06, -0.86))
    yield poly("main", (0.27, -0.72), (0.26, -1.0), (0.06, -0.86))
    yield oval("main", 0, -0.7, 0.29, 0.23)
    yield oval("pale", 0, -0.2, 0.12, 0.19, edge=False)
    for side in (-1, 1):
        yield poly("dark", (side * 0.21, -0.8), (side * 0.22, -0.93), (side * 0.12, -0.86), edge=False)
        yield oval("lamp", side * 0.11, -0.72, 0.055, 0.06, edge=False)
        yield oval("ink", side * 0.11, -0.72, 0.022, 0.055, edge=False)
        yield line("cream", 0.018, (side * 0.1, -0.61), (side * 0.38, -0.64))
        yield line("dark", 0.03, (side * 0.16, -0.33), (side * 0.26, -0.36))
    yield poly("beak", (-0.035, -0.65), (0.035, -0.65), (0, -0.61), edge=False)


def _umbrella() -> Iterable[Part]:
    yield line("wood", 0.05, (0, -0.95), (0, -0.08), *arc(0.07, -0.08, 0.07, 0.08, 0.5, 0, 6), edge=True)
    scallops = tuple((x / 12 - 0.5, -0.5 - (0.05 if x % 3 else 0.0)) for x in range(12, -1, -1))
    wide = tuple((x * 1.2, y) for x, y in scallops)
    yield Part("main", (*arc(0, -0.5, 0.6, 0.46, -0.5, 0, 18), *wide))
    yield Part(
        "light", ((0, -0.96), *arc(0, -0.5, 0.6, 0.46, -0.45, -0.36, 5)[::-1], (-0.6, -0.5), (-0.3, -0.5)), 0.0, False
    )
    yield Part("dark", ((0, -0.96), (0.3, -0.5), (0.6, -0.5), *arc(0, -0.5, 0.6, 0.46, 0, -0.14, 6)), 0.0, False)
    yield line("pale", 0.022, (0, -0.96), (-0.3, -0.51))
    yield line("pale", 0.022, (0, -0.96), (0.3, -0.51))
    yield oval("wood", 0, -0.97, 0.03, 0.04, edge=False)


def _chair() -> Iterable[Part]:
    yield line("dark", 0.08, (-0.12, -0.42), (-0.14, -0.06), edge=True)
    yield line("dark", 0.08, (0.38, -0.42), (0.42, -0.06), edge=True)
    yield box("main", -0.36, -1.0, -0.24, 0, round_=0.04)
    yield box("main", 0.16, -1.0, 0.28, -0.4, round_=0.04)
    yield box("main", -0.3, -0.98, 0.22, -0.84)
    yield box("dark", -0.28, -0.74, 0.2, -0.62)
    yield poly("main", (-0.36, -0.46), (0.26, -0.46), (0.46, -0.34), (-0.24, -0.34))
    yield poly("dark", (-0.24, -0.34), (0.46, -0.34), (0.46, -0.27), (-0.24, -0.27))
    yield box("main", 0.3, -0.3, 0.4, 0.03)
    yield box("main", -0.26, -0.3, -0.16, 0.03)
    yield line("light", 0.03, (-0.3, -0.42), (0.26, -0.42))


def _mug() -> Iterable[Part]:
    for x in (-0.2, 0.04):
        yield line("smoke", 0.045, (x, -0.84), (x + 0.06, -0.92), (x - 0.02, -1.0), (x + 0.05, -1.08))
    yield line("main", 0.11, *arc(0.36, -0.38, 0.22, 0.22, -0.27, 0.27, 14), edge=True)
    yield box("main", -0.44, -0.74, 0.36, 0, round_=0.1)
    yield box("light", -0.37, -0.6, -0.27, -0.12, round_=0.04, edge=False)
    yield box("shade", 0.16, -0.66, 0.35, -0.06, round_=0.08, edge=False)
    yield oval("dark", -0.04, -0.73, 0.4, 0.09)
    yield oval("coffee", -0.04, -0.72, 0.33, 0.06, edge=False)


STILLS: Final[dict[str, Callable[[], Iterable[Part]]]] = {
    "house": _house,
    "castle": _castle,
    "lighthouse": _lighthouse,
    "windmill": _windmill,
    "tent": _tent,
    "tree": _tree,
    "flower": _flower,
    "mushroom": _mushroom,
    "cactus": _cactus,
    "cat": _cat,
    "umbrella": _umbrella,
    "chair": _chair,
    "mug": _mug,
}
