"""Draws a scene as a picture of any size, with Pillow alone."""

from __future__ import annotations

from functools import lru_cache
from math import cos, radians, sin
from random import Random
from typing import Final, NamedTuple

from PIL import Image, ImageDraw

from .movers import MOVERS
from .scenery import Colour, draw_background, draw_rain, ground_tones, mix
from .shapes import Part
from .stills import STILLS
from .world import Scene, kind_named

PALETTE: Final[dict[str, Colour]] = {
    "red": (214, 34, 38),
    "orange": (246, 130, 22),
    "yellow": (252, 214, 40),
    "green": (40, 152, 66),
    "blue": (34, 94, 214),
    "purple": (124, 52, 176),
    "pink": (250, 134, 186),
    "brown": (124, 76, 40),
    "black": (36, 36, 40),
    "white": (246, 246, 246),
}
_FIXED: Final[dict[str, Colour]] = {
    "wood": (122, 90, 62),
    "metal": (178, 184, 192),
    "tyre": (44, 44, 48),
    "glass": (176, 214, 236),
    "beak": (244, 150, 40),
    "ink": (30, 28, 34),
    "lamp": (255, 226, 120),
    "smoke": (214, 216, 220),
    "stone": (128, 128, 134),
    "cream": (240, 228, 202),
    "fire": (255, 140, 40),
    "leaf": (70, 144, 62),
    "white": (250, 250, 250),
    "coffee": (86, 54, 34),
    "heart": (250, 200, 60),
}
# How far each kind may lean, in degrees.
_LEAN: Final[dict[str, float]] = {
    "kite": 24,
    "plane": 12,
    "bird": 12,
    "butterfly": 20,
    "rocket": 28,
    "fish": 14,
    "balloon": 4,
    "boat": 4,
    "umbrella": 8,
    "flower": 6,
    "mushroom": 4,
    "duck": 3,
}


# How much farther from the middle small things stand.
_MOST_SPREAD: Final = 2.6


class _Shape(NamedTuple):
    parts: tuple[Part, ...]
    left: float
    right: float
    top: float
    bottom: float


class Box(NamedTuple):
    """Where a thing is in a picture, in pixels from its top left corner."""

    left: float
    top: float
    right: float
    bottom: float


class _Place(NamedTuple):
    x: float
    foot: float
    scale: float


@lru_cache(maxsize=64)
def _shape(kind: str) -> _Shape:
    maker = MOVERS.get(kind) or STILLS[kind]
    parts = tuple(maker())
    xs = [x for part in parts for x, _ in part.points]
    ys = [y for part in parts for _, y in part.points]
    return _Shape(parts, min(xs), max(xs), min(ys), max(ys))


def _tones(colour: str, sky: str, rng: Random) -> dict[str, Colour]:
    base = PALETTE[colour]
    light = rng.uniform(-0.07, 0.07)
    main = mix(base, (255, 255, 255) if light > 0 else (0, 0, 0), abs(light))
    if colour == "white":
        tones = {
            "main": main,
            "dark": (206, 210, 220),
            "light": (255, 255, 255),
            "pale": (224, 228, 236),
            "shade": (222, 225, 232),
            "spot": (206, 212, 224),
        }
    elif colour == "black":
        tones = {
            "main": main,
            "dark": (16, 16, 20),
            "light": (86, 86, 94),
            "pale": (124, 126, 134),
            "shade": (24, 24, 28),
            "spot": (150, 152, 160),
        }
    else:
        tones = {
            "main": main,
            "dark": mix(main, (20, 10, 40), 0.28),
            "light": mix(main, (255, 255, 255), 0.3),
            "pale": mix(main, (255, 255, 255), 0.68),
            "shade": mix(main, (20, 10, 40), 0.14),
            "spot": mix(main, (255, 255, 255), 0.85),
        }
    tones.update(_FIXED)
    if colour in ("yellow", "orange"):
        tones["heart"] = (120, 72, 36)
        tones["beak"] = (226, 92, 40)
    # Evening and night only dim the things: a strong tint would turn red to brown and white to blue.
    veil, share = {
        "clear": ((255, 255, 255), 0.0),
        "sunset": ((120, 60, 40), 0.08),
        "night": ((14, 20, 60), 0.2),
        "dawn": ((236, 200, 220), 0.06),
        "rain": ((110, 118, 128), 0.1),
    }[sky]
    keep = {"lamp", "fire"}
    tones = {role: tone if role in keep else mix(tone, veil, share) for role, tone in tones.items()}
    if sky == "night":
        tones["edge"] = (176, 188, 222)
    elif colour == "black":
        tones["edge"] = (150, 152, 160)
    else:
        tones["edge"] = mix(tones["main"], (16, 10, 26), 0.66)
    return tones


def _places(scene: Scene, rng: Random, size: tuple[int, int], horizon: float, shrunk: float) -> list[_Place]:
    """Return where each thing stands: middle x and foot y in pixels, and the pixels of one unit.

    ``shrunk`` is the size of the things, 1 as usual; small ones stand farther from the middle, too.
    """
    width, height = size
    shape = _shape(scene.kind)
    tall, wide = shape.bottom - shape.top, shape.right - shape.left
    in_air = kind_named(scene.kind).home == "air"
    wedge = scene.count == 3 and rng.random() < 0.5
    if scene.count == 1:
        high, slot = height * rng.uniform(0.4, 0.62), width * 0.66
        spots = [(0.5 + rng.uniform(-0.16, 0.16), rng.random())]
    elif scene.count == 2:
        high, slot = height * rng.uniform(0.32, 0.46), width * 0.44
        tilt = rng.uniform(-0.5, 0.5)
        spots = [(0.26 + rng.uniform(-0.03, 0.03), 0.5 + tilt), (0.74 + rng.uniform(-0.03, 0.03), 0.5 - tilt)]
    elif wedge:
        high, slot = height * rng.uniform(0.28, 0.34), width * 0.42
        ends = rng.choice(((0.0, 1.0), (1.0, 0.0)))
        spots = [(0.25, ends[0]), (0.5 + rng.uniform(-0.05, 0.05), ends[1]), (0.75, ends[0])]
    else:
        high, slot = height * rng.uniform(0.26, 0.36), width * 0.31
        spots = [(x + rng.uniform(-0.015, 0.015), rng.random()) for x in (0.18, 0.5, 0.82)]
    scale = min(high / tall, slot / wide) * shrunk
    spread = min(1 / shrunk, _MOST_SPREAD)
    reach = scale * tall
    low, high_y = horizon + height * 0.08, height * 0.96
    if in_air:
        low, high_y = reach + height * 0.03, horizon + height * 0.22
    elif scene.count == 1:
        low = max(low, reach + height * 0.02)
    if wedge:
        # Two rows that do not cover each other: spread the feet by at least the height of a thing.
        low, high_y = (reach + height * 0.04, height * 0.74) if in_air else (height * 0.6, height * 0.97)
    elif high_y - low < height * 0.05:
        low = high_y - height * 0.05
    inset = scale * wide * 0.56
    return [
        _Place(
            min(max((0.5 + (x - 0.5) * spread) * width, inset), width - inset),
            low + (high_y - low) * y,
            scale * rng.uniform(0.93, 1.03),
        )
        for x, y in spots
    ]


def _stamp(draw: ImageDraw.ImageDraw, scene: Scene, place: _Place, tones: dict[str, Colour], rng: Random) -> Box:
    """Draw a thing; return its box."""
    shape = _shape(scene.kind)
    lean = radians(rng.uniform(-1, 1) * _LEAN.get(scene.kind, 1.5))
    flip = rng.choice((-1.0, 1.0))
    sx = place.scale * flip * rng.uniform(0.93, 1.07)
    sy = place.scale
    c, s = cos(lean), sin(lean)
    # Lean about the middle of the thing, then put it back on its foot.
    mx, my = (shape.left + shape.right) / 2, (shape.top + shape.bottom) / 2
    ox, oy = place.x, place.foot + (my - shape.bottom) * sy
    ax, bx, ay, by = sx * c, -sy * s, sx * s, sy * c
    rim = max(1.0, place.scale * 0.022)
    joint = "curve" if place.scale > 150 else None
    filled: list[tuple[str, list[tuple[float, float]], float]] = []
    for part in shape.parts:
        points = [(ox + ax * (x - mx) + bx * (y - my), oy + ay * (x - mx) + by * (y - my)) for x, y in part.points]
        if part.edge:
            if part.width:
                draw.line(points, fill=tones["edge"], width=round(part.width * sy + 2 * rim), joint="curve")
            else:
                draw.line([*points, points[0], points[1]], fill=tones["edge"], width=round(2 * rim), joint=joint)
        filled.append((part.role, points, part.width))
    for role, points, width in filled:
        if width:
            draw.line(points, fill=tones[role], width=max(1, round(width * sy)), joint="curve")
        else:
            draw.polygon(points, fill=tones[role])
    xs = [x + side * width * sy / 2 for _, points, width in filled for x, _ in points for side in (-1, 1)]
    ys = [y + side * width * sy / 2 for _, points, width in filled for _, y in points for side in (-1, 1)]
    return Box(min(xs), min(ys), max(xs), max(ys))


def _shadow(image: Image.Image, scene: Scene, place: _Place, horizon: float) -> None:
    shape = _shape(scene.kind)
    if kind_named(scene.kind).home == "air" or place.foot <= horizon:
        return
    half = (shape.right - shape.left) * 0.46 * place.scale
    thick = max(1.0, place.scale * 0.06)
    blend = ImageDraw.Draw(image, "RGBA")
    blend.ellipse((place.x - half, place.foot - thick, place.x + half, place.foot + thick), fill=(10, 14, 40, 84))


def _waterline(draw: ImageDraw.ImageDraw, scene: Scene, place: _Place) -> None:
    """Let the water lap over the foot of a thing that swims."""
    shape = _shape(scene.kind)
    far, near = ground_tones("water", scene.sky)
    half, thick = (shape.right - shape.left) * 0.46 * place.scale, place.scale * 0.05
    foam = mix(far, (255, 255, 255), 0.45)
    draw.ellipse(
        (place.x - half, place.foot - thick * 0.7, place.x + half, place.foot + thick * 1.6), fill=mix(far, near, 0.6)
    )
    for dx in (-0.55, 0.1, 0.6):
        x = place.x + dx * half
        draw.line(
            (x - half * 0.26, place.foot - thick * 0.3, x + half * 0.26, place.foot - thick * 0.3),
            fill=foam,
            width=max(1, round(thick * 0.5)),
        )


def _paint(scene: Scene, size: tuple[int, int], scale: float) -> tuple[Image.Image, list[Box]]:
    """The picture, and the boxes of its things from the back to the front."""
    # Two streams of chance, so that the finer texture of a large picture leaves the layout as it is in a small one.
    layout = Random(f"layout:{scene.seed}")
    texture = Random(f"texture:{scene.seed}")
    image, horizon = draw_background(scene.ground, scene.sky, texture, size)
    places = sorted(_places(scene, layout, size, horizon, scale), key=lambda place: place.foot)
    tones = _tones(scene.colour, scene.sky, layout)
    draw = ImageDraw.Draw(image)
    boxes = []
    swims = scene.ground == "water" and kind_named(scene.kind).home != "air"
    for place in places:
        if not swims:
            _shadow(image, scene, place, horizon)
        boxes.append(_stamp(draw, scene, place, tones, layout))
        if swims:
            _waterline(draw, scene, place)
    if scene.sky == "rain":
        draw_rain(image, texture)
    width, height = size
    return image, [Box(max(0, x0), max(0, y0), min(width, x1), min(height, y1)) for x0, y0, x1, y1 in boxes]


def render(scene: Scene, width: int, height: int, scale: float = 1.0) -> Image.Image:
    """Return ``scene`` as an RGB picture of ``width`` x ``height`` px, things ``scale`` times as large.

    From 320 pixels of width on, the picture is drawn at twice the size and reduced, for smooth edges; smaller
    pictures are drawn as they are. The same scene and size always give the same pixels.
    Raises ValueError for a side under 16 pixels.
    """
    return _drawn(scene, width, height, scale)[0]


def boxes(scene: Scene, width: int, height: int, scale: float = 1.0) -> list[Box]:
    """Return where the things of ``scene`` are in the picture that ``render`` makes of it, in its pixels.

    Shadows and water are not part of a thing; one that stands before another may hide some of its box.
    Raises ValueError for a side under 16 pixels.
    """
    return _drawn(scene, width, height, scale)[1]


def _drawn(scene: Scene, width: int, height: int, scale: float) -> tuple[Image.Image, list[Box]]:
    if width < 16 or height < 16:
        raise ValueError(f"the picture size is {width}x{height}; each side must be 16 pixels or more")
    if width < 320:
        return _paint(scene, (width, height), scale)
    image, found = _paint(scene, (width * 2, height * 2), scale)
    return image.reduce(2), [Box(*(side / 2 for side in box)) for box in found]
