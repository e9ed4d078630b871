"""The shortlist of a query in a large space: rows to score exactly, found by their codes.

The shortlist of a query is the top max(4,096, 15 * sqrt(N)) rows by the cosine that their one-bit codes estimate, plus
every row whose estimate could still pass the threshold. Estimates are unbiased; their standard error (sigma) is
measured for each query on 1,024 rows. The cut-off is the threshold minus 2 sigma for matches, and the soft threshold
minus 1 sigma for possible matches.

The shortlist of a query that is asked alone is then reranked with four-bit codes, whose error is seven times smaller,
and cut by the same rule: to 4,096 rows for a page, to 256 where only the nearest are wanted.

Recall is above 99 % for matches and about 93 % for possible matches; missed pictures appear below the threshold.
`store.vectors.policy` has the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from store.arrays import Floats, Ids, Rows
from store.vectors.engine import Threshold
from store.vectors.one_bit_codes import OneBitCodes
from store.vectors.policy import Policy
from store.vectors.snapshot import Snapshot

# Rows that say how a query's estimates are spread; what 1 % of all reach is then right to a twenty-fifth of itself.
SAMPLE: Final = 65_536
ERROR_SAMPLE: Final = 1_024  # of those, the ones that say how far estimates are off, to a fiftieth of itself


def shortlist(
    snapshot: Snapshot, queries: Floats, groups: Sequence[Sequence[Threshold]], *, policy: Policy, wanted: int,
    only: Ids | None = None, absent: Ids | None = None,
) -> Ids | None:  # fmt: skip
    """Content ids of the rows that may be hits; None to score everything. See `VectorEngine.shortlist`.

    Rows above a strong threshold are included except 2.3 % (one-sided 2 sigma) of those exactly at it, and rows above a
    soft one except 16 % (1 sigma) of those exactly at it, which is about 7 % of all between the two: that far down
    pictures lie close together, and losing none would take twice as many.

    Args:
        snapshot: the vectors, with one-bit codes.
        queries: float32 (m, dim), unit rows, m > 0.
        groups: of these the one that the fewest rows reach is used; empty for the nearest alone.
        policy: how many to take.
        wanted: how many hits are asked for.
        only: content ids to choose from, without repeats; None for all.
        absent: content ids that are not wanted. Some may be among the shortlist; they take nobody's place.

    Raises:
        DamagedRowsError: a row that was read is not what was written.
    """
    codes, lookup = snapshot.codes, snapshot.lookup
    if codes is None:  # a damaged row was found, and the rows were made again without codes
        return None
    rows = coded = None
    if only is not None:
        rows = lookup.rows_of(only)
        rows = rows[rows >= 0]
        coded = rows[rows < len(codes)]
    total = len(codes) if coded is None else len(coded)
    sample = _evenly(total, SAMPLE)
    # Without deleted rows: they may be all that is near, and would take the candidates' places.
    sample = lookup.drop_deleted(sample) if coded is None else coded[sample]
    if not len(sample):
        return None
    count = policy.candidates(len(codes), wanted, filtered=only is not None)
    if count >= policy.max_candidate_share * total:
        return None

    estimates = [QueryEstimates(codes, query, sample) for query in queries]
    floors = [each.quantile(count / total) for each in estimates]
    error_rows = sample[_evenly(len(sample), ERROR_SAMPLE)]
    narrowest: Sequence[Threshold] = ()
    if groups:
        cosines = snapshot.rows.cosines(error_rows, queries)
        cuts = [_cut_off(group, estimates, cosines, error_rows, policy) for group in groups]
        share, group_floors, narrowest = min(cuts, key=lambda cut: cut[0])
        if share > policy.max_candidate_share:
            return None
        for query, floor in group_floors:
            floors[query] = min(floors[query], floor)
    found = [
        codes.rows_with_estimate_at_least(floor, each.query, coded)
        for each, floor in zip(estimates, floors, strict=True)
    ]
    if len(found) == 1:
        reranked = policy.reranked(wanted, page=bool(groups))
        candidates = lookup.drop_absent(found[0], absent)
        candidates = _rerank(snapshot, candidates, queries[0], narrowest, error_rows, policy, reranked)
    else:  # what is good to several terms at once may be among the first of none
        candidates = np.unique(np.concatenate(found))
    return snapshot.content_ids(candidates, rows)


def _evenly(total: int, most: int) -> Rows:
    """Up to `most` places, spread evenly over 0 to `total`."""
    count = min(total, most)
    return np.arange(count) * total // count if count else np.empty(0, np.int64)


class QueryEstimates:
    """The estimated cosines of a query to a sample of the rows.

    Attributes:
        query: the query, quantized.
        estimates: float32 (sample,).
    """

    def __init__(self, codes: OneBitCodes, query: Floats, sample: Rows) -> None:
        self.query = codes.quantizer.quantize_query(query)
        self.estimates = codes.estimates(self.query, sample)
        self._codes = codes

    def quantile(self, share: float) -> float:
        """The estimate that about this share of the rows reaches."""
        place = len(self.estimates) - max(1, round(share * len(self.estimates)))
        return float(np.partition(self.estimates, place)[place])

    def errors(self, rows: Rows, cosines: Floats) -> Floats:
        """Estimates of rows minus their cosines, float32 (n,)."""
        return np.asarray(self._codes.estimates(self.query, rows) - cosines, np.float32)


def _cut_off(
    group: Sequence[Threshold], estimates: Sequence[QueryEstimates], cosines: Floats, rows: Rows, policy: Policy
) -> tuple[float, list[tuple[int, float]], Sequence[Threshold]]:
    """The share of the rows that may reach a group, and the estimates from which they may.

    Those are by query; the group itself comes last. `cosines` float32 (m, n) are those of some rows to each query, from
    which the estimates' error is measured.
    """
    share, floors = 0.0, []
    for threshold in group:
        own = estimates[threshold.query]
        floor = _floor(threshold, own.errors(rows, cosines[threshold.query]), policy)
        share += float((own.estimates >= floor).mean())
        floors.append((threshold.query, floor))
    return share, floors, group


def _floor(threshold: Threshold, errors: Floats, policy: Policy) -> float:
    """The estimate from which a row may reach a threshold, by the errors of some estimates."""
    mean, sigma = float(errors.mean()), float(errors.std())
    return mean + min(
        threshold.strong - policy.strong_margin_sigmas * sigma, threshold.maybe - policy.maybe_margin_sigmas * sigma
    )


def _rerank(
    snapshot: Snapshot, found: Rows, query: Floats, thresholds: Sequence[Threshold], error_rows: Rows, policy: Policy,
    count: int,
) -> Rows:  # fmt: skip
    """The best `count` of the rows that were found, by four-bit codes, and all that may reach a threshold.

    Rows without a four-bit code, or with a damaged one, stay.
    """
    fine = snapshot.fine
    if fine is None or len(found) <= count:
        return found
    coded = found < len(fine)
    coded[coded] = fine.verified(found[coded])
    candidates, error_rows = found[coded], error_rows[error_rows < len(fine)]
    error_rows = error_rows[fine.verified(error_rows)]
    if len(candidates) <= count or (thresholds and not len(error_rows)):
        return found
    estimates = fine.estimates(query, candidates)
    floor = float(np.partition(estimates, len(candidates) - count)[len(candidates) - count])
    if thresholds:
        errors = fine.estimates(query, error_rows) - snapshot.rows.cosines(error_rows, query[None])[0]
        floor = min(floor, *(_floor(threshold, errors, policy) for threshold in thresholds))
    return np.concatenate([candidates[estimates >= floor], found[~coded]])
