"""Where a text's matches begin, in made spaces whose answers are known; texts and pictures lie apart in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.ranking.calibration import (
    Calibration,
    NullStats,
    calibrate,
    label_threshold,
    text_null_stats,
    threshold,
    understands,
)
from sightline.ranking.null_queries import TEXTS
from store.arrays import Floats

DIM, CONCEPTS = 256, 600


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


@dataclass(frozen=True)
class World:
    """Concepts with a text each, and pictures of some; texts and pictures lie apart, each round its own centre."""

    texts: Floats
    concepts: Floats
    seed: int

    def pictures(self, of: list[int], each: int) -> tuple[Floats, Floats]:
        """Pictures, and the concept of each."""
        rng = np.random.default_rng([self.seed, 77])
        shown = np.repeat(of, each)
        noise = unit(rng.standard_normal((len(shown), DIM)).astype(np.float32))
        return unit(1.1 * centre(2) + 0.5 * self.concepts[shown] + 0.85 * noise), shown

    def query(self, concept: int) -> Floats:
        """Another text of a concept."""
        rng = np.random.default_rng([self.seed, concept])
        return unit(self.texts[concept] + 0.25 * unit(rng.standard_normal(DIM).astype(np.float32)))


def centre(which: int) -> Floats:
    return unit(np.random.default_rng([which, 777]).standard_normal(DIM).astype(np.float32))


@pytest.fixture(scope="module", params=[0, 7])
def world(request: pytest.FixtureRequest) -> World:
    rng = np.random.default_rng([request.param, 7])
    concepts = unit(rng.standard_normal((CONCEPTS, DIM)).astype(np.float32))
    return World(unit(0.9 * centre(1) + concepts), concepts, request.param)


def matches(world: World, sample: Floats, concept: int) -> np.ndarray:
    calibration = Calibration(sample)
    # What is asked for is no null query itself: the last hundred concepts are asked for, the others are these.
    nulls = calibration.text_nulls(world.texts[: CONCEPTS - 100])
    vector = world.query(concept)
    return np.asarray(sample @ vector >= calibration.term(vector, nulls).threshold)


def test_what_a_text_describes_matches_and_the_rest_does_not(world: World) -> None:
    asked = list(range(CONCEPTS - 20, CONCEPTS))
    sample, shown = world.pictures([*asked, *range(100)], 8)
    found = [matches(world, sample, concept) for concept in asked]
    right = [(own & (shown == concept)).sum() for own, concept in zip(found, asked, strict=True)]
    assert np.mean([r / 8 for r in right]) >= 0.9
    assert sum(right) / sum(own.sum() for own in found) >= 0.9


@pytest.mark.parametrize("count", [100, 1_000])
def test_what_the_library_does_not_show_has_hardly_any_match(world: World, count: int) -> None:
    sample, _ = world.pictures(list(range(count // 5)), 5)
    found = [matches(world, sample, concept).sum() for concept in range(CONCEPTS - 60, CONCEPTS)]
    assert np.mean(found) <= 0.3


@pytest.mark.parametrize("others", [0, 4, 40])
def test_a_text_finds_its_pictures_however_much_of_the_library_they_are(world: World, others: int) -> None:
    concept = CONCEPTS - 1
    sample, shown = world.pictures([concept] * 8 + list(range(others)), 5)
    found = matches(world, sample, concept)
    assert found[shown == concept].mean() >= 0.9
    assert not others or found[shown != concept].mean() <= 0.05


def test_words_that_a_space_gives_no_meaning_match_nothing(world: World) -> None:
    sample, _ = world.pictures(list(range(60)), 5)
    calibration = Calibration(sample)
    nulls = calibration.text_nulls(world.texts[: CONCEPTS - 100])
    rng = np.random.default_rng(3)
    for _ in range(20):
        nonsense = unit(centre(1) + 0.05 * unit(rng.standard_normal(DIM).astype(np.float32)))
        assert not (sample @ nonsense >= calibration.term(nonsense, nulls).threshold).any()


def test_a_space_that_knows_few_words_says_so(world: World) -> None:
    assert understands(world.texts)
    rng = np.random.default_rng(4)
    blob = unit(centre(1) + 0.05 * unit(rng.standard_normal((CONCEPTS - 100, DIM)).astype(np.float32)))
    few = np.concatenate([world.texts[:100], blob])
    assert not understands(few)
    sample, _ = world.pictures(list(range(60)), 5)
    assert text_null_stats(few, sample).levels is None
    assert text_null_stats(world.texts, sample).levels is not None


def test_the_threshold_of_a_search_is_one_cosine_whatever_the_levels_of_pictures(world: World) -> None:
    sample, _ = world.pictures(list(range(60)), 5)
    cosines = np.asarray(sample @ world.query(3), np.float32)
    needed = np.asarray(0.1 + 0.1 * np.random.default_rng(5).random(len(cosines)), np.float32)
    own = cosines >= needed
    assert 0 < own.sum() < len(own)
    found = threshold(cosines, needed)

    def f1(cut: float) -> float:
        taken = cosines >= cut
        return float(2 * (taken & own).sum() / (taken.sum() + own.sum()))

    assert f1(found) == max(f1(float(cut)) for cut in cosines)


def test_where_no_picture_reaches_its_level_the_threshold_lies_above_all() -> None:
    cosines = np.linspace(0, 0.2, 50, dtype=np.float32)
    needed = np.linspace(0.5, 0.3, 50, dtype=np.float32)
    assert threshold(cosines, needed) == pytest.approx(float(np.median(needed[-5:])))
    assert threshold(np.float32(3) * cosines, needed * 0 + np.float32(0.9) + cosines) > 0.6


@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.integers(1, 40))
def test_thresholds_are_finite_and_ordered_for_any_library(seed: int, pictures: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    texts = unit(rng.standard_normal((40, 8)).astype(np.float32))
    sample = unit(rng.standard_normal((pictures, 8)).astype(np.float32)) if pictures else np.empty((0, 8), np.float32)
    nulls = text_null_stats(texts, sample) if pictures else NullStats(0.1, 0.9)
    cosines = np.asarray(sample @ texts[0], np.float32)
    own = calibrate(cosines, nulls)
    assert np.isfinite([own.threshold, own.soft_threshold, own.scale]).all()
    assert own.soft_threshold <= own.threshold
    assert own.scale > 0
    line = label_threshold(cosines, nulls, labels)
    assert np.isfinite(line)
    if pictures > 20:
        assert label_threshold(cosines, nulls, labels + 1) >= line - 1e-6


def test_null_queries_are_some_hundred_things_each_once() -> None:
    assert len(TEXTS) == len(set(TEXTS)) > 500
    assert all(text == " ".join(text.split()) and text for text in TEXTS)
