"""JPEGs decoded on graphics cards: nvJPEG, many at a time, by torchcodec.

A card can't shrink while it decodes, as libjpeg-turbo does on the cores. It decodes the whole, and shrinks that by the
filter of the models' own preprocessing: 56 dB to the full path in the median of camera photos, where the cores' way
is 53.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.images.scaling import nearest
from store.errors import SightlineError

log = logging.getLogger(__name__)

BATCH: Final = 32
"""Pictures decoded at once, at most; NVIDIA's decoding engines, up to eight a card, each take one of them."""
BATCH_PIXELS: Final = 128_000_000  # a batch that has so many takes no more; three bytes of the card's memory each
LARGEST: Final = 64_000_000  # pixels of a picture; shrinking one takes 24 bytes of each for a moment
GIVE_UP: Final = 64  # pictures refused one after the other, and none decoded: the card can't be used

_Decoder = Callable[..., list[torch.Tensor]]


class CardsError(SightlineError):
    """Pictures can't be decoded on cards here."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a picture.

    Attributes:
        pixels: RGB as it is stored, uint8 (height, width, 3), contiguous and writable; None where the card refused it.
        seconds: of a core, that its way to the card and back took.
    """

    pixels: NDArray[np.uint8] | None
    seconds: float


@dataclass(frozen=True, slots=True)
class _Order:
    data: bytearray
    size: tuple[int, int]
    scale: int
    taken: Future[Taken] = field(default_factory=Future)


class Cards:
    """Decodes JPEGs on devices, beside whatever else they compute. Safe for use from many threads.

    Attributes:
        usable: whether it is worth asking.
        decoded: how many pictures they decoded.
        slots: how many pictures are worth asking for at once.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        """Start one thread for each of `devices`. `cpu` is possible, and of no use but for seeing that it works.

        Raises:
            CardsError: torchcodec is not installed, or is not made for this torch; or a device can't be used.
        """
        self.usable, self.decoded = True, 0
        self.slots = 2 * BATCH * len(devices)  # one batch waits while another is decoded
        self._decode = _decoder()
        lanes = [(torch.device(name), _stream(name)) for name in devices]  # here, where what is wrong can be said
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._refused = 0
        self._lock = threading.Lock()
        self._open, self._at_work = True, len(devices)
        self._threads = [
            threading.Thread(target=self._work, args=lane, name=f"decode-{lane[0]}", daemon=True) for lane in lanes
        ]
        for thread in self._threads:
            thread.start()

    def decode(self, data: bytearray, size: tuple[int, int], scale: int) -> Taken:
        """Decode a JPEG on whichever device is free first, and wait for it.

        Args:
            data: the file, without anything that says how it is to be turned (`jpegs.bare`).
            size: width and height of the whole picture as it is stored, px.
            scale: what both are divided by, and rounded to whole pixels (`sightline.images.scaling.nearest`).
        """
        order = _Order(data, size, scale)
        with self._lock:  # what comes after the end would be waited for without end
            if not self._open:
                return Taken(None, 0.0)
            self._orders.put(order)
        return order.taken.result()

    def close(self) -> None:
        """Stop the threads, once what they were asked for is done."""
        with self._lock:
            self._open = False
            for _ in self._threads:
                self._orders.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, device: torch.device, stream: torch.cuda.Stream | None) -> None:
        try:
            with torch.inference_mode(), nullcontext() if stream is None else torch.cuda.stream(stream):
                while batch := self._next():
                    self._answer(batch, device)
        finally:
            self._end()

    def _answer(self, batch: Sequence[_Order], device: torch.device) -> None:
        begun = time.thread_time()
        made: list[NDArray[np.uint8] | None] = [None] * len(batch)
        try:
            made = self._decoded(batch, device)
        finally:  # whatever happens, who asked is not kept waiting
            seconds = (time.thread_time() - begun) / len(batch)
            with self._lock:
                self.decoded += sum(pixels is not None for pixels in made)
            for order, pixels in zip(batch, made, strict=True):
                order.taken.set_result(Taken(pixels, seconds))

    def _end(self) -> None:
        """Of one thread; the last one leaves nobody waiting."""
        with self._lock:
            self._at_work -= 1
            if self._at_work:
                return
            self._open = self.usable = False
            while not self._orders.empty():
                order = self._orders.get()
                if order is not None:
                    order.taken.set_result(Taken(None, 0.0))

    def _next(self) -> list[_Order]:
        """What waits, at least one; nothing at the end."""
        batch: list[_Order] = []
        pixels = 0
        while len(batch) < BATCH and pixels < BATCH_PIXELS:
            try:
                order = self._orders.get(block=not batch)
            except Empty:
                break
            if order is None:
                if batch:
                    self._orders.put(None)  # for the next time
                break
            batch.append(order)
            pixels += order.size[0] * order.size[1]
        return batch

    def _decoded(self, batch: Sequence[_Order], device: torch.device) -> list[NDArray[np.uint8] | None]:
        """The pixels of each; None for one that the device refuses."""
        try:
            # torchcodec would make tensors of them under `warnings.catch_warnings`, which is not safe among threads.
            files = [torch.frombuffer(order.data, dtype=torch.uint8) for order in batch]
            whole = self._decode(files, mode="RGB", device=device)
            made = _home([_shrunk(image, order) for image, order in zip(whole, batch, strict=True)], device)
        # nvJPEG refuses a whole batch for one picture that it can't decode, or that there is no memory for.
        except Exception as error:  # noqa: BLE001 - whatever it is, the cores can decode the picture
            if device.type == "cuda":
                with suppress(RuntimeError):  # what was begun for the batch may still write into its memory
                    torch.cuda.current_stream(device).synchronize()
            if len(batch) == 1:
                self._refuse(error, device)
                return [None]
        else:
            self._refused = 0
            return made
        half = len(batch) // 2
        return self._decoded(batch[:half], device) + self._decoded(batch[half:], device)

    def _refuse(self, error: Exception, device: torch.device) -> None:
        log.debug("%s does not decode a picture: %s", device, error)
        with self._lock:
            self._refused += 1
            ends = self._refused >= GIVE_UP and self.usable
            self.usable = self.usable and not ends
        if ends:
            log.warning("%s decodes no pictures, so the cores go on alone; it said: %s", device, error)


def _decoder() -> _Decoder:
    try:
        decoder: _Decoder = import_module("torchcodec.decoders").decode_jpeg  # not everyone has it installed
    except Exception as error:  # its own: a missing library is a RuntimeError there
        said = " ".join(str(error).split())[:200]
        raise CardsError(
            "Decoding on cards needs torchcodec 0.16 or later, made for this version of torch "
            f"({torch.__version__}); it can't be imported: {said}. "
            "Install it with pip install '.[cards]' where Sightline's pyproject.toml is, or leave --decode-on out."
        ) from error
    return decoder


def _stream(name: str) -> torch.cuda.Stream | None:
    """A stream of its own, or pictures would wait for the model to be done with a batch of others."""
    device = torch.device(name)
    if device.type != "cuda":
        return None
    try:
        return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise CardsError(f"{name} can't be used to decode on: {error}. Leave --decode-on out.") from error


def _shrunk(image: torch.Tensor, order: _Order) -> torch.Tensor | None:
    """A decoded picture (3, height, width), shrunk to what was asked for: (h, w, 3); None if it is another."""
    height, width = image.shape[1:]
    if (width, height) != order.size or image.dtype != torch.uint8:
        return None
    if order.scale > 1:
        wide, high = nearest(order.size, order.scale)
        rate = 1 / order.scale
        # As in `Preprocess.apply`: by the true scale, not by the quotient of two rounded sizes.
        floats = torch.ops.aten._upsample_bicubic2d_aa(image[None].float(), [high, wide], False, rate, rate)
        image = floats[0].round_().clamp_(0, 255).to(torch.uint8)
    return image.permute(1, 2, 0).contiguous()


def _home(images: Sequence[torch.Tensor | None], device: torch.device) -> list[NDArray[np.uint8] | None]:
    """Pictures of a device, in memory of the machine."""
    if device.type != "cuda":
        return [None if image is None else image.numpy() for image in images]
    here: list[torch.Tensor | None] = []
    for image in images:
        place = None if image is None else torch.empty(image.shape, dtype=image.dtype, pin_memory=True)
        if place is not None and image is not None:
            place.copy_(image, non_blocking=True)
        here.append(place)
    done: Any = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    done.record()
    done.synchronize()  # sleeping, as the cores have other pictures to decode
    return [None if place is None else place.numpy() for place in here]
