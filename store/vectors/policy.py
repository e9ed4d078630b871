"""Which way a space is searched, by its size: one policy, every number of it measured (docs/benchmarks.md).

1. **Exact**, up to `exact_rows`: the cosines of every row, by our own kernel (`store.vectors.exact`).
2. **Compressed**, above: one bit a dimension (`one_bit_codes`) says which rows may be among the best, four bits
   (`four_bit_codes`) which of those, and they alone are scored exactly. No training but a mean, so a space grows
   into it and out of it without a pause.

A third way, with lists of neighbours (IVF), is not here: docs/benchmarks.md says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Tier = Literal["exact", "compressed"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Where one way of searching ends and the next begins. Tests make these small; nothing else should.

    Attributes:
        exact_rows: up to so many rows every row is scored: 300,000 x 512 take 8 ms on two cores, and a search a tenth
            of a second with all that is not scoring.
        subset_rows: up to so many rows that a filter keeps are scored without a look at their codes: of 1M x 512,
            50,000 took 8 ms so and 13 by their codes, 200,000 the same either way, 500,000 40 and 17.
        uncoded_rows: so many of the newest rows need no codes: they are scored with every search.
        least_candidates: of a term, however small the space is: more than the deepest page and its folding look at.
        root_candidates: of a term, times the root of the rows. What an estimate is off by does not change with the size
            of a space, but how close the best lie to each other does. 10M x 512: 10 found 0.979 of the best, 15 0.990.
        least_kept: of the candidates, by their finer codes; for a page the least candidates. Of 10,000 and of 31,600,
            128 lost none of a text's ten best.
        widest: share of the rows; where more than that may match, all are scored.
        margin, near_margin: how far below the relevance line, and below what is near it, candidates begin, in
            deviations of what estimates are off by. See `store.vectors.shortlist.likely` for what that loses.
        measured_rows: from so many on a space's search is measured when it is saved, which takes a second.
        dead_share: of the rows on disk. With more, saving writes the file anew without them.
        unmapped_rows: so many rows stay in memory though an indexer has saved them meanwhile: 34 MB of x 512. With
            more, the files are opened again: ids and codes are read, and each row verified when it is next used.
    """

    exact_rows: int = 300_000
    subset_rows: int = 100_000
    uncoded_rows: int = 32_768
    least_candidates: int = 4_096
    root_candidates: int = 15
    least_kept: int = 256
    widest: float = 0.3
    margin: float = 2.0
    near_margin: float = 1.0
    measured_rows: int = 10_000
    dead_share: float = 0.2
    unmapped_rows: int = 32_768

    def tier(self, rows: int) -> Tier:
        """The way a space of so many rows is searched, once its codes are made."""
        return "exact" if rows <= self.exact_rows else "compressed"

    def candidates(self, rows: int, wanted: int, *, filtered: bool) -> int:
        """How many rows to look at closer for each term, for `wanted` hits of a space of so many rows.

        Of those that a filter keeps, twice as many as of all: on 1M x 512 that made recall@10 0.984 into 0.99 and more.
        """
        return max(self.least_candidates, self.root_candidates * math.isqrt(rows), 8 * wanted) * (2 if filtered else 1)

    def kept(self, wanted: int, *, page: bool) -> int:
        """How many candidates to score exactly, of one term alone, once their finer codes are known."""
        return max(self.least_candidates if page else self.least_kept, 8 * wanted)


DEFAULT = Policy()
