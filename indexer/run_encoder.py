"""The model of one space of a run: its compiled towers first, torch where that is quicker.

Compiled towers are there at once; torch takes seconds to import and to load. A model that has none yet is loaded whole,
and they are made of it with the first batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexer.batcher import Batches, PictureEncoder
from indexer.new_spaces import network_of, take_network
from indexer.options import Options
from indexer.progress_writer import RunClock
from indexer.quicker import Quicker
from sightline.models import load
from sightline.models.compiled import can_compile, open_compiled
from sightline.models.resolve import Model
from store.images.thumbnails import Thumbnails

if TYPE_CHECKING:
    from sightline.models.encoder import Encoder

# Pictures that compiled towers are compared on, at most, and at least: thumbnails make up what is missing.
_MOST, _LEAST = 32, 16

Keep = Callable[[PictureEncoder], None]


class RunEncoder:
    """Loads the model of a space when it first has work, and changes how it runs between two batches."""

    def __init__(
        self, thumbnails: Thumbnails | None, model: Model, options: Options, progress: RunClock,
        given: PictureEncoder | None, keep: Keep | None,
    ) -> None:  # fmt: skip
        """`given` is of the model, if it is loaded already; `keep` takes over what is loaded here, in the end."""
        self._thumbnails = thumbnails
        self._model = model
        self._options = options
        self._progress = progress
        self._keep = keep
        self._given = given
        self._encoder = given
        self._network: Encoder | None = None  # whole and in float32, to make compiled towers of
        self._quicker: Quicker | None = None

    def get(self) -> PictureEncoder:
        """The loaded model.

        Raises:
            SpaceError: it can't be loaded.
        """
        if self._encoder is None:
            self._progress.enter("loading")
            with self._progress.waiting("load"):
                self._encoder = self._opened(make=True)
            self._progress.enter("indexing")
        return self._encoder

    def _opened(self, *, make: bool) -> PictureEncoder:
        """The compiled towers, the whole network that they are yet to be made of, or torch's encoder."""
        model, device, precision = self._model, self._options.device, self._options.precision
        network = take_network(model)
        compiled = open_compiled(model, pictures=True, texts=False, device=device, precision=precision)
        if compiled is not None:
            self._quicker = Quicker(model, compiled)
        elif make and can_compile(model, device=device, precision=precision):
            self._network = network or network_of(model)
            return self._network
        if network is not None:
            network.close()
        return compiled or load(model, device=device, precision=precision, texts=False)

    def prepare(self, batches: Batches) -> None:
        """Make what the next batch needs, and go over to what is quicker. Nothing may be in flight.

        Raises:
            SpaceError: the model can't be loaded.
        """
        self.get()
        if self._network is not None:
            self._compile(self._network, batches.first(_MOST))
        elif self._quicker is not None:
            scanner = self._progress.scanner
            left = 0 if scanner is None else scanner.found - self._progress.done
            self._encoder = self._quicker.next(batches.encoded, batches.seconds, left)

    def _compile(self, network: Encoder, pictures: NDArray[np.uint8]) -> None:
        """Make compiled towers of the network at hand, and go on with them, or with torch."""
        from sightline.models.compiled.make import make_compiled

        self._progress.enter("preparing")
        with self._progress.waiting("load"):
            more = _prepared(self._thumbnails, self._model, _LEAST - len(pictures))
            make_compiled(self._model, network.module, network.tokenizer, np.stack([*pictures, *more]))
            network.close()
            self._network = self._encoder = None
            self._encoder = self._opened(make=False)
        self._progress.enter("indexing")

    def close(self) -> None:
        """Release what was loaded here and is not kept; a model that is being loaded is waited for."""
        network, self._network = self._network or take_network(self._model), None
        if network is not None:
            network.close()
            self._encoder = None if self._encoder is network else self._encoder
        if self._quicker is not None:
            self._quicker.close()
        if self._encoder is None or self._encoder is self._given:
            return
        if self._keep is None:
            self._encoder.close()
        else:
            self._keep(self._encoder)


def _prepared(thumbnails: Thumbnails | None, model: Model, count: int) -> list[NDArray[np.uint8]]:
    """Up to `count` thumbnails of a library as a model takes them: real pictures, of those who index few."""
    from sightline.images import jpeg

    made: list[NDArray[np.uint8]] = []
    if count < 1 or thumbnails is None:
        return made
    for content_hash in thumbnails.hashes():
        data = thumbnails.read(content_hash)
        size = jpeg.size_of(data) if data else (0, 0)
        pixels = jpeg.pixels_of(data, size, 1)[0] if data and min(size) else None
        if pixels is not None:
            made.append(model.preprocess.apply(pixels))
        if len(made) >= count:
            break
    return made
