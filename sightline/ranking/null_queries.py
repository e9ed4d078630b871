"""Null queries: everyday texts that ask for nothing in particular.

How a space scores them says what its numbers mean: how much a text's cosines spread over a library, and how high the
best description among many plain ones lies for a picture. Nothing here knows what is in a library.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, Protocol

from store.arrays import Floats

# Wide rather than fine: people, animals, vehicles, buildings, places, weather, food, things, documents, colours, looks.
TEXTS: Final = tuple(
    text.strip()
    for text in """
    a person, a man, a woman, a child, a baby, a group of people, a crowd, a portrait, a face, hands, a family,
    friends at a party, a wedding, a sports match, people dancing, people eating, a dog, a cat, a horse, a bird, a fish,
    a cow, sheep, a wild animal, an insect, a butterfly, a duck, a farm animal, a car, a bus, a truck, a train,
    a bicycle, a motorcycle, a boat, a ship, a plane, a helicopter, a house, a building, a tall building, a castle,
    a church, a bridge, a tower, a shop, a street, a city, a city skyline, a village, a road, a garden, a park, a room,
    a kitchen, a bedroom, an office, a staircase, a door, a window, a beach, the sea, a river, a lake, a waterfall,
    mountains, a forest, a field, grass, a desert, snow, ice, rocks, a cave, clouds, the sky, a sunset, night, rain,
    fog, a sunny day, fire, the moon, stars, a tree, flowers, leaves, a plant, a mushroom, fruit, vegetables,
    food on a plate, a cake, bread, a cup of coffee, a bottle, a glass of wine, pizza, soup, a chair, a table, a bed,
    a lamp, a book, a newspaper, a page of text, a letter, a map, a screenshot, a computer, a telephone, a camera,
    a clock, a toy, a ball, a bag, shoes, clothes, a hat, jewellery, a musical instrument, a guitar, a tool, a knife,
    a machine, a sign, a flag, a poster, a painting, a drawing, a statue, a diagram, a chart, a logo, a receipt,
    a red thing, something blue, something green, something yellow, something white, something black,
    a black and white photo, a blurry picture, a dark picture, a pattern, a texture, an empty room, nothing, a close-up,
    a view from above, an old photograph
    """.replace("\n", " ").split(",")
)


class _Encodes(Protocol):
    def encode_texts(self, texts: tuple[str, ...], /) -> Floats: ...


def path_of(folder: Path, space_key: str) -> Path:
    """Where the vectors of the null queries in a space are kept, in a library's folder of vectors."""
    digest = hashlib.sha256("\n".join((space_key, *TEXTS)).encode()).hexdigest()
    return folder / f"nulls-{digest[:16]}.npy"


def encode(encoder: _Encodes) -> Floats:
    """Unit vectors of the null queries, float32 (n, dim)."""
    return encoder.encode_texts(TEXTS)
