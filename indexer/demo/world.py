"""The small world: which scenes exist, and how they come about from a seed.

A scene shows one to three things of one kind and one colour, on one ground, under one sky.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final


@dataclass(frozen=True)
class Kind:
    """One kind of thing: the words for it and where it usually is.

    ``home`` is ``"ground"``, ``"water"`` or ``"air"``; ``words`` holds (singular, plural) pairs, the
    commonest first; ``group`` is a (singular, plural) pair for a wider word, or None.
    """

    name: str
    home: str
    words: tuple[tuple[str, str], ...]
    group: tuple[str, str] | None = None


_ANIMAL: Final = ("animal", "animals")
_VEHICLE: Final = ("vehicle", "vehicles")
_BUILDING: Final = ("building", "buildings")
_PLANT: Final = ("plant", "plants")

KINDS: Final[tuple[Kind, ...]] = (
    Kind("boat", "water", (("boat", "boats"), ("sailing boat", "sailing boats"), ("sailboat", "sailboats"))),
    Kind("duck", "water", (("duck", "ducks"),), _ANIMAL),
    Kind("fish", "water", (("fish", "fish"),), _ANIMAL),
    Kind("kite", "air", (("kite", "kites"),)),
    Kind(
        "balloon",
        "air",
        (("hot-air balloon", "hot-air balloons"), ("balloon", "balloons"), ("hot air balloon", "hot air balloons")),
    ),
    Kind("plane", "air", (("plane", "planes"), ("aeroplane", "aeroplanes"), ("airplane", "airplanes"))),
    Kind("bird", "air", (("bird", "birds"),), _ANIMAL),
    Kind("butterfly", "air", (("butterfly", "butterflies"),), _ANIMAL),
    Kind("rocket", "air", (("rocket", "rockets"), ("space rocket", "space rockets"))),
    Kind("car", "ground", (("car", "cars"),), _VEHICLE),
    Kind("bus", "ground", (("bus", "buses"),), _VEHICLE),
    Kind("train", "ground", (("train", "trains"), ("steam train", "steam trains")), _VEHICLE),
    Kind("bicycle", "ground", (("bicycle", "bicycles"), ("bike", "bikes")), _VEHICLE),
    Kind("house", "ground", (("house", "houses"),), _BUILDING),
    Kind("castle", "ground", (("castle", "castles"),), _BUILDING),
    Kind("lighthouse", "ground", (("lighthouse", "lighthouses"),), _BUILDING),
    Kind("windmill", "ground", (("windmill", "windmills"),), _BUILDING),
    Kind("tent", "ground", (("tent", "tents"),)),
    Kind("tree", "ground", (("tree", "trees"),), _PLANT),
    Kind("flower", "ground", (("flower", "flowers"),), _PLANT),
    Kind("mushroom", "ground", (("mushroom", "mushrooms"), ("toadstool", "toadstools"))),
    Kind("cactus", "ground", (("cactus", "cacti"), ("cactus", "cactuses")), _PLANT),
    Kind("cat", "ground", (("cat", "cats"),), _ANIMAL),
    Kind("umbrella", "ground", (("umbrella", "umbrellas"), ("parasol", "parasols"))),
    Kind("chair", "ground", (("chair", "chairs"),)),
    Kind("mug", "ground", (("mug", "mugs"), ("cup", "cups"))),
)
KIND_NAMES: Final[tuple[str, ...]] = tuple(kind.name for kind in KINDS)
COLOURS: Final[tuple[str, ...]] = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
)
COUNTS: Final[tuple[int, ...]] = (1, 2, 3)
GROUNDS: Final[tuple[str, ...]] = ("grass", "sand", "snow", "water", "road")
SKIES: Final[tuple[str, ...]] = ("clear", "sunset", "night", "dawn", "rain")

# How often each ground goes with a home, in the order of GROUNDS: sensible more often than not,
# never only one, so that a model cannot read the ground off the thing.
_GROUND_WEIGHTS: Final[dict[str, tuple[int, ...]]] = {
    "ground": (30, 24, 24, 2, 20),
    "water": (5, 8, 4, 80, 3),
    "air": (22, 20, 18, 22, 18),
}
_KIND_GROUND_WEIGHTS: Final[dict[str, tuple[int, ...]]] = {
    "car": (14, 14, 14, 0, 58),
    "bus": (14, 14, 14, 0, 58),
    "bicycle": (24, 16, 16, 0, 44),
    "duck": (22, 8, 8, 58, 4),
    "lighthouse": (24, 30, 16, 24, 6),
}


@dataclass(frozen=True)
class Scene:
    """Everything a picture shows. ``seed`` decides all that no caption speaks of (places, sizes, tones)."""

    kind: str
    colour: str
    count: int
    ground: str
    sky: str
    seed: int


def kind_named(name: str) -> Kind:
    """Return the kind called ``name``; raises ValueError when there is none."""
    try:
        return KINDS[KIND_NAMES.index(name)]
    except ValueError:
        raise ValueError(f"no kind is called {name!r}; the kinds are {', '.join(KIND_NAMES)}") from None


@lru_cache(maxsize=64)
def _shuffled_pairs(seed: int, cycle: int) -> tuple[tuple[str, str], ...]:
    pairs = [(kind, colour) for kind in KIND_NAMES for colour in COLOURS]
    Random(f"pairs:{seed}:{cycle}").shuffle(pairs)
    return tuple(pairs)


PAIRS: Final[int] = len(KINDS) * len(COLOURS)
"""How many kind and colour pairs there are: the length of one cycle of scenes."""


def scene_at(seed: int, index: int) -> Scene:
    """Return scene number ``index`` (0 or more) of the endless series named by ``seed``.

    Each run of ``PAIRS`` scenes that starts at a multiple of it holds every kind and colour once.
    Raises ValueError for a negative index.
    """
    if index < 0:
        raise ValueError(f"the scene index is {index}; it must be 0 or more")
    kind, colour = _shuffled_pairs(seed, index // PAIRS)[index % PAIRS]
    rng = Random(f"scene:{seed}:{index}")
    weights = _KIND_GROUND_WEIGHTS.get(kind) or _GROUND_WEIGHTS[kind_named(kind).home]
    return Scene(
        kind=kind,
        colour=colour,
        count=rng.choice(COUNTS),
        ground=rng.choices(GROUNDS, weights)[0],
        sky=rng.choice(SKIES),
        seed=rng.getrandbits(62),
    )


def album(seed: int, count: int) -> list[Scene]:
    """Return ``count`` scenes for a folder of pictures: the series of ``seed`` with a few fixed guests.

    From 20 scenes on, some (one in 60, at least two, at most six) show two red boats on the water at sunset,
    so that the query people try first always has an answer. They stand in for the last scenes, which leaves the
    first full cycle of kind and colour pairs whole when ``count`` is at least ``PAIRS`` + 6.
    Raises ValueError when ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"the number of pictures is {count}; it must be 1 or more")
    scenes = [scene_at(seed, index) for index in range(count)]
    guests = min(6, max(2, count // 60)) if count >= 20 else 0
    for place in range(count - guests, count):
        scenes[place] = Scene("boat", "red", 2, "water", "sunset", scenes[place].seed)
    Random(f"album:{seed}:{count}").shuffle(scenes)
    return scenes
