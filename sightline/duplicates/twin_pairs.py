"""Pairs of a RAW file and a picture that was made of it, among near-duplicate pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sightline.duplicates.near_pairs import Pairs
from sightline.twins import Twins
from store.arrays import Ids
from store.tables.catalog import Catalog


def without_twins(catalog: Catalog, ids: Ids, found: Pairs) -> Pairs:
    """Leave out pairs of a RAW file and a picture that was made of it: they are kept together on purpose."""
    twins = Twins(catalog)
    is_raw = np.isin(ids, twins.raw_ids())
    mixed = np.flatnonzero(is_raw[found.left] != is_raw[found.right])
    rows = np.unique(np.concatenate([found.left[mixed], found.right[mixed]]))
    shots = dict(zip(rows.tolist(), twins.shots(ids[rows]) or (), strict=False))
    pairs = zip(mixed.tolist(), found.left[mixed].tolist(), found.right[mixed].tolist(), strict=True)
    left_out = [at for at, left, right in pairs if shots and shots[left].is_twin_of(shots[right])]
    keep = np.ones(len(found.left), np.bool_)
    keep[np.array(left_out, np.int64)] = False
    return replace(found, left=found.left[keep], right=found.right[keep], cosines=found.cosines[keep])
