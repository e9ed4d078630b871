"""Pictures and texts as unit vectors by compiled towers: no torch, unless one turns out to be damaged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sightline.models.compiled.files import (
    PICTURES,
    ROWS,
    TEXTS,
    Manifest,
    Part,
    check_file,
    place_of,
    read_manifest,
    throw_away,
)
from sightline.models.compiled.rows import Rows
from sightline.models.compiled.runtime import ChangedError, Tower, TowerError
from sightline.models.interface import Head, PendingBatch, TextTooLongError
from sightline.models.preprocess import Preprocess
from sightline.models.resolve import Model
from store.arrays import Floats
from store.errors import SpaceError

if TYPE_CHECKING:
    from sightline.models.encoder import Encoder
    from sightline.models.tokenizers import Tokenizer

log = logging.getLogger(__name__)

# Least cosine of a probe's vector to the one that the same tower gave when it was made.
_SAME: Final = 0.9999
# A probe that takes longer, seconds, is left out: the checksum and the processor say that it would be the same.
_DEAR: Final = 0.3
# Texts at once: with more they differ in length, and more is computed for nothing.
_TEXTS: Final = 8
_A_TEXT: Final = "a photo of two red boats on a lake at sunset"
_SHORT_TEXT: Final = "a"


@dataclass(frozen=True, slots=True)
class Device:
    """Where an encoder runs, as torch tells it.

    Attributes:
        type: `cpu`.
    """

    type: str = "cpu"


class PictureTower:
    """A compiled tower of pictures."""

    def __init__(self, tower: Tower) -> None:
        self._tower = tower

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, part: Part, size: tuple[int, int]) -> PictureTower:
        """Open the one in a folder, and compare the vector of a known picture.

        Raises:
            TowerError: it is damaged, or gives something else.
        """
        made = cls(Tower(check_file(folder, manifest, PICTURES), part.precision, manifest.dim))
        if part.seconds <= _DEAR:
            _compare(made.encode(probe_picture(size))[0], part)
        return made

    def encode(self, batch: NDArray[np.uint8]) -> Floats:
        """Unit vectors of pixels."""
        return unit(self._tower.run(batch))


class TextTower:
    """A compiled tower of texts.

    Attributes:
        tokenizer: that it reads by.
        context: the most tokens of a text.
    """

    def __init__(self, tower: Tower, tokenizer: Tokenizer, rows: Rows | None, context: int, *, causal: bool) -> None:
        """`rows` is the embedding, where the tower has none; `causal`, whether a text is cut at its end."""
        self.tokenizer = tokenizer
        self.context = context
        self._tower = tower
        self._rows = rows
        self._causal = causal

    @classmethod
    def open(cls, model: Model, folder: Path, manifest: Manifest, part: Part) -> TextTower:
        """Open the one in a folder, and compare the vector of a known text.

        Raises:
            TowerError: it is damaged, or gives something else.
        """
        from sightline.models.tokenizers import FILE, open_tokenizer

        check_file(folder, manifest, FILE)
        tokenizer = open_tokenizer(model, folder)
        if tokenizer is None:
            raise TowerError(f"the tokenizer in {folder} is of another version")
        rows = None if manifest.rows is None else Rows(folder / ROWS, manifest.rows, manifest.width)
        tower = Tower(check_file(folder, manifest, TEXTS), part.precision, manifest.dim)
        made = cls(tower, tokenizer, rows, manifest.context, causal=manifest.causal)
        _compare(made.encode([made.probe()])[0], part)
        return made

    def probe(self) -> str:
        """The known text; a shorter one where few tokens are read."""
        return _A_TEXT if self.count(_A_TEXT) <= self.context else _SHORT_TEXT

    def count(self, text: str) -> int:
        """Tokens of a text, before any cutting."""
        with _reading():
            return self.tokenizer.count(text)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of texts, none of which is too long."""
        with _reading():
            every = self.tokenizer.ids(texts)
        # The end of a text is its highest token, and what follows it changes nothing: those of like length go together.
        lengths = every.argmax(axis=1) + 1 if self._causal else np.full(len(every), every.shape[1])
        order = np.argsort(lengths, kind="stable")
        vectors: list[Floats] = []
        for first in range(0, len(order), _TEXTS):
            some = order[first : first + _TEXTS]
            ids = np.ascontiguousarray(every[some, : lengths[some].max()], np.int64)
            vectors.append(self._tower.run(ids) if self._rows is None else self._tower.run(ids, self._rows.take(ids)))
        return unit(np.concatenate(vectors))[np.argsort(order)]

    def close(self) -> None:
        """Close its files."""
        self.tokenizer.close()
        if self._rows is not None:
            self._rows.close()


class CompiledEncoder:
    """A model's compiled towers, each opened when it is first needed. Safe for use from several threads.

    It has the public face of `sightline.models.encoder.Encoder`.

    Attributes:
        model: what they were made of.
        device: the CPU.
        dim: numbers in a vector.
        head: how its cosines become probabilities; None where the model reads no texts.
        ahead: 0, as a batch is done when `submit` returns.
        batch_limit: None: nothing limits it.
    """

    def __init__(self, model: Model, folder: Path, manifest: Manifest) -> None:
        self.model = model
        self.device = Device()
        self.dim = manifest.dim
        self.head = Head(manifest.scale, manifest.bias) if model.has_text and manifest.scale else None
        self.ahead = 0
        self.batch_limit: int | None = None
        self._folder = folder
        self._manifest = manifest
        self._lock = threading.Lock()
        self._pictures: PictureTower | None = None
        self._texts: TextTower | None = None
        self._torch: Encoder | None = None

    @property
    def preprocess(self) -> Preprocess:
        """The preparation of pixels for `encode_images`."""
        return self.model.preprocess

    def encode_images(self, batch: NDArray[np.uint8]) -> Floats:
        """Encode prepared pictures as unit vectors: see `submit`."""
        return self.submit(batch).vectors()

    def submit(self, batch: NDArray[np.uint8]) -> PendingBatch:
        """Encode a batch of prepared pictures.

        Args:
            batch: uint8 (n, 3, *preprocess.size), as `Preprocess.apply` makes them. It may be reused afterwards.

        Returns:
            Its `vectors()` are float32 (n, dim), rows of length 1. A row is NaN where the model gave no finite vector.

        Raises:
            ValueError: the batch has another shape or type.
            SpaceError: a tower is damaged, and torch's network can't be loaded.
        """
        expected = (3, *self.preprocess.size)
        if batch.dtype != np.uint8 or tuple(batch.shape[1:]) != expected:
            raise ValueError(f"a batch is uint8 (n, *{expected}); this one is {batch.dtype} {tuple(batch.shape)}")
        begun = time.perf_counter()
        vectors = self._encode_images(batch) if len(batch) else np.empty((0, self.dim), np.float32)
        seconds = time.perf_counter() - begun
        return PendingBatch(lambda: (vectors, seconds))

    def _encode_images(self, batch: NDArray[np.uint8]) -> Floats:
        def by_tower(manifest: Manifest) -> Floats | None:
            if manifest.pictures is None:
                return None
            if self._pictures is None:
                self._pictures = PictureTower.open(self._folder, manifest, manifest.pictures, self.preprocess.size)
            return self._pictures.encode(np.ascontiguousarray(batch))

        with self._lock:
            found = self._tried(by_tower)
            return self._by_torch().encode_images(batch) if found is None else found

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Encode texts as unit vectors: float32 (n, dim).

        Raises:
            SpaceError: the space has no text; or a tower is damaged, and torch's network can't be loaded.
            TextTooLongError: a text has more tokens than the model reads.
        """
        if not self.model.has_text:
            raise SpaceError(f"The model {self.model.name!r} knows pictures only, no words; search it with a picture.")
        if not texts:
            return np.empty((0, self.dim), np.float32)

        def by_tower(manifest: Manifest) -> Floats | None:
            if manifest.texts is None:
                return None
            if self._texts is None:
                self._texts = TextTower.open(self.model, self._folder, manifest, manifest.texts)
            for text in texts:
                count = self._texts.count(text)
                if count > manifest.context:
                    raise TextTooLongError.of(text, count, self.model.name, manifest.context)
            return self._texts.encode(texts)

        with self._lock:
            found = self._tried(by_tower)
            return self._by_torch().encode_texts(texts) if found is None else found

    def _tried(self, by_tower: Callable[[Manifest], Floats | None]) -> Floats | None:
        """What a tower gives; None where it is torch's affair, or is from now on."""
        if self._torch is not None:
            return None
        try:
            return by_tower(self._manifest)
        except TowerError as error:
            self._drop()
            # Written in place, or made anew by another process, since it was opened: what is there now may be whole.
            manifest, problem = read_manifest(self._folder), error
            if manifest is not None and (isinstance(error, ChangedError) or manifest != self._manifest):
                self._manifest = manifest
                try:
                    return by_tower(manifest)
                except TowerError as again:
                    problem = again
            self._give_up(problem)
            return None

    def _give_up(self, error: TowerError) -> None:
        """Go over to torch for good, and have the towers made again."""
        log.warning(
            "%s; the model %s is loaded whole, until the next run with new pictures prepares it for quick starts again",
            error, self.model.name,
        )  # fmt: skip
        self._drop()
        throw_away(self._folder)

    def _by_torch(self) -> Encoder:
        if self._torch is None:
            from sightline.models.encoder import Encoder

            self._torch = Encoder(self.model, texts=self.model.has_text)
        return self._torch

    def _drop(self) -> None:
        self._pictures = None
        if self._texts is not None:
            self._texts.close()
        self._texts = None

    def close(self) -> None:
        """Release the memory of the towers. The encoder can't be used afterwards."""
        with self._lock:
            self._drop()
            if self._torch is not None:
                self._torch.close()


def open_encoder(model: Model, *, pictures: bool, texts: bool) -> CompiledEncoder | None:
    """The encoder of a model whose folder has what is asked for; None where it has not."""
    try:
        folder = place_of(model)
    except TowerError as error:
        log.debug("no compiled towers: %s", error)
        return None
    manifest = read_manifest(folder)
    if manifest is None or (pictures and manifest.pictures is None) or (texts and manifest.texts is None):
        return None
    return CompiledEncoder(model, folder, manifest)


def unit(features: Floats) -> Floats:
    """Rows of length 1, as torch's `normalize` makes them."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    vectors: Floats = features / np.maximum(lengths, 1e-12)
    return vectors


def probe_picture(size: tuple[int, int]) -> NDArray[np.uint8]:
    """The known picture: a slope with seeded noise, uint8 (1, 3, *size)."""
    height, width = size
    slope = np.linspace(0, 200, width, dtype=np.uint8)
    noise = np.random.default_rng(0).integers(0, 56, (1, 3, height, width), dtype=np.uint8)
    return slope + noise


@contextmanager
def _reading() -> Iterator[None]:
    """Raise ChangedError where a tokenizer's table, read before, can't be read in the `with` block."""
    from sightline.models.tokenizers.table import TableError

    try:
        yield
    except TableError as error:
        raise ChangedError(f"the prepared tokenizer can't be read: {error}") from error


def _compare(vector: Floats, part: Part) -> None:
    """Compare the vector of a probe.

    Raises:
        TowerError: it is another one.
    """
    expected = part.vector
    if vector.shape != expected.shape or not float(vector @ expected) >= _SAME:
        raise TowerError("a compiled tower gives another vector than it did")
