"""Where in a picture of the library a text was found."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sightline.models.loaded import Encoders
from sightline.query.types import Group, Query, QueryError, Term, Words
from sightline.ranking.bases import Bases
from sightline.ranking.null_queries import NullQueries
from sightline.ranking.term_vectors import TermEncoder, TermVector
from store.arrays import Floats
from store.library import Library
from store.tables.catalog import SpaceState
from store.tables.tiles import Box as TileBox
from store.time_limit import restart
from store.vectors.tiles import TiledEngine

if TYPE_CHECKING:  # importing the encoder imports torch, which takes seconds
    from sightline.images.finish import Decoded
    from sightline.models.encoder import Encoder
    from sightline.models.preprocess import Box, Preprocess

_PRECISION: Final = "fp32"
_WHOLE: Final = (0.0, 0.0, 1.0, 1.0)
PART: Final = ("left", "top", "width", "height")
# Of a side: with less there are no pixels.
_LEAST: Final = 1e-3
# Boxes of hits are given with four digits.
_ROUNDED: Final = 2e-4


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where in a picture a text was found.

    It says where the model found what it found, not whether the thing is there: that is the score's affair.

    Attributes:
        map: how much each place speaks for the text, float32 (rows, columns), from the top left of `box`: 1 is the
            most of this picture, 0 nothing. All are 0 where nothing in the picture speaks for it.
        box: the part of the upright picture that this is of: left, top, right and bottom, in shares of its width and
            height. What is outside the model cropped off, or the text was found in this tile, and not in the whole.
        peak: the middle of the place that speaks most for it, x and y in shares of the picture; None where none does.
        text: what was looked for.
        space: the model's name.
    """

    map: Floats
    box: Box
    peak: tuple[float, float] | None
    text: str
    space: str

    def __array__(self, dtype: DTypeLike | None = None, *, copy: bool | None = None) -> NDArray[Any]:
        """The map, for numpy and what draws arrays."""
        return np.array(self.map, dtype, copy=copy)


class Explainer:
    """Tells where in a library's pictures texts were found. Safe for use from several threads."""

    def __init__(
        self, library: Library, encoders: Encoders, term_encoder: TermEncoder, null_queries: NullQueries, bases: Bases
    ) -> None:
        """Share the parts of a search; `bases` calibrates it, and says what of pictures it looks at."""
        self._library = library
        self._encoders = encoders
        self._term_encoder = term_encoder
        self._null_queries = null_queries
        self._bases = bases
        self._lock = threading.Lock()
        self._key = ""
        self._encoder: Encoder | None = None

    def explain(self, content_id: int, query: Query, space: SpaceState, tile: TileBox | None = None) -> Explanation:
        """Where in a picture the words of a query are: in the whole, or in the tile that they are found in.

        The first time in a space its image tower is loaded by torch, in float32: other forms have no gradients.

        Args:
            content_id: of the picture.
            query: of words alone, see `only_words`.
            space: whose model looks.
            tile: the part of the picture to look at; None: the library's own that they are found in, or the whole.

        Raises:
            QueryError: the picture is not there, or can't be read.
            SpaceError: the model knows no words, can't be loaded, or is of a kind that can't tell.
            BusyError: other pictures are decoded for too long.
        """
        embedded = self._term_encoder.encode(query, space, {})
        vectors = np.stack([each.vector for each in embedded])
        # What the text adds to what any text says of a picture: only that belongs to places.
        direction: Floats = np.mean(vectors, axis=0) - self._null_queries.vectors(space).mean(axis=0)
        tile = tile or self._tile(content_id, query, space, embedded, vectors)
        from sightline.tiles.grid import tile_of
        from sightline.where.patches import patch_map

        encoder = self._tower(space)
        preprocess = encoder.preprocess
        box = tile or _WHOLE
        decoded = self._decode(content_id, math.ceil(preprocess.need / min(box[2:])))
        pixels, original = decoded.pixels, decoded.original
        if tile is not None:
            pixels = tile_of(pixels, tile)
            original = (pixels.shape[0], pixels.shape[1])
        found = patch_map(encoder, preprocess.apply(pixels, original), direction)
        seen, given = preprocess.seen(*original)
        text = ", ".join(words_of(query))
        return _explanation(_part(found, given, preprocess), _within(seen, box), text, space.name)

    def _tile(
        self, content_id: int, query: Query, space: SpaceState, embedded: Sequence[TermVector], vectors: Floats
    ) -> TileBox | None:
        """The tile of a picture that all terms of a query are found in; None where that is the whole."""
        generation = self._library.catalog.generation()
        terms = self._bases.calibrated(query, space, embedded, generation)
        engine = self._bases.engine(query, space, embedded, terms, generation)
        ids = engine.held(np.asarray([content_id], np.int64))
        if not isinstance(engine, TiledEngine) or not len(ids):
            return None
        found = {boxes[0] for boxes in engine.boxes(vectors, ids)}
        return found.pop() if len(found) == 1 else None

    def _decode(self, content_id: int, need: int) -> Decoded:
        """The picture as its file is now, or else from what is kept of it."""
        from sightline.images.errors import DecodeError
        from sightline.images.pools import WAIT_SECONDS, pool
        from sightline.media.derived import preview, thumbnail
        from sightline.media.reading import read_content

        content_hash = self._library.catalog.hash_of(content_id)
        if content_hash is None:
            raise QueryError(f"There is no picture {content_id} in this library.")
        try:
            decoded = read_content(
                self._library, content_hash, lambda reader: reader.decode(need=need, thumbnail=False)
            )
            if decoded is None:  # its drive is not there: what the thumbnail shows is where it was
                data = preview(self._library, content_hash) or thumbnail(self._library, content_hash)
                if data is None:
                    raise QueryError(f"The file of picture {content_id} changed or can't be read now.")
                with pool("uploads").reader(WAIT_SECONDS) as reader:
                    reader.give(data)
                    decoded = reader.decode(need=need, thumbnail=False)
        except DecodeError as error:
            raise QueryError(f"The picture {content_id} can't be read: {error.reason}.") from error
        return decoded

    def _tower(self, space: SpaceState) -> Encoder:
        """The image tower of a space, in float32; the last that was asked for is kept."""
        from sightline.models.encoder import Encoder
        from sightline.models.space_models import model_of

        with self._lock:
            if self._encoder is None or self._key != space.key:
                self._encoder, self._key = None, ""
                model = model_of(space, offline=self._encoders.offline)
                self._encoder = Encoder(model, precision=_PRECISION, texts=False)
                self._key = space.key
                restart()  # loading a model is no fault of the question
            return self._encoder


def as_part(box: Mapping[str, float]) -> TileBox:
    """A part of a picture, as `box` of a hit has it in JSON.

    Raises:
        QueryError: it is none.
    """
    given = [float(box.get(name, math.nan)) for name in PART]
    if all(0 <= each <= 1 for each in given):
        left, top, width, height = given
        if min(width, height) >= _LEAST and max(left + width, top + height) <= 1 + _ROUNDED:
            return left, top, min(width, 1 - left), min(height, 1 - top)
    raise QueryError(
        f"{', '.join(f'{each:g}' for each in given)} is no part of a picture: give its left, top, width and height, in "
        "shares of 0 to 1, as in 0.25, 0, 0.5, 0.5."
    )


def words_of(query: Query) -> list[str]:
    """The words that a query looks for, term by term, without those that it excludes."""
    wanted = (term.subject for group in query.groups if not group.excluded for term in group.any_of)
    return [subject.text for subject in wanted if isinstance(subject, Words)]


def only_words(query: Query) -> Query:
    """What a query looks for in words, without its filters, pictures and what it excludes.

    Raises:
        QueryError: it has no words.
    """
    texts = words_of(query)
    if not texts:
        raise QueryError("There are no words to look for in the picture: a map is of what words found.")
    return replace(query, groups=tuple(Group((Term(Words(text)),)) for text in texts), filters=())


def _within(box: Box, tile: TileBox) -> Box:
    """A part of a tile as a part of the picture."""
    x, y, wide, high = tile
    left, top, right, bottom = box
    return x + left * wide, y + top * high, x + right * wide, y + bottom * high


def _part(found: Floats, given: Box, preprocess: Preprocess) -> Floats:
    """The part of a map of the input that shows the picture, without the padding: averages by area."""
    spans = []
    for cells, side, (start, stop) in zip(
        found.shape, preprocess.size, ((given[1], given[3]), (given[0], given[2])), strict=True
    ):
        # Patches that do not divide the input leave its last pixels out.
        cell = max(1, side // cells) / side if side >= cells else 1 / cells
        spans.append(_weights(cells, start / cell, min(stop / cell, cells)))
    rows, columns = spans
    part: Floats = (rows @ found @ columns.T).astype(np.float32)
    return part


def _weights(cells: int, start: float, stop: float) -> Floats:
    """The means of cells over the equal parts of a span of them, as many as it is long: (parts, cells)."""
    parts = max(1, round(stop - start))
    edges = np.linspace(start, stop, parts + 1)
    places = np.arange(cells)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    overlap = np.maximum(overlap, 0)
    weights: Floats = (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)
    return weights


def _explanation(part: Floats, box: Box, text: str, space: str) -> Explanation:
    most = float(part.max())
    if not most > 0:
        return Explanation(np.zeros_like(part), box, None, text, space)
    row, column = np.unravel_index(int(part.argmax()), part.shape)
    left, top, right, bottom = box
    rows, columns = part.shape
    peak = (left + (column + 0.5) / columns * (right - left), top + (row + 0.5) / rows * (bottom - top))
    return Explanation(part / np.float32(most), box, (float(peak[0]), float(peak[1])), text, space)
