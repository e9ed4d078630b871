"""Which pictures may be among a query's hits, from their codes: those are then scored exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from store.arrays import Floats, Ids
from store.vectors.one_bit_codes import Codes
from store.vectors.policy import Policy

if TYPE_CHECKING:
    from store.vectors.index import VectorIndex

# Rows that say how a query's estimates are spread; what 1 % of all reach is then right to a twenty-fifth of itself.
SAMPLE: Final = 65_536
EXACT_SAMPLE: Final = 1_024  # of those, the ones that say how far estimates are off, to a fiftieth of itself


@dataclass(frozen=True, slots=True)
class Goal:
    """What a hit has to reach of one query.

    Attributes:
        query: its row.
        line: the cosine of a match.
        near: the cosine from which it may be one; not above `line`.
    """

    query: int
    line: float
    near: float


def likely(
    index: VectorIndex, queries: Floats, groups: Sequence[Sequence[Goal]], *, wanted: int,
    only: Ids | None = None, absent: Ids | None = None,
) -> Ids | None:  # fmt: skip
    """Content ids of what may be among the nearest to any of the queries, or reach its line; None to score everything.

    What reaches a line is among them, but for one in 44 of what lies right on it and hardly any above: candidates begin
    two deviations of the estimates' error below it. They begin one below what is near the line, which loses one in six
    of what lies right there, and one in fifteen or so of all that is near: that far down pictures lie close together,
    and losing none would take twice as many. Of a query alone the same is asked once more by finer codes, where rows
    have them; their error is a seventh.

    Args:
        index: the vectors.
        queries: float32 (m, dim), unit rows.
        groups: a hit has to reach one goal of each. The group that fewest reach is looked at; none for the nearest
            alone.
        wanted: how many hits are asked for; more are looked at (`Policy.candidates`, `Policy.kept`).
        only: content ids to choose from, without repeats; None for all.
        absent: content ids that are not wanted. Some may be among what is found; they take nobody's place.

    Returns:
        int64 (n,), in no order that means anything; the same for the same index and the same arguments.
    """
    policy = index.policy
    if index.tier == "exact" or not len(queries) or (only is not None and len(only) <= policy.subset_rows):
        return None

    def read() -> tuple[Ids, Callable[[], Ids | None]]:
        located, codes = index.located(), index.codes
        if codes is None:  # a damaged row was found, by this very search or by another: the index is made again
            return np.empty(0, np.int64), lambda: None
        rows = None
        if only is not None:
            rows = located.of(only)
            rows = rows[rows >= 0]
        coded = None if rows is None else rows[rows < len(codes)]
        total = len(codes) if coded is None else len(coded)
        if not total:
            return np.empty(0, np.int64), lambda: None
        many = min(total, SAMPLE)
        sample = np.arange(many) * total // many
        # Of the living alone: rows that are gone may be all that is near, and would take the candidates' places.
        sample = index.alive(sample) if coded is None else coded[sample]
        many = len(sample)
        if not many:
            return np.empty(0, np.int64), lambda: None
        exact = sample[np.arange(min(many, EXACT_SAMPLE)) * many // min(many, EXACT_SAMPLE)]

        def work() -> Ids | None:
            sieves = [_Sieve(codes, query, sample) for query in queries]
            count = policy.candidates(len(codes), wanted, filtered=only is not None)
            if count >= policy.widest * total:
                return None
            floors = [sieve.reached_by(count / total) for sieve in sieves]
            goals: Sequence[Goal] = ()
            if groups:
                truth = index.cosines(exact, queries)
                narrowest, lines, goals = min(
                    (_lines(group, sieves, truth, exact, policy) for group in groups), key=lambda each: each[0]
                )
                if narrowest > policy.widest:
                    return None
                for row, line in lines:
                    floors[row] = min(floors[row], line)
            found = [codes.above(sieve.aim, floor, coded) for sieve, floor in zip(sieves, floors, strict=True)]
            if len(found) == 1:
                kept = policy.kept(wanted, page=bool(groups))
                together = _narrowed(index, index.wanted_among(found[0], absent), queries[0], goals, exact, kept)
            else:  # what is good to several terms at once may be among the first of none
                together = np.unique(np.concatenate(found))
            return index.contents_among(together, rows)

        return exact, work

    return index.reading(read)


class _Sieve:
    """A query's estimates on a sample."""

    def __init__(self, codes: Codes, query: Floats, sample: Ids) -> None:
        self.aim = codes.coder.aim(query)
        self.estimates = codes.estimates(self.aim, sample)
        self._codes = codes

    def reached_by(self, share: float) -> float:
        """The estimate that about this share of the rows reaches."""
        place = len(self.estimates) - max(1, round(share * len(self.estimates)))
        return float(np.partition(self.estimates, place)[place])

    def error(self, rows: Ids, truth: Floats) -> Floats:
        """What estimates lie above the truth, float32 (n,)."""
        return np.asarray(self._codes.estimates(self.aim, rows) - truth, np.float32)


def _lines(
    group: Sequence[Goal], sieves: Sequence[_Sieve], truth: Floats, exact: Ids, policy: Policy
) -> tuple[float, list[tuple[int, float]], Sequence[Goal]]:
    """The share of the rows that may reach a group, and the estimate from which they may, by query; and the group."""
    share, lines = 0.0, []
    for goal in group:
        sieve = sieves[goal.query]
        floor = _floor(goal, sieve.error(exact, truth[goal.query]), policy)
        share += float((sieve.estimates >= floor).mean())
        lines.append((goal.query, floor))
    return share, lines, group


def _floor(goal: Goal, error: Floats, policy: Policy) -> float:
    """The estimate from which a row may reach a goal; `error` is what estimates of some rows lie above the truth."""
    mean, deviation = float(error.mean()), float(error.std())
    return mean + min(goal.line - policy.margin * deviation, goal.near - policy.near_margin * deviation)


def _narrowed(index: VectorIndex, found: Ids, query: Floats, goals: Sequence[Goal], exact: Ids, kept: int) -> Ids:
    """Those of the rows that were found which their finer codes say to keep, and those that have no sound ones."""
    fine = index.fine
    if fine is None or len(found) <= kept:
        return found
    coded = found < len(fine)
    coded[coded] = fine.sound(found[coded])
    near, exact = found[coded], exact[exact < len(fine)]
    exact = exact[fine.sound(exact)]
    if len(near) <= kept or (goals and not len(exact)):
        return found
    estimates = fine.estimates(query, near)
    floor = float(np.partition(estimates, len(near) - kept)[len(near) - kept])
    if goals:
        error = fine.estimates(query, exact) - index.cosines(exact, query[None])[0]
        floor = min(floor, *(_floor(goal, error, index.policy) for goal in goals))
    return np.concatenate([near[estimates >= floor], found[~coded]])
