"""The pictures of a run on their way through its models, each with batches of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from indexer.batcher import Batches, Encoded
from indexer.options import Options
from indexer.progress_writer import ProgressWriter
from sightline.models import load
from sightline.models.resolve import Model

if TYPE_CHECKING:
    from indexer.file_reader import ReadResult
    from sightline.models.multi_gpu import ImageEncoder

    Keep = Callable[[ImageEncoder], None]


class Encoding:
    """One space of a run: its model, loaded when it first has work, and the pictures that wait for it.

    Attributes:
        space_id: of the space.
        model: its model.
        batches: what waits for it, and what it works on.
    """

    def __init__(
        self, space_id: int, model: Model, options: Options, progress: ProgressWriter, encoder: ImageEncoder | None,
        keep: Keep | None,
    ) -> None:  # fmt: skip
        """`encoder` is of the model, if it is loaded already; `keep` takes it over where it is loaded here."""
        self.space_id = space_id
        self.model = model
        self.batches = Batches(options.batch_size)
        self._options = options
        self._progress = progress
        self._encoder = encoder
        self._keep = keep
        self._owns_encoder = encoder is None and keep is None

    @property
    def encoder(self) -> ImageEncoder:
        """The loaded model.

        Raises:
            SpaceError: it can't be loaded.
        """
        if self._encoder is None:
            self._progress.enter("loading")
            with self._progress.waiting("load"):
                options = self._options
                self._encoder = load(self.model, device=options.device, precision=options.precision, texts=False)
            if self._keep is not None:
                self._keep(self._encoder)
            self._progress.enter("indexing")
        return self._encoder

    def close(self) -> None:
        """Release the memory of the model, where it was loaded here."""
        if self._encoder is not None and self._owns_encoder:
            self._encoder.close()


class Encodings:
    """All spaces of a run. A picture is done when it was encoded in each that lacked it.

    Attributes:
        partial: how many pictures were encoded in some of the spaces that lacked them, and not yet in all.
    """

    def __init__(
        self, models: Mapping[int, Model], options: Options, progress: ProgressWriter,
        encoders: Sequence[ImageEncoder], keep: Keep | None,
    ) -> None:  # fmt: skip
        """Prepare for a run.

        Args:
            models: by the id of their space, at least one.
            options: of the run.
            progress: of the run.
            encoders: of these models, as far as they are loaded already.
            keep: is given those that are loaded here, to close them; else this does.
        """
        loaded = {encoder.model: encoder for encoder in encoders}
        self.partial = 0
        self._each = [Encoding(id_, model, options, progress, loaded.get(model), keep) for id_, model in models.items()]
        self._progress = progress

    def __iter__(self) -> Iterator[Encoding]:
        return iter(self._each)

    def close(self) -> None:
        """Release the memory of the models that were loaded here."""
        for encoding in self._each:
            encoding.close()

    @property
    def size(self) -> int:
        """Pictures in the next batch, at most: of the model with the largest batches."""
        return max(encoding.batches.size for encoding in self._each)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is at work."""
        return not any(encoding.batches.queued or encoding.batches.in_flight_batches for encoding in self._each)

    def add(self, result: ReadResult) -> None:
        """Queue a picture in the spaces that it has pixels for, at least one; have their models loaded."""
        pixels = result.pixels
        picture = Encoded(replace(result, pixels={}), len(pixels))
        for encoding in self._each:
            if encoding.space_id in pixels:
                encoding.batches.add(picture, pixels[encoding.space_id])
                _ = encoding.encoder  # with the first one, while the threads decode the next

    def send(self, encoding: Encoding) -> None:
        """Give the next batch of one space to its model."""
        encoder = encoding.encoder
        with self._progress.waiting("encode"):
            encoding.batches.send(encoder)

    def collect(self, encoding: Encoding) -> Iterator[Encoded]:
        """Wait for the oldest batch of one space; yields those of its pictures that are done."""
        with self._progress.waiting("encode"):
            encoded = encoding.batches.collect(encoding.encoder)
        for picture, vector in encoded:
            was_partial = bool(picture.vectors or picture.unfit)
            if np.isfinite(vector).all():
                picture.vectors[encoding.space_id] = vector
            else:
                picture.unfit.append(encoding.model.name)
            picture.waiting -= 1
            self.partial += bool(picture.waiting) - was_partial
            if not picture.waiting:
                yield picture
