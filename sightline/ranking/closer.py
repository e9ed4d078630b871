"""A closer look at some pictures: their tiles, made when a search asks, for a library that keeps none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sightline.lru import Lru
from sightline.models.loaded import Encoders
from sightline.ranking.calibration import Calibration
from sightline.tiles.grid import CutPicture, cut, need_of
from sightline.tiles.sample import TileSample
from store.arrays import Floats, Halves, Ids
from store.library import Library
from store.tables.catalog import SpaceState
from store.tables.tiles import numbers_of
from store.time_limit import check
from store.vectors.engine import VectorEngine
from store.vectors.local import LocalEngine
from store.vectors.tiles import EXACT, TileEngine

if TYPE_CHECKING:
    from sightline.images.reader import Reader
    from sightline.models.interface import JointEncoder
    from sightline.models.preprocess import Preprocess

LOOKED_AT: Final = 200
"""The hits that are looked at closer: the first ones, those below the threshold, too."""
GRID: Final = 3
"""Tiles along the shorter side; see `sightline.tiles.grid`."""

# Pictures whose tiles are kept in memory: ten searches; 13 kB each of x 512.
_KEPT: Final = 10 * LOOKED_AT
_AT_ONCE: Final = 4  # pictures between two looks at the clock: a second or so on a CPU
_READERS: Final = 2
_PATIENCE: Final = 0.2  # seconds between two looks at whether one that waits for another is stopped

Report = Callable[[int, int], object]
"""Called with how many pictures were looked at, and how many there are."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The tiles of a picture: boxes float32 (n, 4), vectors float16 (n, dim); none where it can't be read."""

    boxes: Floats
    vectors: Halves


class CloserLooks:
    """Makes tiles of pictures, and remembers them. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders) -> None:
        self._library = library
        self._encoders = encoders
        self._seen: Lru[tuple[str, bytes], _Seen] = Lru(_KEPT)
        self._at_work = threading.Lock()  # one at a time: each takes all cores

    def look(
        self, space: SpaceState, ids: Sequence[int], report: Report = lambda done, total: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Make the tiles of pictures, by content id, that were not looked at yet.

        What was made until it is stopped, or its time is over, is kept: the next call goes on from there.

        Raises:
            SpaceError: the model can't be loaded.
            TimeLimitError: see `store.time_limit`.
            BusyError, WorkerError: pictures can't be decoded now, or here.
        """
        hashes = list(self._hashes(ids).values())
        left = self._left(space, hashes)
        report(len(hashes) - len(left), len(hashes))
        if not left:
            return
        encoder = self._encoders.get(space)
        while not self._at_work.acquire(timeout=_PATIENCE):
            check()
            if is_stopped():
                return
        try:
            # Another look may have made some of them meanwhile.
            left = self._left(space, hashes)
            report(len(hashes) - len(left), len(hashes))
            with ThreadPoolExecutor(_READERS, thread_name_prefix="closer") as readers:
                for start in range(0, len(left), _AT_ONCE):
                    check()
                    if is_stopped():
                        return
                    some = left[start : start + _AT_ONCE]
                    pictures = list(readers.map(lambda hash_: self._cut(hash_, encoder.preprocess), some))
                    for hash_, seen in zip(some, _encoded(encoder, pictures), strict=True):
                        self._seen.put((space.key, hash_), seen)
                    report(len(hashes) - len(left) + start + len(some), len(hashes))
        finally:
            self._at_work.release()

    def _left(self, space: SpaceState, hashes: Sequence[bytes]) -> list[bytes]:
        """Those that were not looked at yet."""
        return [hash_ for hash_ in hashes if self._seen.get((space.key, hash_)) is None]

    def known(self, space: SpaceState, ids: Sequence[int]) -> dict[int, _Seen]:
        """Those of some pictures that have tiles, by content id."""
        found = {id_: self._seen.get((space.key, hash_)) for id_, hash_ in self._hashes(ids).items()}
        return {id_: seen for id_, seen in found.items() if seen is not None and len(seen.boxes)}

    def _hashes(self, ids: Sequence[int]) -> dict[int, bytes]:
        return {id_: photo.hash for id_, photo in self._library.catalog.photos(ids).items()}

    def _cut(self, content_hash: bytes, preprocess: Preprocess) -> CutPicture | None:
        """The tiles of a picture, from its file, or from its preview where that fails; None without both."""
        from sightline.images.errors import DecodeError
        from sightline.images.pools import WAIT_SECONDS, pool
        from sightline.media.reading import read_content

        def tiles_of(reader: Reader) -> CutPicture:
            decoded = reader.decode(need=need_of(preprocess, GRID), thumbnail=False)
            return cut(decoded.pixels, decoded.original, GRID, preprocess)

        try:
            made = read_content(self._library, content_hash, tiles_of)
            preview = None if made is not None else self._library.previews.read(content_hash)
            if preview is None:
                return made
            with pool("photos").reader(WAIT_SECONDS) as reader:
                reader.give(preview)
                return tiles_of(reader)
        except DecodeError:
            return None


def _encoded(encoder: JointEncoder, pictures: Sequence[CutPicture | None]) -> Iterator[_Seen]:
    """The tiles of pictures, encoded together."""
    prepared = [each.pixels for each in pictures if each is not None]
    vectors = encoder.encode_images(np.concatenate(prepared)) if prepared else np.empty((0, encoder.dim), np.float32)
    start = 0
    for each in pictures:
        if each is None:
            yield _Seen(np.empty((0, 4), np.float32), np.empty((0, encoder.dim), np.float16))
            continue
        own = vectors[start : start + len(each.boxes)]
        start += len(each.boxes)
        good = np.isfinite(own).all(axis=1)
        yield _Seen(each.boxes[good], own[good].astype(np.float16))


class CloseTiles:
    """The tiles of the pictures of one search, as if the library had them."""

    def __init__(self, space: SpaceState, seen: Mapping[int, _Seen]) -> None:
        """`seen`: by content id, at least one."""
        self._ids = np.array(sorted(seen), np.int64)
        self._seen = seen
        counts = np.array([len(seen[id_].boxes) for id_ in self._ids.tolist()], np.int64)
        self._vectors = np.concatenate([seen[id_].vectors for id_ in self._ids.tolist()])
        self._counts = counts
        engine = LocalEngine(space.dim, policy=EXACT)
        numbers = numbers_of(self._ids, counts)
        engine.add([(np.arange(1, len(numbers) + 1), numbers, self._vectors)])
        self.engine = TileEngine(engine, self._boxes)

    def _boxes(self, ids: Ids) -> Mapping[int, Floats]:
        return {id_: self._seen[id_].boxes for id_ in ids.tolist() if id_ in self._seen}

    def calibrations(self, whole: VectorEngine) -> tuple[Calibration, Calibration]:
        """Calibrations by these pictures alone: without their tiles, and with them."""
        sample = whole.vectors_of(self._ids)
        return Calibration(sample), Calibration(sample, TileSample(self._vectors, self._counts))
