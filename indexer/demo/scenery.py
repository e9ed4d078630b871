"""The background of a picture: sky, sun or moon, clouds, hills and textured ground."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


class Light(NamedTuple):
    """How a time of day looks: sky colours from top to horizon, and the tint it lays on the ground.

    ``tint`` is mixed into every ground colour with the share ``share`` after scaling it by ``gain``.
    """

    sky: tuple[Colour, ...]
    hill: Colour
    cloud: Colour
    tint: Colour
    share: float
    gain: float


LIGHTS: Final[dict[str, Light]] = {
    "clear": Light(
        ((58, 138, 222), (120, 186, 240), (206, 232, 250)), (120, 165, 140), (255, 255, 255), (255, 255, 240), 0.0, 1.0
    ),
    "sunset": Light(
        ((84, 52, 120), (205, 84, 96), (250, 150, 66), (255, 214, 110)),
        (96, 58, 92),
        (250, 142, 110),
        (236, 110, 50),
        0.24,
        0.82,
    ),
    "night": Light(((8, 12, 38), (18, 28, 72), (44, 58, 112)), (22, 30, 60), (52, 62, 100), (20, 34, 90), 0.36, 0.46),
    "dawn": Light(
        ((150, 178, 226), (222, 188, 224), (252, 204, 206), (255, 230, 204)),
        (158, 138, 176),
        (255, 226, 232),
        (236, 186, 220),
        0.24,
        0.96,
    ),
    "rain": Light(
        ((104, 112, 124), (140, 148, 158), (172, 178, 184)), (112, 122, 124), (88, 94, 106), (120, 128, 138), 0.2, 0.88
    ),
}

_GROUND: Final[dict[str, tuple[Colour, Colour]]] = {
    "grass": ((116, 176, 76), (72, 136, 52)),
    "sand": ((240, 216, 160), (220, 186, 120)),
    "snow": ((244, 248, 255), (218, 228, 244)),
    "water": ((96, 172, 214), (34, 104, 168)),
    "road": ((128, 130, 136), (92, 94, 102)),
}


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return ``a`` with the share ``share`` (0 to 1) of ``b`` mixed in, in plain sRGB values."""
    keep = 1.0 - share
    return (round(a[0] * keep + b[0] * share), round(a[1] * keep + b[1] * share), round(a[2] * keep + b[2] * share))


def lit(colour: Colour, sky: str) -> Colour:
    """Return a ground colour as it looks under ``sky``."""
    light = LIGHTS[sky]
    gained = (round(colour[0] * light.gain), round(colour[1] * light.gain), round(colour[2] * light.gain))
    return mix(gained, light.tint, light.share)


def ground_tones(ground: str, sky: str) -> tuple[Colour, Colour]:
    """Return the far and the near colour of ``ground`` under ``sky``."""
    far, near = _GROUND[ground]
    if ground == "snow" and sky == "night":
        # Snow is the one ground that stays bright under the moon.
        return (150, 164, 206), (112, 126, 172)
    if ground == "water":
        # Water mirrors the sky, so its far edge takes on the colour above the horizon.
        far = mix(lit(far, sky), LIGHTS[sky].sky[-1], 0.35)
        return far, lit(near, sky)
    return lit(far, sky), lit(near, sky)


@lru_cache(maxsize=256)
def _gradient(stops: tuple[Colour, ...], height: int) -> Image.Image:
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(stops)
    return column.resize((1, max(1, height)), Image.Resampling.BILINEAR)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, r: float, fill: tuple[int, ...]) -> None:
    draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _sun(draw: ImageDraw.ImageDraw, rng: Random, sky: str, width: int, horizon: float) -> float:
    """Draw the sun or moon if the sky shows one; return its x, where water glitters."""
    x = width * rng.choice((rng.uniform(0.08, 0.32), rng.uniform(0.68, 0.92)))
    if sky == "clear":
        y, r = horizon * rng.uniform(0.16, 0.4), horizon * 0.12
        _disc(draw, x, y, r * 1.7, (255, 250, 200, 70))
        _disc(draw, x, y, r, (255, 240, 140, 255))
    elif sky == "sunset":
        y, r = horizon * rng.uniform(0.84, 0.97), horizon * 0.22
        _disc(draw, x, y, r * 1.8, (255, 220, 120, 60))
        _disc(draw, x, y, r * 1.35, (255, 226, 130, 80))
        _disc(draw, x, y, r, (255, 236, 150, 255))
    elif sky == "night":
        y, r = horizon * rng.uniform(0.16, 0.4), horizon * 0.11
        _disc(draw, x, y, r * 1.7, (210, 220, 255, 36))
        _disc(draw, x, y, r, (244, 242, 220, 255))
        _disc(draw, x + r * 0.45, y - r * 0.2, r * 0.82, (*LIGHTS[sky].sky[0], 255))
    elif sky == "dawn":
        y, r = horizon * rng.uniform(0.88, 1.0), horizon * 0.13
        _disc(draw, x, y, r * 1.9, (255, 244, 226, 80))
        _disc(draw, x, y, r, (255, 246, 224, 255))
    return x


def _clouds(draw: ImageDraw.ImageDraw, rng: Random, sky: str, width: int, horizon: float) -> None:
    many = {
        "clear": rng.randint(1, 3),
        "sunset": rng.randint(1, 3),
        "night": rng.randint(0, 1),
        "dawn": rng.randint(1, 3),
        "rain": 5,
    }[sky]
    flat = sky in ("sunset", "dawn")
    for _ in range(many):
        x, y = rng.uniform(0, width), horizon * rng.uniform(0.05, 0.62 if sky != "rain" else 0.3)
        size = horizon * rng.uniform(0.1, 0.18) * (1.5 if sky == "rain" else 1.0)
        if flat:
            fill = (*LIGHTS[sky].cloud, 150)
            draw.ellipse((x - size * 2.6, y - size * 0.2, x + size * 2.6, y + size * 0.2), fill=fill)
            draw.ellipse((x - size * 0.8, y - size * 0.42, x + size * 1.6, y + size * 0.05), fill=fill)
            continue
        # Opaque puffs: where translucent ones overlap, their seams would show.
        puff = mix(LIGHTS[sky].sky[1], LIGHTS[sky].cloud, 0.85)
        for dx, dy, r in ((-1.1, 0.1, 0.55), (-0.35, -0.3, 0.75), (0.45, -0.15, 0.68), (1.15, 0.12, 0.5)):
            _disc(draw, x + dx * size, y + dy * size, r * size, puff)
        draw.rectangle((x - 1.2 * size, y + 0.1 * size, x + 1.2 * size, y + 0.6 * size), fill=puff)


def _hills(draw: ImageDraw.ImageDraw, rng: Random, sky: str, width: int, horizon: float) -> None:
    light = LIGHTS[sky]
    for layer in range(rng.randint(0, 2)):
        fill = mix(light.hill, light.sky[-1], 0.45 - 0.3 * layer)
        x, peaks = -width * 0.1, [(-width * 0.1, horizon + 2)]
        while x < width * 1.1:
            peaks.append((x, horizon * rng.uniform(0.84, 0.95)))
            x += width * rng.uniform(0.1, 0.24)
        draw.polygon([*peaks, (width * 1.1, horizon + 2)], fill=fill)


def _texture(
    draw: ImageDraw.ImageDraw, rng: Random, ground: str, sky: str, size: tuple[int, int], horizon: float, glitter: float
) -> None:
    width, height = size
    far, near = ground_tones(ground, sky)
    deep = height - horizon
    unit = height / 480
    many = 14 if height < 200 else 90
    if ground == "road":
        _road(draw, rng, sky, size, horizon)
        return
    pale, dark = mix(far, (255, 255, 255), 0.25), mix(near, (0, 0, 0), 0.22)
    for _ in range(many):
        near_share = rng.random()
        x, y = rng.uniform(0, width), horizon + deep * near_share
        reach = unit * (3 + 9 * near_share)
        if ground == "grass":
            fill = dark if rng.random() < 0.5 else pale
            for lean in (-0.5, 0.0, 0.5):
                draw.line((x, y, x + lean * reach, y - reach * 1.2), fill=fill, width=max(1, round(unit * 2)))
        elif ground == "water":
            draw.line(
                (x - reach * 2.4, y, x + reach * 2.4, y),
                fill=pale if rng.random() < 0.6 else dark,
                width=max(1, round(unit * (1 + 2.5 * near_share))),
            )
        elif ground == "sand":
            draw.ellipse(
                (x - reach * 0.3, y - reach * 0.16, x + reach * 0.3, y + reach * 0.16),
                fill=dark if rng.random() < 0.6 else pale,
            )
        else:
            fill = mix(near, (90, 110, 170), 0.12)
            draw.ellipse((x - reach * 2.2, y - reach * 0.22, x + reach * 2.2, y + reach * 0.22), fill=fill)
    if ground == "water" and sky != "rain":
        shine = mix(LIGHTS[sky].sky[-1], (255, 255, 240), 0.6)
        for step in range(8):
            y = horizon + deep * (step + 0.4) / 8
            half = unit * (10 + 3 * step) * rng.uniform(0.6, 1.4)
            draw.line((glitter - half, y, glitter + half, y), fill=shine, width=max(1, round(unit * 3)))


def _road(draw: ImageDraw.ImageDraw, rng: Random, sky: str, size: tuple[int, int], horizon: float) -> None:
    width, height = size
    deep, unit = height - horizon, height / 480
    verge = lit((128, 160, 100), sky)
    kerb = horizon + deep * 0.14
    draw.rectangle((0, horizon, width, kerb), fill=verge)
    draw.rectangle((0, kerb, width, kerb + max(1, 8 * unit)), fill=lit((206, 204, 198), sky))
    middle, shift = horizon + deep * rng.uniform(0.56, 0.66), rng.uniform(0, 0.2)
    for step in range(-1, 6):
        x = width * (step * 0.22 + shift)
        draw.polygon(
            [
                (x, middle),
                (x + width * 0.12, middle),
                (x + width * 0.11, middle + 13 * unit),
                (x - width * 0.015, middle + 13 * unit),
            ],
            fill=lit((246, 244, 232), sky),
        )
    draw.rectangle((0, height - 12 * unit, width, height), fill=lit((206, 204, 198), sky))


def draw_background(ground: str, sky: str, rng: Random, size: tuple[int, int]) -> tuple[Image.Image, float]:
    """Return an RGB picture of ``size`` (width, height) with sky and ground, and its horizon's y (px)."""
    width, height = size
    horizon = height * rng.uniform(0.46, 0.56)
    line = round(horizon)
    image = Image.new("RGB", size)
    image.paste(_gradient(LIGHTS[sky].sky, line).resize((width, line)), (0, 0))
    image.paste(_gradient(ground_tones(ground, sky), height - line).resize((width, height - line)), (0, line))
    blend = ImageDraw.Draw(image, "RGBA")
    if sky == "night":
        for _ in range(26 if height < 200 else 60):
            _disc(
                blend,
                rng.uniform(0, width),
                rng.uniform(0, horizon * 0.9),
                height / 480 * rng.uniform(0.8, 2.2),
                (235, 238, 255, 220),
            )
    glitter = _sun(blend, rng, sky, width, horizon)
    _clouds(blend, rng, sky, width, horizon)
    draw = ImageDraw.Draw(image)
    _hills(draw, rng, sky, width, horizon)
    if sky in ("sunset", "dawn"):
        # The low sun reaches below the horizon; the ground hides that half.
        image.paste(_gradient(ground_tones(ground, sky), height - line).resize((width, height - line)), (0, line))
    _texture(draw, rng, ground, sky, size, horizon, glitter)
    return image, horizon


def draw_rain(image: Image.Image, rng: Random) -> None:
    """Draw slanting rain over ``image``, in place."""
    width, height = image.size
    blend = ImageDraw.Draw(image, "RGBA")
    unit = height / 480
    for _ in range(22 if height < 200 else 110):
        x, y = rng.uniform(0, width), rng.uniform(-0.05, 1) * height
        long = unit * rng.uniform(16, 34)
        blend.line((x, y, x - long * 0.3, y + long), fill=(222, 232, 246, 130), width=max(1, round(unit * 1.6)))
