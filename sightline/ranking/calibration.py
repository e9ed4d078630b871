"""What a term's cosines mean: the cosine from which pictures match it.

A cosine alone says little. Texts and pictures have cosines of 0.1 to 0.3 in one space and of 0.05 in the next;
"a thing" suits every picture a little, "two red boats" suits few at all; and two pictures are always nearer to each
other than a picture to a text. So each term is calibrated against two distributions: its own cosines to a sample of
this library, and those of null queries, which ask for nothing in particular.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from store.arrays import Floats, Ids
from store.vectors.engine import VectorEngine

SAMPLE: Final = 4_096  # pictures; the quantiles used here are then right to about two hundredths of a deviation
MAX_PICTURE_NULLS: Final = 256
# In standard deviations, above the term's median and below the best null query (`NullStats.top`), which is about where
# matches lie. Chosen on drawn pictures of the demo world, whose captions are known; docs/search.md has the numbers.
Z_ABOVE_MEDIAN, Z_BELOW_MATCH = 3.2, 1.0
SOFT_Z_ABOVE_MEDIAN, SOFT_Z_BELOW_MATCH = 2.2, 2.0
# With fewer pictures than this a term's own distribution is an anecdote; the threshold comes from null queries alone.
FEW: Final = 16
# The deviation of null queries over the library is at least this share of their deviation on one picture.
LEAST_STD: Final = 0.25
# Nearer than this share of the distance between two pictures at random are two versions of one picture.
DUPLICATE_SHARE: Final = 0.03
_SIGMA: Final = 0.158655  # a normal distribution has this much below one deviation under its median
_TINY: Final = 1e-3  # cosines of half-precision vectors differ by about as much for no reason


@dataclass(frozen=True, slots=True)
class NullStats:
    """What null queries of one kind (texts or pictures) score in a library.

    Attributes:
        std: the median of their standard deviations over the library, each counted below the query's median.
        top: the median over pictures of the best null query's cosine: about what a right description scores.
    """

    std: float
    top: float


# Of a library with nothing to learn from: high and wide, so that little is called a match.
_UNKNOWN: Final = NullStats(0.1, 0.9)


@dataclass(frozen=True, slots=True)
class TermCalibration:
    """Turns one term's cosines into z-scores, in its standard deviations above the relevance threshold.

    z = (cosine - threshold) / scale, with

        scale     = sqrt(std of the term * std of the null queries)
        threshold = max(median + 3.2 * scale, top - 1.0 * std of the null queries)

    Both halves of the threshold are needed. The first asks a picture to stand out among the library's: a text that the
    model does not understand is about as near to all of them, and so is a text that suits all of them. The second
    asks it to be about as near as right descriptions are: even for a subject that the library lacks, some picture is
    the nearest, and stands out. Median, and deviation below it, because what matches the term, up to half of the
    library, must not move the threshold that it is measured by. The scale is the geometric mean of the term's own
    deviation and the usual one: the term's alone is very small for texts that mean nothing, and their noise would
    stand out by any number of deviations. Where the library's median itself passes the second half, most of it
    matches, and the first half has nothing to say.

    Standardising each term by its own distribution before combining is ZMUV of M. Montague and J. A. Aslam,
    "Relevance score normalization for metasearch", CIKM 2001; shrinking the deviation towards that of other queries
    and the threshold are our own, measured in docs/search.md.

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
    """What a library's cosines are calibrated against, in one space and generation.

    Attributes:
        picture_nulls: the statistics of pictures as null queries.
        duplicates: the cosine from which two pictures count as versions of one.
    """

    def __init__(self, sample: Floats) -> None:
        """`sample`: vectors of pictures of the library, float32 (n, dim), unit rows."""
        self._sample = sample
        self._text_nulls: NullStats | None = None
        self.picture_nulls = picture_null_stats(sample)
        self.duplicates = duplicate_threshold(sample)

    @classmethod
    def of(cls, engine: VectorEngine, absent: Ids) -> Calibration:
        """From a sample of an index, without the contents that no photo holds."""
        return cls(engine.sample(SAMPLE, without=absent)[1])

    def text_nulls(self, vectors: Floats) -> NullStats:
        """The statistics of texts as null queries, from their vectors, float32 (queries, dim)."""
        if self._text_nulls is None:
            known = len(self._sample) > 0
            self._text_nulls = null_stats(np.asarray(vectors @ self._sample.T, np.float32)) if known else _UNKNOWN
        return self._text_nulls

    def term(self, vector: Floats, nulls: NullStats) -> TermCalibration:
        """The calibration of a term, from its unit vector float32 (dim,) and the null queries of its kind."""
        return calibrate(np.asarray(self._sample @ vector, np.float32), nulls)


def calibrate(cosines: Floats, nulls: NullStats) -> TermCalibration:
    """The calibration of a term, from its cosines to a sample of the library, float32 (n,)."""
    if not len(cosines):
        return TermCalibration(nulls.top, nulls.top - nulls.std, nulls.std)
    median, std = median_and_lower_sigma(cosines)
    scale = float(np.sqrt(max(std, _TINY) * nulls.std))

    # The same question for both thresholds: texts that mean nothing lie under the first, and over the soft one.
    can_stand_out = len(cosines) >= FEW and median < nulls.top - Z_BELOW_MATCH * nulls.std

    def threshold(above_median: float, below_match: float) -> float:
        near_match = nulls.top - below_match * nulls.std
        return max(median + above_median * scale, near_match) if can_stand_out else near_match

    strong = threshold(Z_ABOVE_MEDIAN, Z_BELOW_MATCH)
    return TermCalibration(strong, min(strong, threshold(SOFT_Z_ABOVE_MEDIAN, SOFT_Z_BELOW_MATCH)), scale)


def null_stats(cosines: Floats) -> NullStats:
    """The statistics of null queries, from cosines to a sample, float32 (queries, n); NaN is left out."""
    medians = np.nanmedian(cosines, axis=1)
    std = float(np.median(medians - np.nanquantile(cosines, _SIGMA, axis=1)))
    # Pictures that are all alike, or a single one, have no deviation; that of the queries on one picture remains.
    among = float(np.median(np.nanstd(cosines, axis=0)))
    return NullStats(max(std, LEAST_STD * among, _TINY), float(np.median(np.nanmax(cosines, axis=0))))


def picture_null_stats(sample: Floats) -> NullStats:
    """The statistics of the library's own pictures as null queries: float32 (n, dim), unit rows.

    What counts as itself, or as a version of itself, is no query: everything would look far away beside it.
    """
    if len(sample) < 3:
        return _UNKNOWN
    queries = sample[:MAX_PICTURE_NULLS]
    cosines = np.asarray(queries @ sample.T, np.float32)
    cosines[cosines >= duplicate_threshold(sample)] = np.nan
    kept = cosines[:, ~np.isnan(cosines).all(axis=0)]
    kept = kept[~np.isnan(kept).all(axis=1)]
    return null_stats(kept) if kept.size else _UNKNOWN


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


def median_and_lower_sigma(cosines: Floats) -> tuple[float, float]:
    """The median, and the standard deviation below it."""
    median, low = np.quantile(cosines, (0.5, _SIGMA))
    return float(median), float(median - low)
