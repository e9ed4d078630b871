"""The pictures of a run on their way through its models, each with batches of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from indexer.batcher import WHOLE, Batches, Encoded, PictureEncoder
from indexer.options import Options
from indexer.progress_writer import RunClock
from indexer.run_encoder import Keep, RunEncoder
from sightline.models.compiled import open_compiled
from sightline.models.loaded import Encoders
from sightline.models.resolve import Model
from sightline.ranking.null_queries import NullQueries
from sightline.tiles.grid import usual_count, without_pixels
from store.errors import SpaceError
from store.images.thumbnails import Thumbnails
from store.library import Library

if TYPE_CHECKING:
    from indexer.file_reader import ReadResult

log = logging.getLogger(__name__)


class Encoding:
    """One space of a run: its model, loaded when it first has work, and the pictures that wait for it.

    Attributes:
        space_id: of the space.
        model: its model.
        batches: what waits for it, and what it works on.
    """

    def __init__(self, space_id: int, model: Model, options: Options, encoder: RunEncoder) -> None:
        self.space_id = space_id
        self.model = model
        self.batches = Batches(options.batch_size)
        self._encoder = encoder

    @property
    def encoder(self) -> PictureEncoder:
        """The loaded model.

        Raises:
            SpaceError: it can't be loaded.
        """
        return self._encoder.get()

    def prepare(self) -> None:
        """Get ready for the next batch: see `RunEncoder.prepare`."""
        if not self.batches.in_flight_batches:
            self._encoder.prepare(self.batches)

    def close(self) -> None:
        """Release the memory of the model, where it was loaded here."""
        self._encoder.close()


class Encodings:
    """All spaces of a run. A picture is done when it was encoded in each that lacked it.

    Attributes:
        partial: how many pictures were encoded in some of the spaces that lacked them, and not yet in all.
    """

    def __init__(
        self, thumbnails: Thumbnails | None, models: Mapping[int, Model], options: Options, progress: RunClock,
        encoders: Sequence[PictureEncoder], keep: Keep | None, grids: Mapping[int, int],
    ) -> None:  # fmt: skip
        """Prepare for a run.

        Args:
            thumbnails: of the library, where it is at hand.
            models: by the id of their space, at least one.
            options: of the run.
            progress: of the run.
            encoders: of these models, as far as they are loaded already.
            keep: is given those that are loaded here, to close them; else this does.
            grids: of the spaces that have tiles.
        """
        loaded = {encoder.model: encoder for encoder in encoders}
        self.partial = 0
        self._each = [
            Encoding(id_, model, options, RunEncoder(thumbnails, model, options, progress, loaded.get(model), keep))
            for id_, model in models.items()
        ]
        self._progress = progress
        self._options = options
        self._tiles = {id_: usual_count(grid, models[id_].preprocess) for id_, grid in grids.items()}

    def __iter__(self) -> Iterator[Encoding]:
        return iter(self._each)

    def close(self) -> None:
        """Release the memory of the models that were loaded here."""
        for encoding in self._each:
            encoding.close()

    @property
    def size(self) -> int:
        """Pictures in the next batch, at most: of the model with the largest batches of them."""
        return max(encoding.batches.size // (1 + self._tiles.get(encoding.space_id, 0)) or 1 for encoding in self._each)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is at work."""
        return not any(encoding.batches.queued or encoding.batches.in_flight_batches for encoding in self._each)

    def make_null_queries(self, library: Library, stop: threading.Event) -> None:
        """Have missing null queries encoded by compiled text towers, so that no query waits for them.

        Where there are none the first query makes them, as it loads the model anyway.
        """
        nulls = NullQueries(library, Encoders(offline=True))
        spaces = {space.id: space for space in library.catalog.spaces()}
        for encoding in self._each:
            space, options = spaces[encoding.space_id], self._options
            if not encoding.batches.encoded or not space.has_text or not nulls.need_model(space):
                continue
            towers = open_compiled(
                encoding.model, pictures=False, texts=True, device=options.device, precision=options.precision
            )
            if towers is None:
                continue
            self._progress.enter("preparing")
            try:
                nulls.make(space, towers, stop.is_set)
            except SpaceError as error:
                log.info("the null queries of %s are left to the first query: %s", space.name, error)
            finally:
                towers.close()

    def add(self, result: ReadResult) -> None:
        """Queue a picture, and its tiles, in the spaces that it has pixels for; have their models loaded."""
        pixels, tiles = result.pixels, {id_: each.pixels for id_, each in result.tiles.items()}
        waiting = len(pixels) + sum(map(len, tiles.values()))
        picture = Encoded(replace(result, pixels={}, tiles=without_pixels(result.tiles)), waiting)
        for encoding in self._each:
            id_ = encoding.space_id
            if id_ in pixels:
                encoding.batches.add(picture, WHOLE, pixels[id_])
            for place, each in enumerate(tiles.get(id_, ())):
                encoding.batches.add(picture, place, each)
            if encoding.batches.queued:
                _ = encoding.encoder  # with the first one, while the threads decode the next

    def send(self, encoding: Encoding) -> None:
        """Give the next batch of one space to its model."""
        encoding.prepare()
        encoder = encoding.encoder
        with self._progress.waiting("encode"):
            encoding.batches.send(encoder)

    def collect(self, encoding: Encoding) -> Iterator[Encoded]:
        """Wait for the oldest batch of one space; yields those of its pictures that are done."""
        with self._progress.waiting("encode"):
            encoded = encoding.batches.collect(encoding.encoder)
        for picture, place, vector in encoded:
            was_partial, picture.begun = picture.begun, True
            is_finite = bool(np.isfinite(vector).all())
            if place != WHOLE:
                if is_finite:
                    picture.tiles.setdefault(encoding.space_id, {})[place] = vector
            elif is_finite:
                picture.vectors[encoding.space_id] = vector
            else:
                picture.unfit.append(encoding.model.name)
            picture.waiting -= 1
            self.partial += bool(picture.waiting) - was_partial
            if not picture.waiting:
                yield picture
