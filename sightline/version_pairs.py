"""Which pairs of pictures of a library belong together: versions of one picture, and frames of a burst.

Versions are proposed by vectors or hashes and confirmed by pixels, see `sightline.versions`. Where a picture has no
look, its vector decides alone, and has to be nearer. Frames of a burst were taken with the same camera within a few
seconds, and are nearer than nearly all pairs of pictures; their pixels may differ, as what they show moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sightline.versions import FAR_HASH, NEAR_HASH, VERSION, agreement, hash_distance
from store.arrays import Floats, Ids, Mask, Rows
from store.tables.catalog import Catalog
from store.tables.looks import SIDE, Looks, read_looks
from store.tables.moments import Moments, read_moments

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


class PictureFacts:
    """What is compared of the pictures of a library, read as it is asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self._engine = catalog.engine

    def looks(self, ids: Ids) -> Looks:
        """The looks of contents."""
        return read_looks(self._engine, ids)

    def moments(self, ids: Ids) -> Moments:
        """When contents were taken, and with which camera."""
        return read_moments(self._engine, ids)


def no_looks(count: int) -> Looks:
    """Of pictures that have none."""
    return Looks(np.zeros(count, np.bool_), np.zeros(count, np.uint64), np.zeros((count, SIDE, SIDE), np.uint8))


def take(looks: Looks, rows: Rows) -> Looks:
    """The looks of some rows."""
    return Looks(looks.held[rows], looks.hashes[rows], looks.grey[rows])


def joined(first: Looks, second: Looks) -> Looks:
    """The looks of both, one after the other."""
    return Looks(
        np.concatenate([first.held, second.held]), np.concatenate([first.hashes, second.hashes]),
        np.concatenate([first.grey, second.grey]),
    )  # fmt: skip


def proposed(cosines: Floats, first: Looks, second: Looks, near: Nearness) -> Mask:
    """Which pairs are worth a closer look: cosines (n, m), looks of n and of m pictures."""
    distances = hash_distance(first.hashes[:, None], second.hashes)
    both = first.held[:, None] & second.held
    by_look = (distances <= NEAR_HASH) | ((cosines >= near.pixels) & (distances <= FAR_HASH))
    found: Mask = np.where(both, by_look, cosines >= near.alone)
    return found


def are_versions(cosines: Floats, first: Looks, second: Looks, near: Nearness) -> Mask:
    """Which of the proposed pairs are versions of one picture: cosines (n,), looks of n pairs."""
    found: Mask = cosines >= near.alone
    both = np.flatnonzero(first.held & second.held)
    agreed = agreement(first.grey[both], second.grey[both])
    found[both] = np.where(np.isnan(agreed), found[both], agreed >= VERSION)
    return found


def are_bursts(first: Moments, second: Moments) -> Mask:
    """Which pairs were taken together, (n,)."""
    same = (first.cameras == second.cameras) & (first.cameras != "")
    return np.asarray(same & (np.abs(first.seconds - second.seconds) <= BURST_SECONDS), np.bool_)
