"""The shapes of the things that swim, fly or drive (see ``shapes`` for the frame they are drawn in)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from .shapes import Part, arc, box, line, oval, poly, wheel


def _boat() -> Iterable[Part]:
    yield line("wood", 0.05, (0, -0.2), (0, -1.0), edge=True)
    yield poly("main", (0.05, -0.96), (0.14, -0.72), (0.34, -0.45), (0.47, -0.37), (0.05, -0.35))
    yield poly("dark", (0.05, -0.52), (0.31, -0.47), (0.47, -0.37), (0.05, -0.35), edge=False)
    yield poly("pale", (-0.05, -0.88), (-0.12, -0.68), (-0.4, -0.35), (-0.05, -0.35))
    yield poly("main", (-0.55, -0.28), (0.6, -0.3), (0.42, 0), (-0.38, 0))
    yield poly("dark", (-0.46, -0.13), (0.49, -0.13), (0.42, 0), (-0.38, 0), edge=False)
    yield poly("pale", (-0.55, -0.28), (0.6, -0.3), (0.57, -0.24), (-0.52, -0.22), edge=False)


def _duck() -> Iterable[Part]:
    yield poly("dark", (-0.38, -0.42), (-0.68, -0.62), (-0.56, -0.28))
    yield poly("main", (0.08, -0.45), (0.14, -0.72), (0.46, -0.7), (0.44, -0.3))
    yield oval("main", -0.03, -0.28, 0.52, 0.28)
    yield oval("main", 0.32, -0.76, 0.22, 0.21)
    yield poly("beak", (0.5, -0.84), (0.76, -0.72), (0.5, -0.64))
    yield oval("dark", -0.1, -0.32, 0.3, 0.16, tilt=-0.03, edge=False)
    yield oval("light", -0.06, -0.38, 0.2, 0.07, tilt=-0.03, edge=False)
    yield oval("ink", 0.38, -0.8, 0.045, 0.045, edge=False)


def _fish() -> Iterable[Part]:
    yield poly("dark", (-0.32, -0.42), (-0.74, -0.76), (-0.64, -0.42), (-0.74, -0.08))
    yield poly("dark", (-0.2, -0.62), (0.02, -0.9), (0.3, -0.7))
    yield poly("dark", (-0.05, -0.16), (0.0, 0.04), (0.2, -0.16))
    yield oval("main", 0.08, -0.42, 0.52, 0.31)
    yield oval("light", 0.1, -0.53, 0.36, 0.12, edge=False)
    yield line("pale", 0.06, *arc(-0.22, -0.42, 0.12, 0.22, -0.2, 0.2, 8))
    yield line("pale", 0.06, *arc(-0.02, -0.42, 0.12, 0.25, -0.2, 0.2, 8))
    yield oval("white", 0.4, -0.5, 0.08, 0.08, edge=False)
    yield oval("ink", 0.42, -0.5, 0.045, 0.045, edge=False)


def _kite() -> Iterable[Part]:
    yield line("wood", 0.03, (0.0, -0.32), (0.08, -0.22), (-0.06, -0.12), (0.08, -0.02), (-0.02, 0.06))
    yield poly("main", (0.08, -0.22), (0.2, -0.28), (0.2, -0.14))
    yield poly("main", (0.08, -0.22), (-0.05, -0.3), (-0.03, -0.15))
    yield poly("main", (0.06, -0.02), (0.19, -0.08), (0.19, 0.05))
    yield poly("main", (0.06, -0.02), (-0.07, -0.09), (-0.06, 0.05))
    yield poly("main", (0, -1.0), (0.4, -0.72), (0, -0.3), (-0.4, -0.72))
    yield poly("dark", (0, -0.72), (0.4, -0.72), (0, -0.3), edge=False)
    yield poly("light", (0, -1.0), (0, -0.72), (-0.4, -0.72), edge=False)
    yield line("pale", 0.03, (0, -1.0), (0, -0.3))
    yield line("pale", 0.03, (-0.4, -0.72), (0.4, -0.72))


def _balloon() -> Iterable[Part]:
    yield line("wood", 0.025, (-0.14, -0.28), (-0.09, -0.12))
    yield line("wood", 0.025, (0.14, -0.28), (0.09, -0.12))
    dome = arc(0, -0.63, 0.4, 0.39, -0.5, 0, 16)
    yield Part("main", (*dome, (0.36, -0.48), (0.14, -0.24), (-0.14, -0.24), (-0.36, -0.48)))
    yield Part(
        "dark",
        (
            *arc(0, -0.63, 0.4, 0.39, -0.25, 0, 10),
            (0.36, -0.48),
            (0.14, -0.24),
            (0.08, -0.24),
            (0.22, -0.48),
            (0.24, -0.66),
            (0.16, -0.9),
        ),
        0.0,
        False,
    )
    yield Part(
        "pale",
        (*arc(0, -0.63, 0.12, 0.39, -0.5, 0, 10), (0.1, -0.46), (0.05, -0.24), (-0.05, -0.24), (-0.1, -0.46)),
        0.0,
        False,
    )
    yield oval("light", -0.25, -0.74, 0.05, 0.14, tilt=0.05, edge=False)
    yield box("wood", -0.12, -0.14, 0.12, 0.02, round_=0.03)


def _plane() -> Iterable[Part]:
    yield poly("dark", (-0.62, -0.48), (-0.86, -0.98), (-0.6, -0.98), (-0.3, -0.5))
    yield poly("dark", (0.12, -0.52), (-0.1, -0.86), (0.06, -0.86), (0.4, -0.52))
    yield Part(
        "main", ((-0.9, -0.5), (-0.3, -0.62), (0.5, -0.62), *arc(0.5, -0.44, 0.4, 0.18, -0.25, 0.25, 10), (-0.4, -0.28))
    )
    yield poly("pale", (-0.86, -0.49), (0.86, -0.4), (0.72, -0.32), (-0.4, -0.3), edge=False)
    yield poly("main", (0.16, -0.42), (-0.4, -0.02), (-0.16, -0.02), (0.46, -0.4))
    yield poly("dark", (0.06, -0.28), (-0.4, -0.02), (-0.16, -0.02), (0.2, -0.24), edge=False)
    yield poly("glass", (0.6, -0.58), (0.76, -0.52), (0.64, -0.48), edge=False)
    for x in (-0.3, -0.14, 0.02, 0.18, 0.34):
        yield oval("glass", x, -0.52, 0.045, 0.045, edge=False)


def _bird() -> Iterable[Part]:
    yield poly("dark", (0.05, -0.42), (0.3, -0.98), (0.06, -0.9), (-0.2, -0.5))
    yield poly("dark", (-0.4, -0.32), (-0.82, -0.36), (-0.84, -0.16), (-0.36, -0.14))
    yield oval("main", 0.02, -0.28, 0.48, 0.19, tilt=-0.02)
    yield oval("main", 0.46, -0.42, 0.17, 0.16)
    yield poly("beak", (0.6, -0.46), (0.84, -0.38), (0.6, -0.33))
    yield poly("main", (0.16, -0.34), (-0.12, -0.7), (-0.58, -0.94), (-0.5, -0.62), (-0.28, -0.3))
    yield poly("light", (0.06, -0.36), (-0.18, -0.66), (-0.5, -0.86), (-0.3, -0.5), edge=False)
    yield oval("pale", 0.12, -0.19, 0.26, 0.07, tilt=-0.02, edge=False)
    yield oval("ink", 0.5, -0.46, 0.04, 0.04, edge=False)


def _butterfly() -> Iterable[Part]:
    for side in (-1, 1):
        yield oval("dark", side * 0.27, -0.27, 0.27, 0.2, tilt=side * 0.1)
        yield oval("main", side * 0.36, -0.64, 0.4, 0.25, tilt=-side * 0.1)
        yield oval("pale", side * 0.45, -0.7, 0.15, 0.1, tilt=-side * 0.1, edge=False)
        yield oval("light", side * 0.3, -0.26, 0.11, 0.08, edge=False)
        yield line("ink", 0.03, (0, -0.7), (side * 0.08, -0.9), (side * 0.18, -1.0))
    yield oval("ink", 0, -0.45, 0.06, 0.33, edge=False)


def _rocket() -> Iterable[Part]:
    yield poly("fire", (-0.13, -0.18), (0, 0.12), (0.13, -0.18), edge=False)
    yield poly("lamp", (-0.07, -0.18), (0, 0.0), (0.07, -0.18), edge=False)
    yield poly("dark", (-0.14, -0.52), (-0.4, -0.26), (-0.38, -0.06), (-0.14, -0.2))
    yield poly("dark", (0.14, -0.52), (0.4, -0.26), (0.38, -0.06), (0.14, -0.2))
    yield poly(
        "main",
        (0, -1.02),
        (0.13, -0.86),
        (0.21, -0.62),
        (0.2, -0.36),
        (0.13, -0.16),
        (-0.13, -0.16),
        (-0.2, -0.36),
        (-0.21, -0.62),
        (-0.13, -0.86),
    )
    yield poly("dark", (0, -1.02), (0.13, -0.86), (0.17, -0.76), (-0.17, -0.76), (-0.13, -0.86), edge=False)
    yield poly("light", (-0.18, -0.7), (-0.1, -0.7), (-0.08, -0.2), (-0.13, -0.2), (-0.18, -0.4), edge=False)
    yield oval("white", 0, -0.56, 0.11, 0.11, edge=False)
    yield oval("glass", 0, -0.56, 0.075, 0.075, edge=False)


def _car() -> Iterable[Part]:
    yield poly("main", (-0.46, -0.4), (-0.28, -0.74), (0.2, -0.74), (0.44, -0.4))
    yield box("main", -0.78, -0.46, 0.8, -0.12, round_=0.1)
    yield box("dark", -0.76, -0.24, 0.78, -0.13, round_=0.05, edge=False)
    yield poly("glass", (-0.36, -0.44), (-0.23, -0.67), (-0.05, -0.67), (-0.05, -0.44), edge=False)
    yield poly("glass", (0.02, -0.44), (0.02, -0.67), (0.16, -0.67), (0.33, -0.44), edge=False)
    yield line("light", 0.03, (-0.66, -0.41), (0.66, -0.41))
    yield oval("lamp", 0.73, -0.34, 0.05, 0.06, edge=False)
    yield from wheel(-0.44, 0.18)
    yield from wheel(0.46, 0.18)


def _bus() -> Iterable[Part]:
    yield box("main", -0.85, -0.88, 0.85, -0.1, round_=0.08)
    yield box("dark", -0.84, -0.3, 0.84, -0.12, round_=0.05, edge=False)
    yield box("pale", -0.85, -0.38, 0.85, -0.32, edge=False)
    for x in (-0.77, -0.44, -0.11, 0.22):
        yield box("glass", x, -0.78, x + 0.26, -0.47, round_=0.03, edge=False)
    yield box("glass", 0.57, -0.78, 0.79, -0.2, round_=0.03, edge=False)
    yield line("dark", 0.03, (0.68, -0.78), (0.68, -0.2))
    yield from wheel(-0.5, 0.16)
    yield from wheel(0.38, 0.16)


def _train() -> Iterable[Part]:
    yield oval("smoke", 0.38, -1.02, 0.14, 0.1, edge=False)
    yield oval("smoke", 0.16, -1.1, 0.17, 0.12, edge=False)
    yield poly("dark", (0.42, -0.6), (0.36, -0.92), (0.64, -0.92), (0.58, -0.6))
    yield oval("lamp", 0.08, -0.72, 0.1, 0.12)
    yield box("main", -0.3, -0.68, 0.74, -0.24, round_=0.1)
    yield box("light", -0.26, -0.62, 0.68, -0.53, round_=0.03, edge=False)
    yield line("pale", 0.04, (0.3, -0.67), (0.3, -0.25))
    yield box("main", -0.8, -0.9, -0.26, -0.2)
    yield box("dark", -0.88, -1.0, -0.18, -0.88, round_=0.04)
    yield box("glass", -0.7, -0.8, -0.38, -0.52, round_=0.03, edge=False)
    yield poly("metal", (0.72, -0.24), (0.98, -0.02), (0.62, -0.02))
    yield box("dark", -0.8, -0.28, 0.76, -0.16)
    yield from wheel(-0.54, 0.19)
    yield from wheel(-0.04, 0.14)
    yield from wheel(0.28, 0.14)
    yield from wheel(0.6, 0.14)


def _bicycle() -> Iterable[Part]:
    for x in (-0.5, 0.5):
        yield line("tyre", 0.08, *arc(x, -0.34, 0.31, 0.31, 0, 1, 24), edge=True)
        yield line("main", 0.06, *arc(x, -0.34, 0.24, 0.24, 0, 1, 20))
    for tube in (
        ((-0.5, -0.34), (-0.2, -0.72), (0.34, -0.72), (0.02, -0.32), (-0.5, -0.34)),
        ((0.02, -0.32), (-0.26, -0.84)),
        ((0.5, -0.34), (0.3, -0.9)),
    ):
        yield line("main", 0.1, *tube, edge=True)
    yield line("tyre", 0.1, (-0.4, -0.86), (-0.12, -0.86))
    yield line("tyre", 0.07, (0.3, -0.9), (0.16, -0.98))
    yield line("tyre", 0.07, (0.3, -0.9), (0.42, -0.94))
    yield oval("metal", 0.02, -0.32, 0.08, 0.08, edge=False)


MOVERS: Final[dict[str, Callable[[], Iterable[Part]]]] = {
    "boat": _boat,
    "duck": _duck,
    "fish": _fish,
    "kite": _kite,
    "balloon": _balloon,
    "plane": _plane,
    "bird": _bird,
    "butterfly": _butterfly,
    "rocket": _rocket,
    "car": _car,
    "bus": _bus,
    "train": _train,
    "bicycle": _bicycle,
}
