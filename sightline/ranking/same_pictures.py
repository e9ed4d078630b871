"""A picture matches itself, and its versions match it, wherever the relevance line of a term lies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from sightline.ranking.calibrated_terms import CalibratedTerm
from sightline.ranking.term_vectors import TermVector
from sightline.version_pairs import Nearness, PictureFacts, Seen, are_versions, proposed, seen
from store.arrays import Floats, Ids
from store.tables.looks import SIDE, Looks
from store.vectors.top_k import top_k

# The pictures nearest to a term that may be versions of it. What else a library holds of one picture lies farther.
_NEAREST: Final = 128


def with_same_pictures(
    terms: Sequence[CalibratedTerm], found: Sequence[TermVector], ids: Ids, cosines: Floats,
    near: Nearness, facts: PictureFacts,
) -> list[CalibratedTerm]:  # fmt: skip
    """The terms of a query, each picture among them with the versions of it that lie below its line.

    Args:
        terms: of the query, in order.
        found: what was made of them.
        ids: content ids of the pictures that are scored, int64 (n,).
        cosines: theirs, float32 (terms, n).
        near: from which cosines pictures are versions.
        facts: what else is compared of them.
    """
    return [
        term if vector.content_id is None and vector.look is None
        else replace(term, same=_same(term, vector, ids, own, near, facts))
        for term, vector, own in zip(terms, found, cosines, strict=True)
    ]  # fmt: skip


def _same(
    term: CalibratedTerm, vector: TermVector, ids: Ids, cosines: Floats, near: Nearness, facts: PictureFacts
) -> Ids:
    """Content ids below the line of a term that show its picture, and that of the picture itself."""
    itself = np.array([] if vector.content_id is None else [vector.content_id], np.int64)
    rows = top_k(ids, cosines, _NEAREST)
    rows = rows[(cosines[rows] < term.calibration.threshold) & ~np.isin(ids[rows], itself)]
    if not len(rows):
        return itself
    own, key = _own_look(vector, itself, facts)
    looks = facts.looks(ids[rows])
    candidates = np.flatnonzero(proposed(cosines[rows][None], own, looks, near)[0])
    rows, looks = rows[candidates], looks.take(candidates)
    pairs = np.stack([np.full(len(rows), key), ids[rows]], axis=1)
    versions = are_versions(cosines[rows], pairs, own.take(np.zeros(len(rows), np.int64)), looks, near, facts)
    return np.concatenate([itself, ids[rows[versions]]])


def _own_look(vector: TermVector, itself: Ids, facts: PictureFacts) -> tuple[Seen, int]:
    """The look of a term's picture, and a number for it: its content id, or a negative one."""
    if len(itself):
        return facts.looks(itself), int(itself[0])
    if vector.look is None:
        raise ValueError("a term that is no picture has no look")
    grey = np.frombuffer(vector.look.grey, np.uint8).reshape(1, SIDE, SIDE)
    looks = Looks(np.ones(1, np.bool_), np.array([vector.look.hash], np.int64).view(np.uint64), grey)
    return seen(looks), -1 - int.from_bytes(hashlib.sha256(vector.look.grey).digest()[:7])
