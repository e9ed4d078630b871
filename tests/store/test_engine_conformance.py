"""The local engine keeps the promises of `store.vectors.engine`, in both of its tiers."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("engine_conformance")

from engine_conformance import COUNT, EngineConformance, Factory  # noqa: E402 - only then are its asserts rewritten

from store.arrays import Floats  # noqa: E402
from store.library import Library  # noqa: E402
from store.vectors.engine import VectorEngine  # noqa: E402
from store.vectors.local import LocalEngine  # noqa: E402
from store.vectors.local_engines import LocalEngines  # noqa: E402
from store.vectors.policy import Policy  # noqa: E402

SMALL = Policy(
    exact_rows=500, subset_rows=100, uncoded_rows=50, min_candidates=510, candidates_per_sqrt_rows=1, min_reranked=128,
    max_candidate_share=0.5, measured_rows=10**9,
)  # fmt: skip


def exact(library: Library) -> LocalEngines:
    """Engines that score every row."""
    return LocalEngines(library.path / "vectors", library.catalog, readonly=False)


def compressed(library: Library) -> LocalEngines:
    """Engines that make shortlists, as for a large library."""
    return LocalEngines(library.path / "vectors", library.catalog, readonly=False, policy=SMALL)


class TestExactTier(EngineConformance):
    """Every row is scored."""

    @pytest.fixture
    def factory(self) -> Factory:
        return exact


class TestCompressedTier(EngineConformance):
    """Codes make a shortlist."""

    @pytest.fixture
    def factory(self) -> Factory:
        return compressed

    def test_the_suite_meets_shortlists_that_leave_most_out(self, engine: VectorEngine, texts: Floats) -> None:
        assert isinstance(engine, LocalEngine) and engine.tier == "compressed"
        shortlist = engine.shortlist(texts[:1], wanted=10)
        assert shortlist is not None and len(shortlist) < 0.05 * COUNT
