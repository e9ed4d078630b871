"""How alike pictures are, in steps from identical-looking to similar, and which are bursts.

The first three steps are versions of one picture, by their pixels. At the last two, pictures are similar by their
vectors alone. Where a picture has no look, or shows nearly nothing, its vector decides at each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.duplicates.hash_pairs import hash_pairs
from sightline.duplicates.near_pairs import Pairs, Report, Rows32, find_pairs
from sightline.duplicates.twin_pairs import without_twins
from sightline.nearness import nearness
from sightline.version_pairs import Nearness, are_bursts
from sightline.versions import FAR_HASH, NEAR_HASH, VERSION, agreement, hash_distance, inner_hashes
from store.arrays import CodeWords, Floats, Ids, Mask, Rows
from store.library import Library
from store.tables.looks import read_looks
from store.tables.moments import Moments, read_moments
from store.vectors.engine import VectorEngine

DISTANCE_STEPS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""How far apart near-duplicates may be, from identical-looking to similar, where vectors decide: their cosine distance,
1 minus the cosine, is at most this many times the distance at which searches fold pictures by their vectors alone."""
AGREEMENTS: Final = (0.995, 0.985, VERSION)
"""The same where pixels decide, at the first steps: how well they agree, see `sightline.versions`."""
DEFAULT_STEP: Final = DISTANCE_STEPS.index(1.0)

# Bits that two hashes may differ in, where there are more pictures than this: as many pairs are then compared.
_MANY, _NEAR_OF_MANY = 20_000, 12
_CHUNK: Final = 8_192  # pairs whose pixels are read at a time
_NEXT: Final = 64  # photos after one that may be of its burst


@dataclass(frozen=True, slots=True)
class Stepped:
    """Pairs of pictures with the first step that takes each for near-duplicates.

    Attributes:
        pairs: see there; of those with a lower cosine than `pairs.min_cosine` only some are there.
        steps: int8 (p,).
        floors: the cosine of each step from which pairs are looked at.
    """

    pairs: Pairs
    steps: NDArray[np.int8]
    floors: Sequence[float]

    def is_cut(self, step: int) -> bool:
        """Whether there were too many pairs of this step to keep them all."""
        return self.pairs.min_cosine > self.floors[step]

    def until(self, step: int) -> Pairs:
        """The pairs of a step and of the stricter ones."""
        return _some(self.pairs, self.steps <= step)


def thresholds(near: Nearness) -> list[float]:
    """The cosine of each step from which vectors take pictures for near-duplicates."""
    return [1 - times * (1 - near.alone) for times in DISTANCE_STEPS]


def stepped_pairs(library: Library, space_id: int, ids: Ids, report: Report) -> Stepped:
    """Find the pairs of contents int64 (n,) that are near-duplicates; no twins, no burst frames."""
    engine, near = library.vectors.get(space_id), nearness(library, space_id)
    steps = thresholds(near)
    by_vector = find_pairs(engine, ids, min(near.pixels, *steps), lambda done, doing: report(0.6 * done, doing))
    report(0.6, "Comparing what they look like")
    hashes = _hashes(library, ids)
    found = _with(by_vector, *_by_hash(hashes), engine, ids)
    found = without_twins(library.catalog, ids, found)
    agreed = _agreements(library, ids, found, hashes, near, lambda done, doing: report(0.65 + 0.35 * done, doing))
    numbers = _steps(found.cosines, agreed, steps)
    keep = numbers < len(steps)
    keep[keep] = ~_shot_apart(library, ids, _some(found, keep))
    return Stepped(_some(found, keep), numbers[keep], steps)


def burst_pairs(library: Library, space_id: int, ids: Ids, report: Report) -> Pairs:
    """Find the pairs of contents int64 (n,) that are frames of one burst, and no versions of one picture."""
    report(0, "Reading when they were taken")
    engine, near, moments = library.vectors.get(space_id), nearness(library, space_id), _moments(library, ids)
    left, right = _together(moments)
    cosines = np.concatenate([np.empty(0, np.float32), *_cosines(engine, ids, left, right)])
    close = cosines >= near.burst
    found = Pairs(left[close].astype(np.int32), right[close].astype(np.int32), cosines[close], near.burst)
    found = without_twins(library.catalog, ids, found)
    report(0.5, "Comparing what they look like")
    hashes = _hashes(library, ids)
    at_once = moments.seconds[found.left] == moments.seconds[found.right]
    agreed = np.full(len(at_once), np.nan, np.float32)
    agreed[at_once] = _agreements(library, ids, _some(found, at_once), hashes, near, report)
    # In one second a camera takes ten frames; and a copy of a photo says that it was taken in the same one.
    is_version = at_once & (_steps(found.cosines, agreed, thresholds(near)) <= DEFAULT_STEP)
    return _some(found, ~is_version)


def _some(found: Pairs, keep: Mask) -> Pairs:
    return replace(found, left=found.left[keep], right=found.right[keep], cosines=found.cosines[keep])


def _steps(cosines: Floats, agreed: Floats, by_vector: list[float]) -> NDArray[np.int8]:
    """The first step that takes each pair; `len(by_vector)` for none."""
    made = np.full(len(cosines), len(by_vector), np.int8)
    for step in reversed(range(len(by_vector))):
        is_near = cosines >= by_vector[step]
        if step < len(AGREEMENTS):
            is_near = np.where(np.isnan(agreed), is_near, agreed >= AGREEMENTS[step])
        made[is_near] = step
    return made


# -- pixels ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Hashes:
    """Which contents have a look (n,), and their hashes, with plain edges and without."""

    held: Mask
    hashes: CodeWords
    inner: CodeWords

    def distances(self, left: Rows32, right: Rows32) -> NDArray[np.uint8]:
        """How many bits differ at least, uint8 (p,)."""
        every = [(one[left], other[right]) for one in (self.hashes, self.inner) for other in (self.hashes, self.inner)]
        return np.asarray(np.min([hash_distance(*each) for each in every], axis=0), np.uint8)


def _hashes(library: Library, ids: Ids) -> _Hashes:
    """The hashes of all: the pixels of a large library are not held at once."""
    found = _Hashes(np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.uint64), np.zeros(len(ids), np.uint64))
    for start in range(0, len(ids), _CHUNK):
        rows = slice(start, start + _CHUNK)
        looks = read_looks(library.catalog.engine, ids[rows])
        found.held[rows], found.hashes[rows], found.inner[rows] = looks.held, looks.hashes, inner_hashes(looks.grey)
    return found


def _by_hash(found: _Hashes) -> tuple[Rows, Rows]:
    rows = np.flatnonzero(found.held)
    most = NEAR_HASH if len(rows) <= _MANY else _NEAR_OF_MANY
    pairs = [hash_pairs(hashes[rows], most) for hashes in (found.hashes, found.inner)]
    left, right = (np.concatenate(each) for each in zip(*pairs, strict=True))
    return rows[left], rows[right]


def _with(found: Pairs, left: Rows, right: Rows, engine: VectorEngine, ids: Ids) -> Pairs:
    """Pairs and further ones, in order, each once."""
    known = (found.left.astype(np.int64) << 32) | found.right
    keys = np.setdiff1d((left << 32) | right, known)
    left, right = keys >> 32, keys & 0xFFFFFFFF
    cosines = np.concatenate([found.cosines, *_cosines(engine, ids, left, right)])
    keys = np.concatenate([known, keys])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    return replace(
        found, left=(keys >> 32).astype(np.int32), right=(keys & 0xFFFFFFFF).astype(np.int32), cosines=cosines[order]
    )


def _cosines(engine: VectorEngine, ids: Ids, left: Rows, right: Rows) -> list[Floats]:
    made = []
    for start in range(0, len(left), _CHUNK):
        rows = slice(start, start + _CHUNK)
        made.append(np.einsum("ij,ij->i", engine.vectors_of(ids[left[rows]]), engine.vectors_of(ids[right[rows]])))
    return made


def _agreements(library: Library, ids: Ids, found: Pairs, hashes: _Hashes, near: Nearness, report: Report) -> Floats:
    """How well the pixels of pairs agree; NaN where that can't be told, -1 where none were read."""
    made = np.full(len(found.left), np.nan, np.float32)
    both = np.flatnonzero(hashes.held[found.left] & hashes.held[found.right])
    distances = hashes.distances(found.left[both], found.right[both])
    worth = (distances <= NEAR_HASH) | ((found.cosines[both] >= near.pixels) & (distances <= FAR_HASH))
    made[both[~worth]] = -1
    rows = both[worth]
    for start in range(0, len(rows), _CHUNK):
        report(start / len(rows), f"Comparing the pixels of {len(rows):,} pairs")
        some = rows[start : start + _CHUNK]
        pair = np.stack([found.left[some], found.right[some]])
        each, places = np.unique(pair, return_inverse=True)
        grey = read_looks(library.catalog.engine, ids[each]).grey
        first, second = places.reshape(2, -1)
        made[some] = agreement(grey[first], grey[second])
    return made


# -- bursts ---------------------------------------------------------------------------------------------------------


def _moments(library: Library, ids: Ids) -> Moments:
    return read_moments(library.catalog.engine, ids)


def _together(moments: Moments) -> tuple[Rows, Rows]:
    """Pairs of rows that were taken together, the first less than the second."""
    order = np.lexsort((moments.seconds, moments.cameras))
    order = order[~np.isnan(moments.seconds[order])]
    found = [np.empty((2, 0), np.int64)]
    for apart in range(1, min(_NEXT, len(order) - 1) + 1):
        one, other = order[:-apart], order[apart:]
        near = are_bursts(moments.take(one), moments.take(other))
        found.append(np.stack([np.minimum(one[near], other[near]), np.maximum(one[near], other[near])]))
    left, right = np.concatenate(found, axis=1)
    in_order = np.lexsort((right, left))
    return left[in_order], right[in_order]


def _shot_apart(library: Library, ids: Ids, found: Pairs) -> Mask:
    """Which pairs are frames of a burst by their times: a copy has the time of its original."""
    rows, places = np.unique(np.stack([found.left, found.right]), return_inverse=True)
    moments = _moments(library, ids[rows])
    first, second = (moments.take(each) for each in places.reshape(2, -1))
    return np.asarray(are_bursts(first, second) & (first.seconds != second.seconds), np.bool_)
