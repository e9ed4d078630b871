"""How a space is searched, by its size. Every number here was measured (docs/decisions).

1. **Exact**, up to `exact_rows`: the cosines of every row, by our own kernel (`store.vectors.exact`).
2. **Compressed**, above: codes of one bit and of four bits a dimension (`one_bit_codes`, `four_bit_codes`) give a
   shortlist, and that alone is scored exactly. The codes need no training but a mean, so a space grows into this tier
   and out of it without a pause.

A third tier with inverted lists (IVF) was measured and is not here: docs/decisions/no-inverted-lists.md says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Tier = Literal["exact", "compressed"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Where one tier ends and the next begins, and how much a shortlist holds.

    Only tests should make these small.

    Attributes:
        exact_rows: up to so many rows every row is scored: 300,000 x 512 take 8 ms on two cores, and a search a tenth
            of a second with all that is not scoring.
        subset_rows: up to so many rows that a filter keeps are scored without a look at their codes: of 1M x 512,
            50,000 took 8 ms so and 13 by their codes, 200,000 the same either way, 500,000 40 and 17.
        uncoded_rows: so many of the newest rows need no codes: they are scored with every search.
        min_candidates: of a term, however small the space is: more than the deepest page and its near-duplicates need.
        candidates_per_sqrt_rows: of a term, times the root of the rows. What an estimate is off by does not change with
            the size of a space, but how close the best lie to each other does. 10M x 512: 10 found 0.979 of the best,
            15 0.990.
        min_reranked: candidates that stay after reranking with four-bit codes; for a page `min_candidates`. Of 10,000
            and of 31,600, 128 lost none of a text's ten best.
        max_candidate_share: share of the rows; where more than that may match, all are scored.
        strong_margin_sigmas, maybe_margin_sigmas: how far below the threshold, and below the soft threshold, the
            shortlist begins, in standard errors of the estimates. See `store.vectors.shortlist` for what that loses.
        measured_rows: from so many on a space's search is measured when it is saved, which takes a second.
        max_deleted_share: of the rows on disk. With more, saving writes the file anew without them.
        unmapped_rows: so many rows stay in memory though an indexer has saved them meanwhile: 34 MB of x 512. With
            more, the files are opened again: ids and codes are read, and each row verified when it is next used.
        in_memory_bytes: files whose rows take up to so much are read whole when they are opened, and not mapped: 65,000
            x 512, in 20 ms. Nothing that happens to them afterwards matters.
    """

    exact_rows: int = 300_000
    subset_rows: int = 100_000
    uncoded_rows: int = 32_768
    min_candidates: int = 4_096
    candidates_per_sqrt_rows: int = 15
    min_reranked: int = 256
    max_candidate_share: float = 0.3
    strong_margin_sigmas: float = 2.0
    maybe_margin_sigmas: float = 1.0
    measured_rows: int = 10_000
    max_deleted_share: float = 0.2
    unmapped_rows: int = 32_768
    in_memory_bytes: int = 64 << 20

    def tier(self, rows: int) -> Tier:
        """The tier of a space of `rows` rows, once its codes are made."""
        return "exact" if rows <= self.exact_rows else "compressed"

    def candidates(self, rows: int, wanted: int, *, filtered: bool) -> int:
        """How many candidates to take by one-bit codes, for each term.

        For `wanted` hits of a space of so many rows. Of those that a filter keeps, twice as many as of all: on 1M x 512
        that made recall@10 0.984 into 0.99 and more.
        """
        per_term = max(self.min_candidates, self.candidates_per_sqrt_rows * math.isqrt(rows), 8 * wanted)
        return per_term * (2 if filtered else 1)

    def reranked(self, wanted: int, *, page: bool) -> int:
        """How many candidates of one term alone stay after reranking with four-bit codes."""
        return max(self.min_candidates if page else self.min_reranked, 8 * wanted)


DEFAULT = Policy()
