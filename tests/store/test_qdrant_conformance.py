"""Qdrant keeps the promises of `store.vectors.engine`: its engine in this process, and a server."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from engine_conformance import EngineConformance, Factory
from qdrant_server import Server

from store.library import Library
from store.qdrant.edge import FOLDER, EdgeAdapter
from store.qdrant.engines import QdrantEngines
from store.qdrant.server import ServerAdapter


def edge(library: Library) -> QdrantEngines:
    """Engines over a shard in the library's folder."""
    engines = QdrantEngines(library.catalog, lambda identity: EdgeAdapter.open(library.path / FOLDER))
    library.closing.callback(engines.close)
    return engines


class TestEdge(EngineConformance):
    """The engine in this process."""

    @pytest.fixture
    def factory(self) -> Factory:
        return edge


_STARTED = "STAND_IN_QDRANT_URL"


@functools.cache
def _server() -> str:
    """The address of a server: that of the environment, or else a stand-in of this process's own."""
    if named := os.environ.get("SIGHTLINE_QDRANT_URL") or os.environ.get(_STARTED):
        return named
    server = Server(Path(tempfile.mkdtemp(prefix="qdrant-")))
    atexit.register(server.kill)
    os.environ[_STARTED] = server.address  # for the processes that a test kills
    return server.address


def server(library: Library) -> QdrantEngines:
    """Engines over a collection of a server."""
    address = _server()

    def connect(identity: str) -> ServerAdapter:
        # Each copy of a test's library has a collection of its own: they share the identity of what they are copies of.
        own = hashlib.sha256(f"{identity} {library.path}".encode()).hexdigest()[:16]
        return ServerAdapter(address, f"test-{own}")

    engines = QdrantEngines(library.catalog, connect)
    library.closing.callback(engines.close)
    return engines


@pytest.mark.nightly  # every score goes through HTTP; test_qdrant_server.py has the short of it
class TestServer(EngineConformance):
    """A server over HTTP, or a stand-in that has the engine."""

    @pytest.fixture
    def factory(self) -> Factory:
        return server
