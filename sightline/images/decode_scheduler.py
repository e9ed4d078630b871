"""Which way JPEGs are decoded, where cards help: on a core, or on a card while the core does something else.

Cores and cards are both kept busy, and nothing has to be known beforehand about which is faster: a core decodes a
picture itself unless a thread waits for it; then it hands the picture to a card, and takes what the thread has.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.images import jpeg
from sightline.images.gpu_jpeg import LARGEST, Cards, CardsError
from sightline.models.devices import choose_devices

TRIALS: Final = 16
"""Pictures of a size that have gone each way when their times are compared."""


@dataclass(slots=True)
class _Way:
    """Pictures of one size that went one way, and what each took of a core, seconds."""

    spent: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        self.spent += seconds
        self.count += 1

    @property
    def mean(self) -> float:
        return self.spent / max(1, self.count)


@dataclass(slots=True)
class _Size:
    """Pictures of one size.

    Attributes:
        sent: how many were given to a card; not all of them are back.
    """

    core: _Way = field(default_factory=_Way)
    card: _Way = field(default_factory=_Way)
    sent: int = 0

    @property
    def suits_cards(self) -> bool:
        """Whether a picture costs the cores less on its way to a card; some go, to see."""
        if min(self.core.count, self.card.count) < TRIALS:
            return self.sent < TRIALS
        return self.card.mean < self.core.mean


def open_routes(device: str, cores: int) -> Routes:
    """So many cores, and the cards that `device` names; `auto`, and what is no card, stand for every card.

    Raises:
        CardsError: there is no card, or torchcodec is not installed.
        SpaceError: there is no card of this number.
    """
    if not torch.cuda.is_available():
        raise CardsError("--decode-on cards needs a CUDA device, and torch finds none it can use; leave it out.")
    return Routes(cores, Cards(choose_devices(device if device.startswith("cuda") else "cuda")))


class Routes:
    """Decodes JPEGs on a number of cores and on cards, for more threads than there are cores.

    Attributes:
        threads: how many keep both busy.
    """

    def __init__(self, cores: int, cards: Cards) -> None:
        self.threads = cores + cards.slots
        self._cards = cards
        self._turn = threading.Condition()
        self._free, self._waiting = cores, 0
        # By powers of two of their pixels. A card reads all of a picture, and a core of a large one but a part.
        self._sizes: defaultdict[int, _Size] = defaultdict(_Size)

    @contextmanager
    def core(self) -> Iterator[None]:
        """The right to compute, as many at once as there are cores."""
        self._take()
        try:
            yield
        finally:
            self._give()

    def _take(self) -> None:
        with self._turn:
            self._waiting += 1
            try:
                self._turn.wait_for(lambda: self._free)
            finally:
                self._waiting -= 1
            self._free -= 1

    def _give(self) -> None:
        with self._turn:
            self._free += 1
            self._turn.notify()

    def close(self) -> None:
        """Stop the cards' threads, once what they were asked for is done."""
        self._cards.close()

    def on_card(self, data: bytes, size: tuple[int, int], scale: int) -> NDArray[np.uint8] | None:
        """The pixels of a JPEG of YCbCr or grey, not turned, by a thread that has a core; None: decode it here.

        Arguments as for `jpegs.pixels_of`.
        """
        pixels = size[0] * size[1]
        with self._turn:
            kind = self._sizes[pixels.bit_length()]
            if not self._waiting or not self._cards.usable or pixels > LARGEST or not kind.suits_cards:
                return None
            kind.sent += 1
        bare = jpeg.bare(data)  # only now, as it copies the file
        if bare is None:
            with self._turn:
                kind.sent -= 1
            return None
        self._give()
        try:
            taken = self._cards.decode(bare, size, scale)
        finally:
            self._take()
        with self._turn:
            again = kind.core.mean if taken.pixels is None else 0.0  # what is refused is a core's after all
            kind.card.add(taken.seconds + again)
        return taken.pixels

    def pixels_of(self, data: bytes, size: tuple[int, int], scale: int) -> NDArray[np.uint8] | None:
        """As `jpegs.pixels_of`, and seen how long it takes."""
        begun = time.thread_time()
        made = jpeg.pixels_of(data, size, scale)
        with self._turn:
            self._sizes[(size[0] * size[1]).bit_length()].core.add(time.thread_time() - begun)
        return made
