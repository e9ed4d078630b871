"""Plain English captions of scenes, and what each caption claims.

A caption names some of a scene's five attributes and leaves the others open. Its claim says which scenes it
is true of, so that a trainer or a test can tell for any caption and any picture whether they agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from .world import COLOURS, COUNTS, GROUNDS, KIND_NAMES, KINDS, SKIES, Kind, Scene, kind_named

Phrases = tuple[str, ...]

SKY_WORDS: Final[dict[str, Phrases]] = {
    "clear": ("on a clear day", "on a sunny day", "under a blue sky", "in the daytime", "in the sunshine"),
    "sunset": ("at sunset", "at sunset", "at dusk", "in the evening", "under an orange sky"),
    "night": ("at night", "at night", "in the dark", "under the stars", "under the moon"),
    "dawn": ("at dawn", "at sunrise", "in the early morning", "under a pink sky"),
    "rain": ("in the rain", "on a rainy day", "under a grey sky", "in bad weather"),
}
_ON_WORDS: Final[dict[str, Phrases]] = {
    "grass": ("on the grass", "in a field", "in a meadow", "on green grass"),
    "sand": ("on the sand", "on the beach", "at the beach", "in the desert"),
    "snow": ("in the snow", "on the snow", "in a snowy field"),
    "water": ("on the water", "on the sea", "on the lake", "at sea"),
    "road": ("on the road", "on the street", "in the street", "on a street"),
}
_OVER_WORDS: Final[dict[str, Phrases]] = {
    "grass": ("over the grass", "over a field", "above a meadow"),
    "sand": ("over the sand", "over the beach", "above the beach", "at the beach"),
    "snow": ("over the snow", "in the snow", "above the snow"),
    "water": ("over the water", "over the sea", "above the lake"),
    "road": ("over the road", "over the street", "above the street"),
}
_PLACE_ALONE: Final[dict[str, Phrases]] = {
    "grass": ("grass", "a meadow", "a green field"),
    "sand": ("sand", "a beach", "the beach"),
    "snow": ("snow", "a snowy field", "winter"),
    "water": ("water", "the sea", "a lake"),
    "road": ("a road", "a street"),
}
_SKY_ALONE: Final[dict[str, Phrases]] = {
    "clear": ("a sunny day", "a clear day", "a blue sky"),
    "sunset": ("a sunset", "sunset", "dusk"),
    "night": ("night", "the night sky", "the moon and stars"),
    "dawn": ("dawn", "a sunrise", "a pink morning sky"),
    "rain": ("rain", "a rainy day", "a grey sky"),
}
_NUMBERS: Final[dict[int, Phrases]] = {
    1: ("one", "one", "1", "a single"),
    2: ("two", "two", "2"),
    3: ("three", "three", "3"),
}
_LEADS: Final[Phrases] = ("a photo of ", "a picture of ", "an image of ", "a drawing of ")

# How captions of each make are mixed: (share, names what).
_MIX: Final[tuple[tuple[int, frozenset[str]], ...]] = tuple(
    (share, frozenset(what.split()))
    for share, what in (
        (22, "kind colour count ground sky"),
        (12, "kind colour count sky"),
        (6, "kind colour count ground"),
        (10, "kind colour count"),
        (18, "kind colour"),
        (5, "kind colour sky"),
        (4, "kind colour ground"),
        (4, "kind count"),
        (5, "kind"),
        (3, "kind sky"),
        (3, "kind ground"),
        (2, "kind ground sky"),
        (2, "colour"),
        (1, "colour ground"),
        (1, "colour sky"),
        (1, "ground"),
        (1, "sky"),
        (1, "ground sky"),
        (1, "count"),
    )
)


@dataclass(frozen=True)
class Claim:
    """What a caption says: for each attribute the values it is true of, or None where it says nothing."""

    kinds: frozenset[str] | None = None
    colours: frozenset[str] | None = None
    counts: frozenset[int] | None = None
    grounds: frozenset[str] | None = None
    skies: frozenset[str] | None = None

    def holds(self, scene: Scene) -> bool:
        """Say whether the claim is true of ``scene``."""
        return (
            (self.kinds is None or scene.kind in self.kinds)
            and (self.colours is None or scene.colour in self.colours)
            and (self.counts is None or scene.count in self.counts)
            and (self.grounds is None or scene.ground in self.grounds)
            and (self.skies is None or scene.sky in self.skies)
        )


def article(word: str) -> str:
    """Return ``word`` with "a" or "an" before it."""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _subject(
    scene: Scene, named: frozenset[str], rng: Random
) -> tuple[str, frozenset[str] | None, frozenset[int] | None]:
    """Return the words for the things, and the kinds and counts that these words allow."""
    kind = kind_named(scene.kind)
    colour = f"{scene.colour} " if "colour" in named else ""
    kinds: frozenset[str] | None = frozenset((kind.name,))
    if "kind" not in named:
        pair, kinds = ("thing", "things"), None
        if "count" not in named and rng.random() < 0.6:
            return f"something {scene.colour}", None, None
    elif kind.group and rng.random() < 0.06:
        pair, kinds = kind.group, frozenset(k.name for k in KINDS if k.group == kind.group)
    elif len(kind.words) > 1 and rng.random() < 0.4:
        pair = rng.choice(kind.words[1:])
    else:
        pair = kind.words[0]
    if "count" in named:
        # "a" is read as "at least one" (any count) elsewhere, so a claim of exactly one spells it out.
        number = rng.choice(_NUMBERS[scene.count])
        return f"{number} {colour}{pair[scene.count > 1]}", kinds, frozenset((scene.count,))
    if scene.count > 1 and rng.random() < 0.35:
        some = rng.choice(("", "", "some ", "several "))
        return f"{some}{colour}{pair[1]}", kinds, frozenset((2, 3))
    if rng.random() < 0.25:
        return f"{colour}{pair[0]}", kinds, None
    return article(f"{colour}{pair[0]}"), kinds, None


def _ground_words(kind: Kind, named: frozenset[str]) -> dict[str, Phrases]:
    return _OVER_WORDS if kind.home == "air" and "kind" in named else _ON_WORDS


def caption(scene: Scene, named: frozenset[str], rng: Random) -> tuple[str, Claim]:
    """Return one caption of ``scene`` that names the attributes in ``named``, and what it claims.

    ``named`` holds some of "kind", "colour", "count", "ground" and "sky"; an empty set raises ValueError.
    """
    if not named:
        raise ValueError("a caption must name at least one attribute of its scene")
    grounds = frozenset((scene.ground,)) if "ground" in named else None
    skies = frozenset((scene.sky,)) if "sky" in named else None
    if not named & {"kind", "colour", "count"}:
        text = rng.choice(_PLACE_ALONE[scene.ground]) if "ground" in named else rng.choice(_SKY_ALONE[scene.sky])
        if named >= {"ground", "sky"}:
            text = f"{text} {rng.choice(SKY_WORDS[scene.sky])}"
        lead = rng.choice(_LEADS) if rng.random() < 0.3 else ""
        return lead + text, Claim(grounds=grounds, skies=skies)
    text, kinds, counts = _subject(scene, named, rng)
    tails: list[str] = []
    if "ground" in named:
        tails.append(rng.choice(_ground_words(kind_named(scene.kind), named)[scene.ground]))
    if "sky" in named:
        tails.append(rng.choice(SKY_WORDS[scene.sky]))
    if len(tails) == 2 and rng.random() < 0.25:
        tails.reverse()
    bare = text.split(" ", 1)[0] not in ("a", "an") and "count" not in named
    lead = rng.choice(_LEADS[:1] * 4 + _LEADS) if rng.random() < (0.1 if bare else 0.45) else ""
    colours = frozenset((scene.colour,)) if "colour" in named else None
    return lead + " ".join([text, *tails]), Claim(kinds, colours, counts, grounds, skies)


def any_caption(scene: Scene, rng: Random) -> tuple[str, Claim]:
    """Return a caption of ``scene`` of a make drawn from the usual mix, from one word to the full wording."""
    named = rng.choices([what for _, what in _MIX], [share for share, _ in _MIX])[0]
    return caption(scene, named, rng)


def full_caption(scene: Scene) -> str:
    """Return the plainest caption that names everything: "two red boats on the water at sunset"."""
    kind = kind_named(scene.kind)
    words = kind.words[0][scene.count > 1]
    number = {1: "one", 2: "two", 3: "three"}[scene.count]
    ground = _ground_words(kind, frozenset(("kind",)))[scene.ground][0]
    return f"{number} {scene.colour} {words} {ground} {SKY_WORDS[scene.sky][0]}"


def captions_of(scene: Scene) -> list[str]:
    """Return a handful of captions of ``scene``, full one first; a scene always gives the same list."""
    rng = Random(f"captions:{scene.seed}")
    plain = ("kind colour count sky", "kind colour count", "kind colour", "kind sky", "colour ground")
    made = [full_caption(scene), *(caption(scene, frozenset(what.split()), rng)[0] for what in plain)]
    return list(dict.fromkeys(made))


def class_names() -> list[tuple[str, str, str]]:
    """Return every (kind, colour, phrase), for example ("boat", "red", "a red boat"), kinds outermost."""
    return [(kind.name, colour, article(f"{colour} {kind.words[0][0]}")) for kind in KINDS for colour in COLOURS]


AXES: Final[tuple[tuple[str, tuple[str | int, ...]], ...]] = (
    ("kinds", KIND_NAMES),
    ("colours", COLOURS),
    ("counts", COUNTS),
    ("grounds", GROUNDS),
    ("skies", SKIES),
)
"""The five attributes: the name of the claim's field and its possible values in order."""


def scene_code(scene: Scene) -> tuple[int, int, int, int, int]:
    """Return the place of each attribute of ``scene`` in ``AXES``."""
    return (
        KIND_NAMES.index(scene.kind),
        COLOURS.index(scene.colour),
        COUNTS.index(scene.count),
        GROUNDS.index(scene.ground),
        SKIES.index(scene.sky),
    )
