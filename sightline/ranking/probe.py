"""A linear probe: what examples of a concept have in common, as a direction with a line of its own.

A logistic regression on the vectors as they are: G. Alain and Y. Bengio, "Understanding intermediate layers using
linear classifier probes", 2016; A. Radford et al., "Learning Transferable Visual Models From Natural Language
Supervision", 2021, section 3.2. Cosines to its weights order pictures as its decision values do, so a concept is a term
of a query as any other. docs/decisions/concepts-by-linear-probes.md has what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.ranking.calibration import SOFT_Z_ABOVE_MEDIAN, Z_ABOVE_MEDIAN, TermCalibration
from store.arrays import Doubles, Floats, Mask

MIN_OTHERS: Final = 3
BACKGROUND: Final = 1_024
"""Pictures of the library, chosen at random, that count as "probably not": most of them don't show the concept."""
BACKGROUND_WEIGHT: Final = 1 / 32
"""What each of them counts beside a counter-example: all together about as much as 32."""
STRENGTHS: Final = (1.0, 10.0, 100.0)
"""Inverse strengths of regularization that cross-validation chooses from, for 4 units of weight an example."""
FOLDS: Final = 8
# The bulk of what is no example spreads by this quantile below its median: one standard deviation.
_SIGMA: Final = 0.158655
_TINY: Final = 1e-3
# Examples that are all alike tell no deviation; it is at least this share of that of the others.
_LEAST_SPREAD: Final = 0.5
_ITERATIONS: Final = 300


@dataclass(frozen=True, slots=True)
class Scores:
    """How a probe did on pictures that it was not made from, by cross-validation.

    Attributes:
        examples, counter_examples, background: how many there were of each.
        found: examples above the line.
        refused: counter-examples below it.
        strays: pictures of the background above it; some of them may show the concept.
    """

    examples: int
    counter_examples: int
    background: int
    found: int
    refused: int
    strays: int

    @property
    def accuracy(self) -> float:
        """The share of examples and counter-examples that lie on the right side, 0 to 1."""
        return (self.found + self.refused) / (self.examples + self.counter_examples)


@dataclass(frozen=True, slots=True)
class Probe:
    """A concept in one space.

    Attributes:
        direction: a unit vector float32 (dim,).
        line: what cosines to it mean.
        scores: how sure it is.
    """

    direction: Floats
    line: TermCalibration
    scores: Scores


def learn(examples: Floats, counter_examples: Floats, background: Floats, alike: float) -> Probe:
    """The probe of a concept.

    Each side counts as much as the other, however many pictures it has. The strength of regularization is the one whose
    held-out log loss is least. The line lies midway between two cosines, both of held-out pictures: 3.2 deviations
    above the median of the background and the counter-examples, where a picture stands out of the library, and one
    deviation below the median of the examples, where a picture is as they are; but not less than 2.2 deviations above
    that of the others, where examples have nothing in common. A possible match reaches a deviation less: the mean of
    both.

    Args:
        examples: float32 (n, dim), unit rows, n at least 3.
        counter_examples: float32 (m, dim), unit rows.
        background: float32 (k, dim), unit rows; m + k is at least `MIN_OTHERS`.
        alike: the cosine from which two examples are one picture, and are held out together.
    """
    n, m = len(examples), len(counter_examples)
    vectors = np.concatenate([examples, counter_examples, background]).astype(np.float64)
    wanted = np.arange(len(vectors)) < n
    weights = np.where(np.arange(len(vectors)) < n + m, 1.0, BACKGROUND_WEIGHT)
    folds = _folds(examples, m, len(background), alike)
    held = [_held_out(vectors, wanted, weights, folds, strength) for strength in STRENGTHS]
    best = int(np.argmin([each.loss for each in held]))
    cosines = held[best].cosines
    inside, outside = cosines[wanted], cosines[~wanted]
    median, low = np.quantile(outside, (0.5, _SIGMA))
    spread = max(float(median - low), _TINY)
    own_spread = max(float(inside.std(ddof=1)), _LEAST_SPREAD * spread)
    between = (float(median) + Z_ABOVE_MEDIAN * spread + float(np.median(inside)) - own_spread) / 2
    threshold = max(between, float(median) + SOFT_Z_ABOVE_MEDIAN * spread)
    scale = (spread + own_spread) / 2
    direction, _bias = _fit(vectors, wanted, weights, STRENGTHS[best])
    above = cosines >= threshold
    return Probe(
        np.asarray(direction / np.linalg.norm(direction), np.float32),
        TermCalibration(threshold, threshold - scale, scale),
        Scores(n, m, len(background), int(above[:n].sum()), m - int(above[n : n + m].sum()), int(above[n + m :].sum())),
    )


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Cosines float64 (n,) of pictures to probes that were made without them, and their weighted log loss."""

    cosines: Doubles
    loss: float


def _held_out(vectors: Doubles, wanted: Mask, weights: Doubles, folds: NDArray[np.int64], strength: float) -> _HeldOut:
    cosines, values = np.empty(len(vectors)), np.empty(len(vectors))
    for fold in np.unique(folds):
        out = folds == fold
        direction, bias = _fit(vectors[~out], wanted[~out], weights[~out], strength)
        values[out] = vectors[out] @ direction + bias
        cosines[out] = (values[out] - bias) / max(float(np.linalg.norm(direction)), _TINY)
    losses = np.logaddexp(0, np.where(wanted, -values, values))
    sides = [float(np.average(losses[side], weights=weights[side])) for side in (wanted, ~wanted)]
    return _HeldOut(cosines, sum(sides))


def _fit(vectors: Doubles, wanted: Mask, weights: Doubles, strength: float) -> tuple[Doubles, float]:
    """Weights float64 (dim,) and bias of a logistic regression."""
    from sklearn.linear_model import LogisticRegression  # it takes a second to import

    # Balanced by hand: `class_weight="balanced"` counts rows in scikit-learn 1.5, and their weights in 1.9.
    each = 2.0 * np.count_nonzero(wanted)
    balanced = np.where(wanted, each / weights[wanted].sum(), each / weights[~wanted].sum()) * weights
    model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
    model.fit(vectors, wanted, sample_weight=balanced)
    return model.coef_[0], float(model.intercept_[0])


def _folds(examples: Floats, counter_examples: int, background: int, alike: float) -> NDArray[np.int64]:
    """The fold of each picture, int64 (n + m + k,): examples that are one picture share theirs.

    Were a frame of a burst held out alone, the next one would tell of it. Where all are one picture, they part.
    """
    groups = _groups(examples @ examples.T >= alike)
    own = groups if len(np.unique(groups)) > 1 else np.arange(len(examples))
    count = min(FOLDS, len(np.unique(own)))
    parts: Sequence[NDArray[np.int64]] = [np.unique(own, return_inverse=True)[1].astype(np.int64)]
    parts = [*parts, np.arange(counter_examples), np.arange(background)]
    return np.concatenate(parts) % count


def _groups(linked: Mask) -> NDArray[np.int64]:
    """For each row of a symmetric matrix of links the first one linked with it, through others too."""
    first = np.arange(len(linked))
    while True:
        reached = np.where(linked, first[None], len(first)).min(axis=1, initial=len(first))
        reached = np.minimum(reached, first)
        if (reached == first).all():
            return first
        first = reached
