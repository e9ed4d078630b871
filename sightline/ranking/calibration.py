"""What a term's cosines mean: the cosine from which pictures match it.

A cosine alone says little. Texts and pictures have cosines of 0.1 to 0.3 in one space and of 0.05 in the next; "a
thing" suits every picture a little, "two red boats" suits few at all; and two pictures are always nearer to each
other than a picture to a text. So each term is calibrated against its own cosines to a sample of this library, and
against those of null queries: for words, of some hundred concrete things (`null_queries`), for pictures, of the
library's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Final

import numpy as np

from sightline.tiles.sample import TileSample, sample_size
from store.arrays import Floats, Ids
from store.vectors.engine import VectorEngine
from store.vectors.tiles import TileEngine

SAMPLE: Final = 4_096  # pictures; the quantiles used here are then right to about two hundredths of a deviation
MAX_PICTURE_NULLS: Final = 256
# In standard deviations above the median of the pictures that don't match: so far out lies one of thousands by chance.
Z_ABOVE_MEDIAN, SOFT_Z_ABOVE_MEDIAN = 3.2, 2.2
# In standard deviations below the best null query (`NullStats.top`), where nothing better is known. Chosen on drawn
# pictures of the demo world, whose captions are known; docs/search.md has the numbers.
Z_BELOW_TOP, SOFT_Z_BELOW_TOP = 1.0, 2.0
# In a picture's own standard deviations above the median of what other pictures score on it, where a picture may be
# of the same thing: of normally distributed ones, two of a hundred lie further out. Null queries of pictures are the
# library's own, and some of them always show the same thing; so this is far below what no chance could reach.
Z_ABOVE_PICTURES: Final = 2.0
# Fewer null queries than this tell no quantile.
FEW_NULLS: Final = 32
# In a picture's own standard deviations, how much lower than its level a text may be that may describe it.
SOFT_Z_BELOW_LEVEL: Final = 1.0
# The quantile of a picture's cosines to null queries that tells their deviation: above the bulk of what does not
# describe it, below the few that do.
BULK: Final = 0.9
_BULK_Z: Final = NormalDist().inv_cdf(BULK)
# A space understands null queries where at least this share of them means something of its own.
UNDERSTOOD: Final = 0.5
# Of pictures that don't show it, the share that reaches the soft threshold of one label by chance.
CHANCE: Final = 1 - NormalDist().cdf(SOFT_Z_ABOVE_MEDIAN)
# With fewer pictures than this a term's own distribution is an anecdote; the threshold comes from null queries alone.
FEW: Final = 16
# So many of the nearest pictures say where the threshold of a term lies that no picture matches.
_NEAREST: Final = 5
# The deviation of null queries over the library is at least this share of their deviation on one picture.
LEAST_STD: Final = 0.25
# Nearer than this share of the distance between two pictures at random are two versions of one picture.
DUPLICATE_SHARE: Final = 0.03
_SIGMA: Final = NormalDist().cdf(-1)  # a normal distribution has this much below one deviation under its median
_TINY: Final = 1e-3  # cosines of half-precision vectors differ by about as much for no reason


@dataclass(frozen=True, slots=True)
class NullStats:
    """What null queries of one kind (texts or pictures) score in a library.

    Attributes:
        std: the median of their standard deviations over the library, each counted below the query's median.
        top: the median over pictures of the best null query's cosine: about what a right description scores.
        levels: for each picture of the sample, the cosine from which a query may mean it, float32 (n,); None where that
            can't be told.
        spreads: for each picture, the standard deviation of its cosines to null queries, float32 (n,); None likewise.
    """

    std: float
    top: float
    levels: Floats | None = None
    spreads: Floats | None = None


# Of a library with nothing to learn from: high and wide, so that little is called a match.
_UNKNOWN: Final = NullStats(0.1, 0.9)


@dataclass(frozen=True, slots=True)
class TermCalibration:
    """Turns one term's cosines into z-scores, in its standard deviations above the relevance threshold.

    z = (cosine - threshold) / scale. A picture of the sample matches where its cosine reaches both

        level of the picture        the cosine from which a text describes it: see `text_null_stats`; or from which
                                    another picture shows the same: see `picture_null_stats`
        median + 3.2 * scale        of the pictures that don't reach their level, where there are some;
                                    scale = sqrt(std of these * std of the null queries)

    and the threshold is the cosine that parts the sample into matches and others best, by the F1 measure: one number,
    so that the order stays that of the cosines.

    Both halves are needed. The first asks the text to describe the picture better than what does not describe it
    could by chance, whatever the library: a folder with nothing but dogs matches "a dog". The second asks the picture
    to stand out among the library's: a text that the model does not understand is about as near to all of them, and
    so is a text that suits all of them. Median, and deviation below it, of what does not match, because what matches,
    up to all of the library, must not move the threshold that it is measured by. The scale is the geometric mean of
    the term's own deviation and the usual one: the term's alone is very small for texts that mean nothing, and their
    noise would stand out by any number of deviations.

    Where levels of pictures can't be told, one of all stands for them: the best null query's cosine, 1.0 deviations
    less.

    Standardising each term by its own distribution before combining is ZMUV of M. Montague and J. A. Aslam,
    "Relevance score normalization for metasearch", CIKM 2001; shrinking the deviation towards that of other queries
    and the levels are our own, measured in docs/search.md and docs/decisions/calibration-by-null-queries.md.

    Attributes:
        threshold: cosine from which a picture is a match.
        soft_threshold: cosine from which it may be one; not above `threshold`.
        scale: cosine that one standard deviation is.
    """

    threshold: float
    soft_threshold: float
    scale: float

    def z_score(self, cosines: Floats) -> Floats:
        """Z-scores of cosines, float32 of the same shape."""
        return np.asarray((cosines - np.float32(self.threshold)) / np.float32(self.scale), np.float32)

    @property
    def soft_z(self) -> float:
        """The z-score from which a picture may match: 0 or below."""
        return (self.soft_threshold - self.threshold) / self.scale


class Calibration:
    """What a library's cosines are calibrated against, in one space and generation."""

    def __init__(self, sample: Floats, tiles: TileSample | None = None) -> None:
        """Take a sample of the library.

        Args:
            sample: vectors of pictures, float32 (n, dim), unit rows.
            tiles: those of these pictures, where terms look at tiles.
        """
        self._sample = sample
        self._tiles = tiles
        self._text_nulls: NullStats | None = None

    @cached_property
    def picture_nulls(self) -> NullStats:
        """The statistics of pictures as null queries, computed in 0.05 s for the first term that is one."""
        return picture_null_stats(self._sample, self._tiles)

    @classmethod
    def of(cls, engine: VectorEngine, absent: Ids, tiles: TileEngine | None = None) -> Calibration:
        """From a sample of an index and the tiles of these pictures, without contents that no photo holds."""
        if tiles is None:
            return cls(engine.sample(SAMPLE, without=absent)[1])
        ids, sample = engine.sample(sample_size(tiles, SAMPLE), without=absent)
        return cls(sample, TileSample.of(tiles, ids))

    def text_nulls(self, vectors: Floats) -> NullStats:
        """The statistics of texts as null queries, from their vectors, float32 (queries, dim)."""
        if self._text_nulls is None:
            known = len(self._sample) > 0
            self._text_nulls = text_null_stats(vectors, self._sample, self._tiles) if known else _UNKNOWN
        return self._text_nulls

    def label_thresholds(self, vectors: Floats, nulls: NullStats) -> Floats:
        """See `label_threshold`: for labels with these unit vectors, float32 (labels, dim); float32 (labels,)."""
        cosines = np.asarray(vectors @ self._sample.T, np.float32)
        return np.array([label_threshold(row, nulls, len(vectors)) for row in cosines], np.float32)

    def term(self, vector: Floats, nulls: NullStats) -> TermCalibration:
        """The calibration of a term, from its unit vector float32 (dim,) and the null queries of its kind."""
        cosines = np.asarray(self._sample @ vector, np.float32)
        if self._tiles is not None:
            self._tiles.raise_to_best(vector[None], cosines[None])
        return calibrate(cosines, nulls)


def calibrate(cosines: Floats, nulls: NullStats) -> TermCalibration:
    """The calibration of a term, from its cosines to the sample that `nulls` are of, float32 (n,)."""
    if not len(cosines):
        return TermCalibration(nulls.top, nulls.top - nulls.std, nulls.std)
    levels, soft_levels = _levels(len(cosines), nulls)
    others = cosines[cosines < levels]
    median, scale = -1.0, nulls.std
    # The same question for both thresholds: texts that mean nothing lie under the first, and over the soft one.
    if len(others) >= FEW:
        median, low = np.quantile(others, (0.5, _SIGMA))
        scale = float(np.sqrt(max(median - low, _TINY) * nulls.std))
    strong, soft = (
        threshold(cosines, np.maximum(own, np.float32(median + z * scale)))
        for own, z in ((levels, Z_ABOVE_MEDIAN), (soft_levels, SOFT_Z_ABOVE_MEDIAN))
    )
    return TermCalibration(strong, min(strong, soft), scale)


def label_threshold(cosines: Floats, nulls: NullStats, labels: int) -> float:
    """The cosine from which a picture may be called by one of `labels`: from its cosines to a sample.

    It is lower than the threshold of a search, for here the label has rivals: where a text may describe the picture
    (the soft level), and where the picture stands out. The best of many labels has many tries to stand out by chance,
    fewer than there are labels, since these are alike. So the second half is `CHANCE / sqrt(labels)`, one-sided, of a
    normal distribution, in standard deviations above the median of what does not match; the deviation is that of what
    lies above it. (All of the labels, not their root, would be C. E. Bonferroni's correction, 1936: of 30 labels it
    takes twice as many right ones away.)
    """
    if not len(cosines):
        return nulls.top - nulls.std
    levels, needed = _levels(len(cosines), nulls)
    others = cosines[cosines < levels]
    if len(others) >= FEW:
        median, high = np.quantile(others, (0.5, 1 - _SIGMA))
        z = NormalDist().inv_cdf(1 - CHANCE / math.sqrt(labels))
        needed = np.maximum(needed, np.float32(median + z * np.sqrt(max(high - median, _TINY) * nulls.std)))
    return threshold(cosines, needed)


def _levels(count: int, nulls: NullStats) -> tuple[Floats, Floats]:
    """The levels of a sample's pictures, and those from which a text may describe them, float32 (count,)."""
    if nulls.levels is None or nulls.spreads is None:
        level, soft = (np.float32(nulls.top - below * nulls.std) for below in (Z_BELOW_TOP, SOFT_Z_BELOW_TOP))
        return np.full(count, level), np.full(count, soft)
    return nulls.levels, nulls.levels - np.float32(SOFT_Z_BELOW_LEVEL) * nulls.spreads


def threshold(cosines: Floats, needed: Floats) -> float:
    """The cosine that parts pictures that match from others best.

    From cosines and what each needs to match, both float32 (n,). Of those above it, and those that match, the F1
    measure is greatest. Where none matches, it is what the nearest pictures need, by their median, above all cosines.
    """
    if (needed == needed[0]).all():
        return float(needed[0])
    order = np.argsort(-cosines, kind="stable")
    ordered, matches = cosines[order], (cosines >= needed)[order]
    # Never on a picture's cosine: what rounds differently elsewhere must not decide.
    if not matches.any():
        return max(float(np.median(needed[order[:_NEAREST]])), float(ordered[0]) + _TINY)
    f1 = np.cumsum(matches) / (np.arange(1, len(cosines) + 1) + np.count_nonzero(matches))
    last = int(f1.argmax())
    below = ordered[last + 1] if last + 1 < len(ordered) else min(ordered[last], needed.min())
    return (float(ordered[last]) + float(below)) / 2


def text_null_stats(vectors: Floats, sample: Floats, tiles: TileSample | None = None) -> NullStats:
    """The statistics of texts as null queries (queries, dim) in a library's sample (n, dim), unit rows.

    With `tiles`, those of the sample's pictures, cosines are those of the best of each picture and its tiles.

    The level of a picture is the median of its cosines to the null queries plus sqrt(2 ln queries) standard
    deviations: the least upper bound, as their number grows, of so many that are normally distributed and don't
    describe it (the universal threshold of D. L. Donoho and I. M. Johnstone, "Ideal spatial adaptation by wavelet
    shrinkage", Biometrika 81, 1994, section 2). The deviation is that of the bulk of the cosines, taken from their
    `BULK` quantile: those that describe the picture do not raise it.

    Where the space understands few of the null queries, most of them are one blob, and their cosines to a picture tell
    nothing: there are no levels then.
    """
    cosines = _cosines(vectors, sample, tiles)
    stats = null_stats(cosines)
    if not understands(vectors):
        return stats
    return _with_levels(stats, cosines, math.sqrt(2 * math.log(len(vectors))))


def _cosines(queries: Floats, sample: Floats, tiles: TileSample | None) -> Floats:
    cosines = np.asarray(queries @ sample.T, np.float32)
    return cosines if tiles is None else tiles.raise_to_best(queries, cosines)


def _with_levels(stats: NullStats, cosines: Floats, z: float) -> NullStats:
    """Statistics with levels `z` deviations above the median: cosines (queries, n); NaN is left out."""
    quantile = np.nanquantile if np.isnan(cosines).any() else np.quantile
    median, high = quantile(cosines, (0.5, BULK), axis=0)
    spreads = np.maximum((high - median) / _BULK_Z, _TINY)
    return replace(stats, levels=np.asarray(median + z * spreads, np.float32), spreads=np.asarray(spreads, np.float32))


def understands(vectors: Floats) -> bool:
    """Whether a space has a meaning of its own for most of these texts: float32 (n, dim), unit rows.

    By their effective number, (sum d)^2 / sum d^2 over the squared distances d from their mean (the inverse
    participation ratio): texts that mean nothing to a model lie close together. It is 530 of 531 for a text tower of
    a hundred languages and 172 for the demo model, which was taught a hundred words.
    """
    distances = np.square(vectors - vectors.mean(axis=0)).sum(axis=1, dtype=np.float64)
    return bool(distances.sum() ** 2 >= UNDERSTOOD * len(vectors) * np.square(distances).sum())


def null_stats(cosines: Floats) -> NullStats:
    """The statistics of null queries, from cosines to a sample, float32 (queries, n); NaN is left out."""
    # Where nothing is left out, as of texts, the plain functions give the same in a quarter of the time.
    has_gaps = bool(np.isnan(cosines).any())
    medians = (np.nanmedian if has_gaps else np.median)(cosines, axis=1)
    lows = (np.nanquantile if has_gaps else np.quantile)(cosines, _SIGMA, axis=1)
    std = float(np.median(medians - lows))
    # Pictures that are all alike, or a single one, have no deviation; that of the queries on one picture remains.
    among = float(np.median(np.nanstd(cosines, axis=0)))
    return NullStats(max(std, LEAST_STD * among, _TINY), float(np.median(np.nanmax(cosines, axis=0))))


def picture_null_stats(sample: Floats, tiles: TileSample | None = None) -> NullStats:
    """The statistics of the library's own pictures as null queries: float32 (n, dim), unit rows.

    With `tiles` as for `text_null_stats`.

    What counts as itself, or as a version of itself, is no query: everything would look far away beside it. The level
    of a picture is `Z_ABOVE_PICTURES` deviations above the median of its cosines to the others.
    """
    if len(sample) < 3:
        return _UNKNOWN
    queries = sample[:MAX_PICTURE_NULLS]
    cosines = _cosines(queries, sample, tiles)
    cosines[cosines >= duplicate_threshold(sample)] = np.nan
    known = ~np.isnan(cosines)
    kept = cosines[known.any(axis=1)][:, known.any(axis=0)]
    if not kept.size:
        return _UNKNOWN
    stats = null_stats(kept)
    known_enough = known.sum(axis=0) >= FEW_NULLS
    if known_enough.sum() < FEW_NULLS:
        return stats
    some = _with_levels(stats, cosines[:, known_enough], Z_ABOVE_PICTURES)
    # Of a picture with many versions hardly any null query is left: its level is the usual one.
    levels, spreads = (
        np.full(len(sample), np.median(each), np.float32) for each in (some.levels, some.spreads) if each is not None
    )
    levels[known_enough], spreads[known_enough] = some.levels, some.spreads
    return replace(some, levels=levels, spreads=spreads)


def duplicate_threshold(sample: Floats) -> float:
    """The cosine from which two pictures of a space count as versions of one: float32 (n, dim), unit rows.

    1 - 0.03 * (1 - mean cosine of two pictures at random). In squared distance, 2 - 2 cos, that is 3 % of the usual
    one, whatever the space. On demo pictures, pictures saved anew, shrunk, or 10 % brighter stay above it and 2 % of
    different drawings of the same scene do; docs/search.md.
    """
    if len(sample) < 2:
        return 1.0 - DUPLICATE_SHARE * 0.5
    wide = sample[:MAX_PICTURE_NULLS].astype(np.float64)
    count = len(wide)
    # The mean over all pairs, from the sum vector: |sum|^2 counts each pair twice and each picture with itself once.
    mean = (np.square(wide.sum(axis=0)).sum() - np.square(wide).sum()) / (count * (count - 1))
    return float(1.0 - DUPLICATE_SHARE * (1.0 - np.clip(mean, -1.0, 0.95)))
