"""Qdrant's engine in this process keeps the promises of `store.vectors.engine`, exactly and by a graph."""

from __future__ import annotations

import pytest
from engine_conformance import EngineConformance, Factory

from store.library import Library
from store.qdrant.edge import FOLDER, EdgeAdapter
from store.qdrant.engines import QdrantEngines


def edge(library: Library) -> QdrantEngines:
    """Engines over a shard in the library's folder."""
    engines = QdrantEngines(library.catalog, lambda identity: EdgeAdapter.open(library.path / FOLDER))
    library.closing.callback(engines.close)
    return engines


class TestEdge(EngineConformance):
    """The engine in this process."""

    left_tolerance = 1e-6  # deleted vectors are scored by numpy from then on

    @pytest.fixture
    def factory(self) -> Factory:
        return edge
