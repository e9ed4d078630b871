"""Null queries: everyday texts that ask for nothing in particular.

How a space scores them says what its cosines mean: how much a text's cosines vary over a library, and how high the
best of many plain descriptions scores for a picture. The texts are the same for every library.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Final

from sightline.models.loaded import Encoders
from sightline.ranking.text_vector_cache import read_vectors, write_vectors
from store.arrays import Floats
from store.library import Library
from store.tables.catalog import SpaceState

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


class NullQueries:
    """The vectors of the null queries in each space of a library. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders) -> None:
        self._folder = library.path / "vectors"
        self._readonly = library.readonly
        self._encoders = encoders
        self._vectors: dict[str, Floats] = {}
        self._lock = threading.Lock()  # held while a model loads: whoever needs these needs it as well

    def need_model(self, space: SpaceState) -> bool:
        """Whether they have to be encoded first: they are neither in memory nor in the library's folder."""
        return space.key not in self._vectors and not self._path(space).is_file()

    def vectors(self, space: SpaceState) -> Floats:
        """Their unit vectors, float32 (n, dim): from memory, from the library's folder, or from the model.

        Raises:
            SpaceError: the model can't be loaded.
        """
        with self._lock:
            if space.key not in self._vectors:
                path = self._path(space)
                vectors = read_vectors(path, (len(TEXTS), space.dim))
                if vectors is None:
                    vectors = self._encoders.get(space).encode_texts(TEXTS)
                    if not self._readonly:
                        write_vectors(path, vectors)
                self._vectors[space.key] = vectors
            return self._vectors[space.key]

    def _path(self, space: SpaceState) -> Path:
        digest = hashlib.sha256("\n".join((space.key, *TEXTS)).encode()).hexdigest()
        return self._folder / f"nulls-{digest[:16]}.npy"
