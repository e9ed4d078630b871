"""Null queries: hundreds of concrete things, of which a picture shows a few at most.

How a space scores them says what its cosines mean: how much a text's cosines vary over a library, and what a picture's
cosines to texts that don't describe it look like. The texts are the same for every library.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from sightline.models.loaded import Encoders
from sightline.ranking.text_vector_cache import NULLS_SUFFIX, read_vectors, write_vectors
from store.arrays import Floats
from store.library import Library
from store.tables.catalog import SpaceState

# Wide rather than fine: vehicles, buildings, places, weather, animals, plants, food, things, documents, toys, people.
TEXTS: Final = tuple(
    " ".join(text.split())
    for text in """
    airplane, helicopter, hot-air balloon, rocket, sailing boat, canoe, cruise ship, submarine, lighthouse, harbour,
    ferry, bus, tram, train, truck, tractor, fire engine, ambulance, police car, racing car, motorcycle, bicycle,
    skateboard, wheelchair, pram, bridge, tunnel, motorway, traffic light, road sign, petrol station, parking lot,
    railway station, airport, castle, church, mosque, temple, skyscraper, cottage, barn, windmill, factory, warehouse,
    greenhouse, tent, igloo, ruins, pyramid, statue, fountain, cemetery, staircase, lift, balcony, roof, chimney, door,
    window, fence, brick wall, kitchen, bathroom, bedroom, classroom, library, hospital, laboratory, office, gym,
    theatre, museum, restaurant, bar, supermarket, market stall, playground, stadium, swimming pool, tennis court, golf
    course, ski slope, campsite, beach, cliff, island, waterfall, river, lake, swamp, glacier, iceberg, volcano, canyon,
    desert, cave, forest, meadow, vineyard, rice field, garden, snow, storm, lightning, rainbow, fog, sunset, moon,
    stars, fireworks, campfire, candle, dog, cat, horse, cow, sheep, goat, pig, donkey, camel, rabbit, mouse, squirrel,
    hedgehog, fox, wolf, bear, lion, tiger, leopard, elephant, giraffe, zebra, hippopotamus, rhinoceros, monkey,
    gorilla, kangaroo, koala, deer, moose, bat, whale, dolphin, seal, penguin, duck, swan, goose, chicken, turkey,
    peacock, eagle, owl, parrot, flamingo, pigeon, sparrow, ostrich, snake, lizard, crocodile, turtle, frog, shark,
    goldfish, jellyfish, octopus, crab, lobster, snail, spider, scorpion, bee, ant, butterfly, dragonfly, beetle,
    mosquito, worm, dinosaur, skeleton, coral, mushroom, cactus, palm tree, pine tree, sunflower, rose, tulip, orchid,
    fern, moss, ivy, bonsai, hay, apple, banana, orange, lemon, strawberry, grapes, watermelon, pineapple, cherry,
    coconut, avocado, tomato, potato, carrot, onion, garlic, cabbage, pumpkin, corn, pepper, cucumber, beans, rice,
    pasta, pizza, hamburger, sandwich, hot dog, sushi, soup, salad, steak, sausage, fried egg, cheese, bread, croissant,
    pancake, cake, cookie, doughnut, ice cream, chocolate, honey, coffee, tea, beer, wine, cocktail, milk, bottle, cup,
    plate, bowl, fork, knife, spoon, pan, kettle, toaster, oven, fridge, washing machine, vacuum cleaner, iron, sewing
    machine, broom, bucket, soap, toothbrush, towel, mirror, lamp, chandelier, ceiling fan, sofa, armchair, rocking
    chair, desk, bookshelf, bed, cradle, curtain, carpet, pillow, vase, clock, wristwatch, glasses, hat, helmet, crown,
    scarf, tie, shirt, dress, jeans, coat, glove, sock, boot, sandal, handbag, backpack, suitcase, umbrella, ring,
    necklace, wallet, coin, banknote, key, padlock, laptop, keyboard, computer mouse, telephone, smartphone, television,
    radio, loudspeaker, headphones, microphone, camera, projector, printer, calculator, circuit board, cable, battery,
    light bulb, solar panel, wind turbine, crane, excavator, drill, hammer, saw, screwdriver, spanner, axe, ladder,
    rope, chain, anchor, wheel, engine, tyre, barrel, box, basket, flag, book, newspaper, envelope, stamp, map, globe,
    calendar, menu, receipt, ticket, passport, diploma, handwriting, sheet music, crossword, barcode, logo, diagram,
    graph, blueprint, x-ray, spreadsheet, comic, painting, sculpture, mosaic, tattoo, mask, puppet, doll, teddy bear,
    balloon, kite, toy car, building blocks, jigsaw, chess board, playing cards, dice, trophy, medal, football,
    basketball, baseball bat, tennis racket, golf club, bowling, boxing, surfboard, skis, snowboard, ice skates, sled,
    fishing rod, bow and arrow, sword, gun, cannon, tank, soldier, parachute, guitar, violin, cello, harp, piano,
    accordion, drum, trumpet, saxophone, flute, orchestra, choir, concert, ballet, circus, parade, wedding, birthday
    party, graduation, baby, boy, girl, old man, old woman, couple, crowd, bride, pregnant woman, nurse, doctor,
    dentist, cook, waiter, farmer, fisherman, builder, firefighter, police officer, pilot, judge, priest, monk, clown,
    king, runner, swimmer, cyclist, climber, dancer, singer, hand, foot, eye, beard, hair, tooth, smile, shadow,
    reflection, microscope, telescope, test tube, syringe, pill, bandage, crutches, stethoscope, planet, satellite,
    astronaut, robot, drone, underwater, aerial view, protest, earthquake, flood, fire, smoke, rubbish, graffiti,
    scaffolding, bench, post box, bus stop, shop window, escalator, elevator shaft, well, dam, oil rig, power line,
    telescope dome, snowman, sandcastle, scarecrow, bird's nest, spider web, beehive, aquarium, zoo, feather, shell,
    fossil, crystal, gold, ceramic pot, lantern, incense, throne, cross, altar, pagoda, torii gate, totem pole, stained
    glass, tapestry, knitting, embroidery, origami, quilt
    """.split(",")
)


# Texts between two looks at whether to go on.
_BATCH: Final = 32


class TextEncoder(Protocol):
    """What encodes texts."""

    def encode_texts(self, texts: Sequence[str], /) -> Floats:
        """Encode texts as unit vectors: float32 (n, dim)."""


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
        with self._lock:
            return self._kept(space) is None

    def vectors(self, space: SpaceState) -> Floats:
        """Their unit vectors, float32 (n, dim): from memory, from the library's folder, or from the model.

        Raises:
            SpaceError: the model can't be loaded.
        """
        with self._lock:
            vectors = self._kept(space)
            if vectors is None:
                vectors = self._vectors[space.key] = self._encoders.get(space).encode_texts(TEXTS)
                if not self._readonly:
                    write_vectors(self._path(space), vectors)
            return vectors

    def make(self, space: SpaceState, encoder: TextEncoder, is_stopped: Callable[[], bool]) -> None:
        """Encode them by a model at hand, where they are needed, and write them: no query waits for them then.

        Nothing is written where it is stopped between two batches.

        Raises:
            SpaceError: the model can't be loaded.
        """
        if not self.need_model(space):
            return
        parts: list[Floats] = []
        for first in range(0, len(TEXTS), _BATCH):
            if is_stopped():
                return
            parts.append(encoder.encode_texts(TEXTS[first : first + _BATCH]))
        write_vectors(self._path(space), np.concatenate(parts))

    def _kept(self, space: SpaceState) -> Floats | None:
        """Those in memory, or read from the library's folder; None where they have to be encoded."""
        vectors = self._vectors.get(space.key)
        if vectors is None:
            vectors = read_vectors(self._path(space), (len(TEXTS), space.dim))
            if vectors is not None:
                self._vectors[space.key] = vectors
        return vectors

    def _path(self, space: SpaceState) -> Path:
        digest = hashlib.sha256("\n".join((space.key, *TEXTS)).encode()).hexdigest()
        return self._folder / f"nulls-{digest[:16]}{NULLS_SUFFIX}"
