"""Which pictures of a library belong together: versions of one picture, and frames of a burst.

Versions are proposed by vectors or hashes and confirmed by pixels, see `sightline.versions`. Where a picture has no
look, its vector decides alone, and has to be nearer. Frames of a burst were taken with the same camera within a few
seconds, and are nearer than nearly all pairs of pictures; their pixels may differ, as what they show moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.versions import FAR_HASH, NEAR_HASH, VERSION, Greys, agreement, hash_distance, inner_hashes
from store.arrays import CodeWords, Floats, Ids, Mask, Rows
from store.tables.catalog import Catalog
from store.tables.looks import SIDE, Looks, read_looks
from store.tables.moments import Moments, no_moments, read_moments

# Pairs; they take some 20 MB.
MAX_REMEMBERED: Final = 100_000
# Pictures; they take 25 MB.
MAX_READ: Final = 16_384
BURST_SECONDS: Final = 5.0
"""Two frames of a burst are at most this far apart."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """Cosines of a space from which pairs of pictures are looked at.

    Attributes:
        alone: from here pictures of which one has no look, or shows nearly nothing, are versions.
        pixels: from here the pixels of two pictures are compared.
        burst: from here pictures that were taken together are frames of one burst.
    """

    alone: float
    pixels: float = 2.0
    burst: float = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is compared of the looks of some pictures, as of `store.tables.looks.Looks`.

    `inner`: their hashes without plain edges, uint64 (n,), see `sightline.versions.inner_hashes`.
    """

    held: Mask
    hashes: CodeWords
    inner: CodeWords
    grey: Greys

    def take(self, rows: Rows | slice) -> Seen:
        """Those of some of the pictures."""
        return Seen(self.held[rows], self.hashes[rows], self.inner[rows], self.grey[rows])

    def followed_by(self, others: Seen) -> Seen:
        """These and others."""
        return Seen(
            np.concatenate([self.held, others.held]), np.concatenate([self.hashes, others.hashes]),
            np.concatenate([self.inner, others.inner]), np.concatenate([self.grey, others.grey]),
        )  # fmt: skip


class PictureFacts:
    """What is compared of the pictures of a library in one generation, read as it is asked for.

    It remembers which pairs were compared: the next search meets many of them again. Safe for several threads.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._engine = catalog.engine
        self._agreed: dict[tuple[int, int], float] = {}
        # By content: its row in what was read so far.
        self._read: tuple[dict[int, int], Seen, Moments] = ({}, no_looks(0), no_moments(0))

    def of(self, ids: Ids) -> tuple[Seen, Moments]:
        """The looks of contents, and when they were taken."""
        rows, looks, moments = self._read
        wanted = ids.tolist()
        new = np.array([id_ for id_ in wanted if id_ not in rows], np.int64)
        if len(new):
            if len(rows) + len(new) > MAX_READ:
                rows, looks, moments = {}, no_looks(0), no_moments(0)
                new = np.array(wanted, np.int64)
            # Not changed in place: another thread may be reading them.
            rows = rows | {id_: len(rows) + at for at, id_ in enumerate(new.tolist())}
            looks = looks.followed_by(seen(read_looks(self._engine, new)))
            moments = moments.followed_by(read_moments(self._engine, new))
            self._read = (rows, looks, moments)
        places = np.array([rows[id_] for id_ in wanted], np.int64)
        return looks.take(places), moments.take(places)

    def looks(self, ids: Ids) -> Seen:
        """The looks of contents."""
        return self.of(ids)[0]

    def agreement(self, pairs: Ids, first: Greys, second: Greys) -> Floats:
        """How well pairs of contents agree, float32 (n,): ids int64 (n, 2), and their grey pictures."""
        keys = [(one, other) if one < other else (other, one) for one, other in pairs.tolist()]
        found = np.array([self._agreed.get(key, np.inf) for key in keys], np.float32)
        new = np.flatnonzero(np.isposinf(found))
        found[new] = agreement(first[new], second[new])
        if len(self._agreed) > MAX_REMEMBERED:
            self._agreed = {}
        self._agreed.update(zip((keys[at] for at in new.tolist()), found[new].tolist(), strict=True))
        return found


def no_looks(count: int) -> Seen:
    """Of pictures that have none."""
    hashes = np.zeros(count, np.uint64)
    return Seen(np.zeros(count, np.bool_), hashes, hashes, np.zeros((count, SIDE, SIDE), np.uint8))


def seen(looks: Looks) -> Seen:
    """What is compared of looks."""
    return Seen(looks.held, looks.hashes, inner_hashes(looks.grey), looks.grey)


def distances(first: Seen, second: Seen) -> NDArray[np.uint8]:
    """How many bits of two pictures' hashes differ at least, uint8 (n, m).

    With their plain edges or without: a frame moves what is inside; without it, the hashes are near again.
    """
    found = hash_distance(first.hashes[:, None], second.hashes)
    rows, columns = (np.flatnonzero(each.inner != each.hashes) for each in (first, second))
    found[rows] = np.minimum(found[rows], hash_distance(first.inner[rows, None], second.hashes))
    for hashes in (first.hashes, first.inner):
        found[:, columns] = np.minimum(found[:, columns], hash_distance(hashes[:, None], second.inner[columns]))
    return found


def proposed(cosines: Floats, first: Seen, second: Seen, near: Nearness) -> Mask:
    """Which pairs are worth a closer look: cosines (n, m), looks of n and of m pictures."""
    apart = distances(first, second)
    both = first.held[:, None] & second.held
    by_look = (apart <= NEAR_HASH) | ((cosines >= near.pixels) & (apart <= FAR_HASH))
    found: Mask = np.where(both, by_look, cosines >= near.alone)
    return found


def proposed_pairs(cosines: Floats, first: Seen, second: Seen, near: Nearness) -> Mask:
    """The same of pairs: cosines (n,), looks of n and of n pictures."""
    made = ((one, other) for one in (first.hashes, first.inner) for other in (second.hashes, second.inner))
    hashes = [hash_distance(*each) for each in made]
    apart = np.min(hashes, axis=0)
    by_look = (apart <= NEAR_HASH) | ((cosines >= near.pixels) & (apart <= FAR_HASH))
    found: Mask = np.where(first.held & second.held, by_look, cosines >= near.alone)
    return found


def are_versions(
    cosines: Floats, pairs: Ids, first: Seen, second: Seen, near: Nearness, facts: PictureFacts | None
) -> Mask:
    """Which of the proposed pairs are versions of one picture.

    Args:
        cosines: theirs (n,).
        pairs: content ids int64 (n, 2).
        first, second: their looks.
        near: from where vectors decide alone.
        facts: compares pixels; None where no picture has a look.
    """
    found: Mask = cosines >= near.alone
    both = np.flatnonzero(first.held & second.held)
    if facts is None or not len(both):
        return found
    agreed = facts.agreement(pairs[both], first.grey[both], second.grey[both])
    found[both] = np.where(np.isnan(agreed), found[both], agreed >= VERSION)
    return found


def are_bursts(first: Moments, second: Moments) -> Mask:
    """Which pairs were taken together, broadcast."""
    same = (first.cameras == second.cameras) & (first.cameras != 0)
    return np.asarray(same & (np.abs(first.seconds - second.seconds) <= BURST_SECONDS), np.bool_)
