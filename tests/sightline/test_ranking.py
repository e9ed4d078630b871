"""What fusion, the relevance threshold and folding promise, whatever the numbers."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from sightline.query.types import Group, Like, Term
from sightline.ranking.calibration import FEW, Calibration, NullStats, calibrate, duplicate_threshold, null_stats
from sightline.ranking.fusion import BELOW, MAYBE, STRONG, Ranked, band, fuse_z_scores
from sightline.ranking.near_duplicates import WINDOW, Fold, Folding
from sightline.version_pairs import Nearness
from store.vectors.top_k import top_k

FLOATS = st.floats(-30, 30, width=32)


def group(*weights: float, excluded: bool = False) -> Group:
    return Group(tuple(Term(Like(number), weight) for number, weight in enumerate(weights, 1)), excluded)


def scores(groups: list[Group], *u: float) -> float:
    return float(fuse_z_scores(groups, np.asarray(u, np.float32)[:, None], [-1.0] * len(u))[0][0])


def bands(groups: list[Group], *u: float) -> int:
    return int(band(groups, fuse_z_scores(groups, np.asarray(u, np.float32)[:, None], [-1.0] * len(u))[1])[0])


# -- fusion ---------------------------------------------------------------------------------------------------------


@given(st.lists(FLOATS, min_size=3, max_size=3), st.integers(0, 2), st.floats(0, 30, width=32))
def test_suiting_a_term_better_never_lowers_a_picture(u: list[float], which: int, more: float) -> None:
    groups = [group(1.0), group(2.0, 0.5)]
    raised = [value + more if number == which else value for number, value in enumerate(u)]
    assert scores(groups, *raised) >= scores(groups, *u)
    assert bands(groups, *raised) >= bands(groups, *u)


@given(FLOATS, FLOATS, st.floats(0, 30, width=32))
def test_suiting_what_is_excluded_never_raises_a_picture(u: float, out: float, more: float) -> None:
    groups = [group(1.0), group(1.0, excluded=True)]
    assert scores(groups, u, out + more) <= scores(groups, u, out)
    assert bands(groups, u, out + more) <= bands(groups, u, out)


def test_a_picture_of_all_terms_comes_before_a_splendid_one_of_a_single_term() -> None:
    groups = [group(1.0), group(1.0)]
    assert scores(groups, 0.5, 0.5) > scores(groups, 12.0, -1.5)


def test_any_of_terms_joined_by_or_is_enough() -> None:
    either = [group(1.0, 1.0)]
    assert scores(either, 2.0, -9.0) == pytest.approx(scores(either, 2.0, 2.0))
    assert bands(either, -9.0, 0.5) == STRONG
    assert bands(either, -9.0, -0.5) == MAYBE


def test_exclusion_sinks_what_clearly_matches_and_leaves_the_rest() -> None:
    groups = [group(1.0), group(1.0, excluded=True)]
    assert bands(groups, 3.0, 1.0) == BELOW
    assert bands(groups, 3.0, -0.5) == MAYBE
    assert bands(groups, 3.0, -2.0) == STRONG
    assert abs(scores(groups, 1.0, -5.0) - scores(groups, 1.0, -9.0)) < 0.01
    assert scores(groups, 3.0, 3.0) < scores(groups, -1.0, -5.0)


def test_a_heavier_term_decides_more() -> None:
    even, heavy = [group(1.0), group(1.0)], [group(4.0), group(1.0)]
    assert scores(even, 1.0, -1.0) == pytest.approx(scores(even, -1.0, 1.0))
    assert scores(heavy, 1.0, -1.0) > scores(heavy, -1.0, 1.0)


def test_an_exclusion_of_any_weight_leaves_what_must_match_as_it_is() -> None:
    for weight in (0.4, 1.0, 100.0):
        groups = [group(1.0), group(weight, excluded=True)]
        assert bands(groups, -5.0, -5.0) == BELOW
        assert bands(groups, 1.0, -5.0) == STRONG


def test_a_minor_term_changes_the_order_and_cuts_nothing_off() -> None:
    groups = [group(1.0), group(0.4)]
    assert bands(groups, 1.0, -9.0) == STRONG
    assert scores(groups, 1.0, 1.0) > scores(groups, 1.0, -9.0)


@given(arrays.arrays(np.float32, 40, elements=st.sampled_from([0.0, 0.5, 0.5, 1.0])), st.integers(0, 50))
def test_equal_scores_are_ordered_by_id_also_at_the_edge(values: np.ndarray, count: int) -> None:
    ids = np.random.default_rng(3).permutation(40).astype(np.int64)
    wanted = sorted(range(40), key=lambda row: (-values[row], ids[row]))[:count]
    assert top_k(ids, values, count).tolist() == wanted


def test_bands_come_before_scores() -> None:
    ids, given_scores = np.arange(4, dtype=np.int64), np.asarray([0.9, 0.1, 0.5, 0.7], np.float32)
    ranked = Ranked(ids, given_scores, np.asarray([BELOW, STRONG, MAYBE, STRONG], np.uint8))
    assert ranked.best(4).tolist() == [3, 1, 2, 0]
    assert ranked.best(3).tolist() == [3, 1, 2]
    assert ranked.best(0).tolist() == []


# -- the threshold --------------------------------------------------------------------------------------------------

NULLS = NullStats(std=0.05, top=0.5)


def around(centre: float, spread: float, count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(centre, spread, count).astype(np.float32)


def test_a_separate_group_of_matches_is_above_the_threshold_and_the_rest_below() -> None:
    cosines = np.concatenate([around(0.2, 0.05, 900), around(0.5, 0.01, 100)])
    own = calibrate(cosines, NULLS)
    assert (cosines[900:] >= own.threshold).mean() > 0.95
    assert (cosines[:900] >= own.soft_threshold).mean() < 0.01


def test_the_nearest_of_a_library_that_lacks_the_subject_is_no_match() -> None:
    cosines = around(0.2, 0.05, 1000)
    assert not (cosines >= calibrate(cosines, NULLS).threshold).any()


def test_a_text_that_suits_everything_a_little_matches_nothing() -> None:
    cosines = around(0.44, 0.02, 1000)
    assert not (cosines >= calibrate(cosines, NULLS).threshold).any()


def test_where_most_of_the_library_matches_it_is_above_the_threshold() -> None:
    cosines = np.concatenate([around(0.2, 0.05, 200), around(0.5, 0.01, 800)])
    assert (cosines[200:] >= calibrate(cosines, NULLS).threshold).mean() > 0.95


def test_a_library_of_a_few_pictures_is_judged_by_null_queries_alone() -> None:
    few = np.asarray([0.51, 0.2, 0.52, 0.49, 0.3], np.float32)
    assert len(few) < FEW
    assert (few >= calibrate(few, NULLS).threshold).tolist() == [True, False, True, True, False]


@given(arrays.arrays(np.float32, st.integers(0, 60), elements=st.floats(-1, 1, width=32)))
def test_a_calibration_is_finite_and_ordered_for_any_cosines(cosines: np.ndarray) -> None:
    own = calibrate(cosines, NULLS)
    assert own.scale > 0 and own.soft_threshold <= own.threshold and own.soft_z <= 0
    assert np.isfinite(own.z_score(cosines)).all()
    assert ((own.z_score(cosines) >= 0) == (cosines >= np.float32(own.threshold))).all()


def test_the_top_of_null_queries_is_their_best_description_of_a_picture() -> None:
    cosines = np.full((3, 100), 0.1, np.float32)
    cosines[1, :60], cosines[2, 60:] = 0.5, 0.4
    assert null_stats(cosines).top == pytest.approx(0.5)


def test_pictures_that_are_all_alike_still_leave_queries_a_deviation() -> None:
    alike = np.repeat(around(0.3, 0.1, 150)[:, None], 40, axis=1)
    assert null_stats(alike).std > 0.02


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_libraries_of_hardly_any_picture_can_be_calibrated(count: int) -> None:
    sample = np.eye(8, dtype=np.float32)[:count]
    calibration = Calibration(sample)
    for nulls in (calibration.picture_nulls, calibration.text_nulls(np.eye(8, dtype=np.float32)[3:])):
        assert np.isfinite(calibration.term(np.eye(8, dtype=np.float32)[0], nulls).threshold)


# -- folding --------------------------------------------------------------------------------------------------------


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def fold(vectors: np.ndarray, threshold: float, block: int = 256) -> list[Fold]:
    folding = Folding(vectors.shape[1], Nearness(threshold))
    for start in range(0, len(vectors), block):
        folding.extend(vectors[start : start + block])
    return folding.places


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.floats(0.5, 0.999))
def test_every_picture_has_one_place_and_is_near_the_one_that_stands_for_it(seed: int, count: int, line: float) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((5, 16))
    vectors = unit(centres[rng.integers(0, 5, count)] + rng.normal(0, 0.1, (count, 16))) if count else np.empty((0, 16))
    folds = fold(vectors.astype(np.float32), line)
    assert sorted(row for place in folds for row in (place.rank, *place.folded)) == list(range(count))
    assert [place.rank for place in folds] == sorted(place.rank for place in folds)
    for place in folds:
        for row in place.folded:
            assert vectors[row] @ vectors[place.rank] >= line - 1e-6 and row > place.rank
    kept = vectors[[place.rank for place in folds]]
    assert (np.triu(kept @ kept.T, 1) < line + 1e-6).all()


def test_small_steps_do_not_fold_a_long_way_into_one() -> None:
    angles = np.arange(0, np.pi / 2, 0.1)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert len(fold(vectors, float(np.cos(0.15)))) > 5


@given(st.integers(0, 99), st.integers(1, 300), st.integers(1, 300))
def test_what_is_folded_does_not_depend_on_how_much_is_asked_for_at_once(seed: int, one: int, other: int) -> None:
    vectors = unit(np.random.default_rng(seed).standard_normal((300, 3)))
    assert fold(vectors, 0.98, one) == fold(vectors, 0.98, other)


def test_a_place_is_complete_when_nothing_within_reach_is_left_to_come() -> None:
    same = np.repeat(np.eye(4, dtype=np.float32)[:1], WINDOW + 40, axis=0)
    folding = Folding(4, Nearness(0.9))
    folding.extend(same[:WINDOW])
    assert not folding.is_complete(0)
    folding.extend(same[WINDOW:])
    assert folding.is_complete(0) and not folding.is_complete(1)
    assert [(place.rank, len(place.folded)) for place in folding.places] == [(0, WINDOW), (WINDOW + 1, 38)]


def test_the_duplicate_threshold_follows_how_far_pictures_lie_apart() -> None:
    wide = unit(np.random.default_rng(0).standard_normal((200, 64)))
    narrow = unit(wide + 3 * unit(np.ones((1, 64))))
    assert 0.96 < duplicate_threshold(wide) < duplicate_threshold(narrow) < 1
