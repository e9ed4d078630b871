"""What a term's cosines mean: where, on its own scale, pictures begin to match it.

A cosine alone says little. Texts and pictures lie around 0.1 to 0.3 of each other in one space and around 0.05 in the
next; "a thing" suits every picture a little, "two red boats" suits few at all; and two pictures are always nearer to
each other than a picture to a text. So nothing is compared before it is measured against two things: the term's own
cosines to this library, and those of null queries, which ask for nothing in particular.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from store.arrays import Floats, Ids
from store.vectors.index import VectorIndex

SAMPLE: Final = 4_096  # pictures; the quantiles used here are then right to about two hundredths of a deviation
MAX_PICTURE_NULLS: Final = 256
# In deviations. Chosen on drawn pictures of the demo world, whose captions are known; docs/search.md has the numbers.
STRONG_RISE, STRONG_DROP = 3.2, 1.0
MAYBE_RISE, MAYBE_DROP = 2.2, 2.0
# With fewer pictures than this a term's own distribution is an anecdote; the null queries alone draw the line.
FEW: Final = 16
# A level's spread is at least this share of the deviation among null queries on one picture.
LEAST_SPREAD: Final = 0.25
# Nearer than this share of the distance between two pictures at random are two versions of one picture.
DUPLICATE_SHARE: Final = 0.03
_SIGMA: Final = 0.158655  # a normal distribution has this much below one deviation under its middle
_TINY: Final = 1e-3  # cosines of half-precision vectors differ by about as much for no reason


@dataclass(frozen=True, slots=True)
class Level:
    """What null queries of one kind (texts or pictures) score in a library.

    Attributes:
        spread: the usual deviation of one query's cosines over the library, counted below its median.
        match: how high the best of all null queries lies for a picture, in the middle: about what a description that
            is right scores.
    """

    spread: float
    match: float


# Of a library with nothing to learn from: high and wide, so that little is called a match.
_UNKNOWN: Final = Level(0.1, 0.9)


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns one term's cosines into standard scores u: 0 at the relevance line, in deviations of the term.

    u = (s - line) / scale, with

        scale = sqrt(spread of the term * spread of the null queries)
        line  = max(median + 3.2 * scale, match - 1.0 * spread of the null queries)

    Both halves of the line are needed. The first asks a picture to stand out among the library's: a text that the
    model does not understand is about as near to all of them, and so is a text that suits all of them. The second
    asks it to be about as near as right descriptions are: of a subject that the library lacks something is always the
    nearest, and stands out. Median, and deviation below it, because what matches the term, up to half of the
    library, must not move the line that it is measured by. The scale is the geometric mean of the term's own spread and
    the usual one: the own one alone is very small for texts that mean nothing, and their noise would stand out by any
    number of deviations. Where the library's median itself passes the second half, most of it matches, and the first
    half has nothing to say.

    Standardising each term by its own distribution before combining is ZMUV of M. Montague and J. A. Aslam,
    "Relevance score normalization for metasearch", CIKM 2001; shrinking the deviation towards that of other queries
    and the line are our own, measured in docs/search.md.

    Attributes:
        line: cosine from which a picture matches strongly.
        maybe: cosine from which it may match; not above `line`.
        scale: cosine that one deviation is.
    """

    line: float
    maybe: float
    scale: float

    def standard(self, cosines: Floats) -> Floats:
        """Standard scores of cosines, float32 of the same shape."""
        return np.asarray((cosines - np.float32(self.line)) / np.float32(self.scale), np.float32)

    @property
    def maybe_standard(self) -> float:
        """The standard score from which a picture may match: 0 or below."""
        return (self.maybe - self.line) / self.scale


class Calibration:
    """What a library's cosines are measured against, in one space and generation.

    Attributes:
        pictures: the level of picture terms.
        duplicates: the cosine from which two pictures count as versions of one.
    """

    def __init__(self, sample: Floats) -> None:
        """`sample`: vectors of pictures of the library, float32 (n, dim), unit rows."""
        self._sample = sample
        self._texts: Level | None = None
        self.pictures = level_of_pictures(sample)
        self.duplicates = duplicate_threshold(sample)

    @classmethod
    def of(cls, index: VectorIndex, absent: Ids) -> Calibration:
        """From a sample of an index, without the contents that no photo holds."""
        return cls(index.sample(SAMPLE, without=absent)[1])

    def texts(self, nulls: Floats) -> Level:
        """The level of text terms, from the vectors of the null queries, float32 (queries, dim)."""
        if self._texts is None:
            self._texts = level_of(np.asarray(nulls @ self._sample.T, np.float32)) if len(self._sample) else _UNKNOWN
        return self._texts

    def scale(self, vector: Floats, level: Level) -> Scale:
        """The scale of a term, from its unit vector float32 (dim,) and the level of its kind."""
        return scale_of(np.asarray(self._sample @ vector, np.float32), level)


def scale_of(cosines: Floats, level: Level) -> Scale:
    """The scale of a term from its cosines to a sample of the library, float32 (n,)."""
    if not len(cosines):
        return Scale(level.match, level.match - level.spread, level.spread)
    median, spread = _middle(cosines)
    scale = float(np.sqrt(max(spread, _TINY) * level.spread))

    # The same question for both lines: texts that mean nothing lie under the strong one, and over the other.
    can_stand_out = len(cosines) >= FEW and median < level.match - STRONG_DROP * level.spread

    def line(rise: float, drop: float) -> float:
        reached = level.match - drop * level.spread
        return max(median + rise * scale, reached) if can_stand_out else reached

    strong = line(STRONG_RISE, STRONG_DROP)
    return Scale(strong, min(strong, line(MAYBE_RISE, MAYBE_DROP)), scale)


def level_of(cosines: Floats) -> Level:
    """The level of null queries from their cosines to a sample, float32 (queries, n); NaN where one is not to count."""
    medians = np.nanmedian(cosines, axis=1)
    spread = float(np.median(medians - np.nanquantile(cosines, _SIGMA, axis=1)))
    # Pictures that are all alike, or a single one, have no spread; how far apart queries lie on one picture remains.
    among = float(np.median(np.nanstd(cosines, axis=0)))
    return Level(max(spread, LEAST_SPREAD * among, _TINY), float(np.median(np.nanmax(cosines, axis=0))))


def level_of_pictures(sample: Floats) -> Level:
    """The level of the library's own pictures as null queries: float32 (n, dim), unit rows.

    What counts as itself, or as a version of itself, is no query: everything would look far away beside it.
    """
    if len(sample) < 3:
        return _UNKNOWN
    queries = sample[:MAX_PICTURE_NULLS]
    cosines = np.asarray(queries @ sample.T, np.float32)
    cosines[cosines >= duplicate_threshold(sample)] = np.nan
    kept = cosines[:, ~np.isnan(cosines).all(axis=0)]
    kept = kept[~np.isnan(kept).all(axis=1)]
    return level_of(kept) if kept.size else _UNKNOWN


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


def _middle(cosines: Floats) -> tuple[float, float]:
    """The median and the deviation below it."""
    median, low = np.quantile(cosines, (0.5, _SIGMA))
    return float(median), float(median - low)
