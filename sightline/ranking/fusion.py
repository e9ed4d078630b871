"""Fusion: the z-scores of a query's terms become one order of the pictures, and bands of relevance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.query.types import Group, Query
from sightline.ranking.calibrated_terms import CalibratedTerm
from sightline.ranking.results import Band
from store.arrays import Floats, Ids
from store.vectors.top_k import top_k

BANDS: Final[tuple[Band, ...]] = ("below", "maybe", "strong")  # by number
BELOW, MAYBE, STRONG = 0, 1, 2
# How sharply a match fades with each deviation. From 1 to 4 the order of demo pictures hardly changes.
SLOPE: Final = 2.0
# What is left of a z-score where its probability is all but 1: enough to order perfect matches among themselves.
LEAK: Final = 1e-3
# Terms of less than this share of the greatest weight change the order only; whether a picture matches, the others say.
MINOR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Ranked:
    """Pictures of a query in no order yet: content ids (n,), scores float32 (n,), bands uint8 (n,)."""

    ids: Ids
    scores: Floats
    bands: NDArray[np.uint8]

    def best(self, count: int) -> NDArray[np.int64]:
        """Rows of the first `count` pictures: by band, then score, equal ones by id."""
        parts: list[NDArray[np.int64]] = []
        for number in (STRONG, MAYBE, BELOW):
            rows = np.flatnonzero(self.bands == number)
            parts.append(rows[top_k(self.ids[rows], self.scores[rows], count)])
            count -= len(parts[-1])
            if count <= 0:
                break
        return np.concatenate(parts)

    def followed_by(self, others: Ranked) -> Ranked:
        """These pictures and others in one."""
        return Ranked(
            np.concatenate([self.ids, others.ids]), np.concatenate([self.scores, others.scores]),
            np.concatenate([self.bands, others.bands]),
        )  # fmt: skip

    def count(self, number: int) -> int:
        """How many pictures are in a band."""
        return int(np.count_nonzero(self.bands == number))


def fuse(query: Query, terms: Sequence[CalibratedTerm], ids: Ids, cosines: Floats) -> Ranked:
    """Pictures by all terms of a query together; all alike where it has none.

    Args:
        query: the query.
        terms: its terms, in order.
        ids: content ids int64 (n,).
        cosines: float32 (terms, n); those of pictures to themselves are clamped in place.
    """
    if not terms:
        return Ranked(ids, np.zeros(len(ids), np.float32), np.full(len(ids), STRONG, np.uint8))
    z_scores = np.empty_like(cosines)
    for row, term in enumerate(terms):
        term.clamp_self_similarity(ids, cosines[row])
        z_scores[row] = term.z_scores(ids, cosines[row])
    scores, met = fuse_z_scores(query.groups, z_scores, [term.calibration.soft_z for term in terms])
    if len(terms) == 1:
        # One term is ordered by its cosine itself: nothing that rounds may come between.
        scores = -cosines[0] if terms[0].excluded else cosines[0]
        own = terms[0].content_id
        if own is not None and not terms[0].excluded:
            scores[ids == own] = 2.0  # before a copy of it, whose cosine may round to 1 as well
    bands = band(query.groups, met)
    for term in terms:
        if term.excluded and term.content_id is not None:
            bands[ids == term.content_id] = BELOW  # whatever the weight: it was named
    return Ranked(ids, scores, bands)


def fuse_rest(query: Query, terms: Sequence[CalibratedTerm], scores: Callable[[], tuple[Ids, Floats]]) -> Ranked:
    """The pictures outside the shortlist, all below the threshold, as they were not counted above it."""
    ranked = fuse(query, terms, *scores())
    ranked.bands[:] = BELOW
    return ranked


def fuse_z_scores(
    groups: Sequence[Group], z_scores: Floats, soft_z: Sequence[float]
) -> tuple[Floats, NDArray[np.uint8]]:
    """One score for each picture, and in which band each group puts it.

    Each term's z-score u becomes the probability that the picture matches, sigmoid(2 u): one half at the relevance
    threshold. A picture should match all groups, so its score is the weighted mean of their logarithms,

        score = sum_g w_g log p_g / sum_g w_g
        p_g = sigmoid(2 u)                    for a term
        p_g = max over terms of sigmoid(2 u_t + log(w_t / max w))    for terms joined by OR, weighted by max w
        p_g = sigmoid(-2 u)                   for an excluded term

    and a thousandth of the argument of each sigmoid, which decides among pictures that match everything perfectly.
    exp(score) is a weighted geometric mean of probabilities. Logarithms, not a mean of u, because log p saturates:
    what matches one term perfectly gains nothing more, and can't buy off that it lacks another; a mean would put the
    most splendid sunset above the boat at sunset. Exclusion uses the same curve turned round: what clearly matches
    sinks in proportion, and what does not is left where it was.

    Args:
        groups: of the query, not empty; their terms in order are the rows of `z_scores`.
        z_scores: u, float32 (terms, n).
        soft_z: the z-score from which a picture may match, for each term.

    Returns:
        Scores float32 (n,), and the bands by group, uint8 (groups, n), as `BANDS` numbers them.
    """
    count = z_scores.shape[1]
    total, weights = np.zeros(count, np.float32), 0.0
    met = np.empty((len(groups), count), np.uint8)
    row = 0
    for number, group in enumerate(groups):
        terms = group.any_of
        u, bands = z_scores[row : row + len(terms)], _bands(z_scores, soft_z, range(row, row + len(terms)))
        row += len(terms)
        weight = max(term.weight for term in terms)
        if group.excluded:
            odds = np.float32(-SLOPE) * u[0]
            met[number] = STRONG - bands  # what matches strongly is below, what may match is a maybe
        else:
            odds = np.float32(SLOPE) * u[0] + np.float32(np.log(terms[0].weight / weight))
            for i, term in enumerate(terms[1:], start=1):
                np.maximum(odds, np.float32(SLOPE) * u[i] + np.float32(np.log(term.weight / weight)), out=odds)
            met[number] = bands
        total += np.float32(weight) * _log_probability(odds)
        weights += weight
    return total / np.float32(weights), met


def band(groups: Sequence[Group], met: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The band of each picture, uint8 (n,): that of the group it meets least, minor terms left out.

    Minor beside what is looked for: however much an exclusion weighs, a hit still has to match the rest.
    """
    return np.asarray(met[np.asarray(counting(groups))].min(axis=0), np.uint8)


def counting(groups: Sequence[Group]) -> list[bool]:
    """For each group, whether it says if a picture matches, or only changes the order."""
    weights = [max(term.weight for term in group.any_of) for group in groups]
    wanted = [weight for group, weight in zip(groups, weights, strict=True) if not group.excluded]
    return [weight >= MINOR * max(wanted or weights) for weight in weights]


def _bands(z_scores: Floats, soft_z: Sequence[float], rows: range) -> NDArray[np.uint8]:
    """The best band that any of these rows gives, uint8 (n,)."""
    bands = np.zeros(z_scores.shape[1], np.uint8)
    for row in rows:
        u = z_scores[row]
        np.maximum(bands, (u >= np.float32(soft_z[row])).view(np.uint8) + (u >= 0).view(np.uint8), out=bands)
    return bands


def _log_probability(x: Floats) -> Floats:
    """log(sigmoid(x)) + LEAK x, in float32 without overflow: a million pictures are scored at once."""
    made: Floats = np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))) + np.float32(LEAK) * x
    return made
