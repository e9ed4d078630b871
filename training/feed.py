"""Fresh pictures for the trainer: a process that keeps drawing, and a pool that keeps the newest."""

from __future__ import annotations

import io
import multiprocessing as mp
import os
import queue
from multiprocessing.context import SpawnProcess
from random import Random
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexer.demo.draw import render
from indexer.demo.world import Scene, scene_at

Pixels = npt.NDArray[np.uint8]

CHUNK: Final = 128
"""Pictures that the drawing process hands over at a time."""
# Small drawings are cheap, large ones that went through JPEG are what a search meets: a share of each.
_SIZES: Final = ((128, 96), (160, 120), (192, 144), (256, 192), (640, 480))
_SHARES: Final = (30, 30, 24, 12, 4)


def shrink(image: Image.Image, side: int) -> Pixels:
    """Return ``image`` squashed to uint8 (side, side, 3), as the model's transform does it."""
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), dtype=np.uint8)


def through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Return ``image`` after a round through JPEG at ``quality`` (1 to 95)."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def training_picture(scene: Scene, side: int) -> Pixels:
    """Return ``scene`` as uint8 (side, side, 3), drawn at a size that its seed decides."""
    rng = Random(f"feed:{scene.seed}")
    width, height = rng.choices(_SIZES, _SHARES)[0]
    image = render(scene, width, height)
    if width >= 640:
        image = through_jpeg(image, rng.randint(70, 95))
    return shrink(image, side)


def _draw_forever(out: mp.Queue[Any], seed: int, start: int, side: int) -> None:
    # The trainer comes first: it waits on all its threads, and one that lost its core holds up the others.
    os.nice(10)
    index = start
    while True:
        pixels = np.stack([training_picture(scene_at(seed, i), side) for i in range(index, index + CHUNK)])
        out.put((index, pixels.tobytes()))
        index += CHUNK


class Feed:
    """A pool of ``size`` pictures, topped up by one drawing process. Use it in a ``with`` statement.

    ``pixels`` is uint8 (size, side, side, 3); ``scenes`` names what each shows. The first filling blocks
    until ``filled`` reaches the wanted number.
    """

    def __init__(self, size: int, seed: int, side: int) -> None:
        """Make an empty pool of ``size`` (a multiple of ``CHUNK``); raises ValueError for another size."""
        if size < CHUNK or size % CHUNK:
            raise ValueError(f"the pool size is {size}; it must be a multiple of {CHUNK}")
        self.pixels: Pixels = np.zeros((size, side, side, 3), np.uint8)
        self.scenes: list[Scene] = [scene_at(seed, 0)] * size
        self.filled = 0
        self.drawn = 0
        self._next = 0
        self._seed = seed
        self._side = side
        context = mp.get_context("spawn")
        self._queue: mp.Queue[Any] = context.Queue(maxsize=6)
        self._process: SpawnProcess = context.Process(
            target=_draw_forever, args=(self._queue, seed, 0, side), daemon=True
        )

    def __enter__(self) -> Feed:
        """Start the drawing process."""
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the drawing process."""
        self._process.terminate()
        self._process.join()
        self._queue.close()

    def _take(self, timeout: float) -> bool:
        try:
            index, raw = self._queue.get(timeout=timeout)
        except queue.Empty:
            return False
        place = self._next
        self.pixels[place : place + CHUNK] = np.frombuffer(raw, np.uint8).reshape(CHUNK, self._side, self._side, 3)
        self.scenes[place : place + CHUNK] = [scene_at(self._seed, i) for i in range(index, index + CHUNK)]
        self._next = (place + CHUNK) % len(self.scenes)
        self.filled = max(self.filled, place + CHUNK)
        self.drawn += CHUNK
        return True

    def fill(self, many: int) -> None:
        """Wait until the pool holds ``many`` pictures. Raises RuntimeError when the drawing process has died."""
        while self.filled < min(many, len(self.scenes)):
            if not self._take(timeout=5.0) and not self._process.is_alive():
                raise RuntimeError("the drawing process has stopped; see its message above")

    def top_up(self) -> None:
        """Take in at most one chunk of new pictures, if one is ready; never waits."""
        self._take(timeout=0.001)
