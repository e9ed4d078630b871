"""A library whose vectors lie in a Qdrant server: what is served, and what is said where it can't be."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import engine_conformance as conformance
import numpy as np
import pytest
from qdrant_server import Server

from sightline.query.parser import parse
from store.errors import VectorServiceError
from store.library import Library
from store.lock import locked
from store.qdrant import server as over_http
from store.remote import Remote, write
from store.tables.writer import SpaceIdentity, Writer

SPACE: Final = conformance.SPACE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    """A library of 400 pictures, and the server that has its vectors."""
    path = tmp_path_factory.mktemp("server") / "library"
    shutil.copytree(conformance._template(), path)
    server = Server(tmp_path_factory.mktemp("collections"))
    with locked(path), Library.open(path) as library:
        photos = [photo for photo, _ in library.catalog.present_photos(1) if photo > 400]
        Writer(library.catalog.engine).prune(photos)
    write(path, Remote(vectors=server.address))
    yield path, server
    server.kill()


@pytest.fixture
def library(folder: tuple[Path, Server]) -> Iterator[Library]:
    with locked(folder[0]), Library.open(folder[0]) as library:
        yield library


def test_it_holds_the_tables_and_knows_their_filters(library: Library) -> None:
    engine = library.vectors.get(SPACE)
    texts = conformance._texts()[:3]
    conformance.assert_holds_the_tables(engine, library, texts)
    for text in (*conformance.FILTERS, "folder:trip1 -ext:heic name:boat"):
        if text != "set:":
            filters = parse(text).filters
            passing = engine.passing(filters)  # type: ignore[attr-defined]
            np.testing.assert_array_equal(passing, library.catalog.matching(filters))


def test_another_space_and_other_marks_are_added_to_the_same_points(library: Library) -> None:
    writer = Writer(library.catalog.engine)
    second = writer.add_space(SpaceIdentity("second", "second", "made", "", "{}", 8, False))
    assert len(library.vectors.get(second)) == 0
    library.marks.change([5, 6], add=["new"])
    engine = library.vectors.get(SPACE)
    assert engine.passing(parse("tag:new").filters).tolist() == [5, 6]  # type: ignore[attr-defined]
    assert library.vectors.is_current(SPACE)


def test_a_server_that_is_killed_and_started_again_has_what_it_acknowledged(
    library: Library, folder: tuple[Path, Server]
) -> None:
    _, server = folder
    library.vectors.get(SPACE)
    conformance.change(library, 1)
    killer = threading.Timer(0.05, server.kill)
    killer.start()
    try:
        library.vectors.get(SPACE)
    except VectorServiceError as error:
        assert "can't be reached" in str(error) and "--vectors" in str(error)
    killer.join()
    with pytest.raises(VectorServiceError, match="can't be reached"):
        library.vectors.get(SPACE).scores(conformance._texts()[:1])
    server.start()
    conformance.assert_holds_the_tables(library.vectors.get(SPACE), library, conformance._texts()[:2])
    assert library.vectors.is_current(SPACE)


def test_a_key_is_sent_from_the_environment_and_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path, key="the right one")
    try:
        monkeypatch.setenv(over_http.KEY, "a wrong one")
        adapter = over_http.ServerAdapter(server.address, "sightline-x")
        with pytest.raises(VectorServiceError, match=over_http.KEY) as refused:
            adapter.names()
        assert "a wrong one" not in str(refused.value)
        monkeypatch.setenv(over_http.KEY, "the right one")
        assert over_http.ServerAdapter(server.address, "sightline-x").names() is None
    finally:
        server.kill()


def test_a_run_whose_vectors_can_not_be_written_outside_has_them_in_the_library(
    folder: tuple[Path, Server], tmp_path: Path, drawn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from indexer.commands import run

    path = tmp_path / "library"
    path.mkdir()
    write(path, Remote(vectors="http://127.0.0.1:9"))
    assert run([str(drawn / "photos"), "--library", str(path), "--space", "demo"]) == 0
    with Library.open(path) as library:
        assert library.catalog.counts(library.catalog.default_space_id()).pictures == 60
        with pytest.raises(VectorServiceError, match="can't be reached"):
            library.vectors.get(library.catalog.default_space_id() or 0)
