"""Points in Qdrant say what the tables say: after every change, after kills, and under every filter."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import engine_conformance as conformance
import numpy as np
import pytest
import scripts
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from store.errors import LibraryError
from store.library import Library
from store.lock import locked
from store.qdrant.adapter import Point
from store.qdrant.edge import FOLDER, EdgeAdapter
from store.qdrant.engine import QdrantEngine
from store.qdrant.engines import QdrantEngines
from store.qdrant.policy import GraphPolicy
from store.remote import EDGE, Remote
from store.remote import write as write_remote
from store.search import score
from store.tables import changes
from store.tables.filters import Filter
from store.tables.writer import Writer
from store.vectors.engine import Threshold

SPACE: Final = conformance.SPACE
_drawn = scripts.load("tests/store/test_filters.py")
_World = scripts.load("benchmarks/scale_data.py").World


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[tuple[Library, QdrantEngines]]:
    """The library of a folder, with its vectors in Qdrant's engine in this process."""
    with Library.open(path) as library:
        engines = QdrantEngines(library.catalog, lambda identity: EdgeAdapter.open(path / FOLDER), **options)
        library.vectors = engines
        library.closing.callback(engines.close)
        yield library, engines


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose points were made; not to be changed."""
    path = tmp_path_factory.mktemp("qdrant") / "library"
    shutil.copytree(conformance._template(), path)
    with locked(path), opened(path) as (_, engines):
        engines.save(SPACE)
    return path


@pytest.fixture
def changing(ready: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    path = tmp_path / "library"
    shutil.copytree(ready, path)
    _stay(path)
    return path


def _stay(path: Path) -> None:
    """Let a copy go on as if it were the library that it is a copy of."""
    with Library.open(path) as library, library.catalog.engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE change_log SET place = ?", (changes.place_of(connection),))


# -- filters ----------------------------------------------------------------------------------------------------------


@examples(6)
@given(_drawn.pictures, st.lists(_drawn.filters, min_size=20, max_size=40))
def test_filters_of_every_kind_keep_what_sql_keeps(drawn: list[Any], asked: list[list[Filter]]) -> None:
    with _drawn.made(drawn) as (library, ids):
        _drawn.choose(library, ids)
        engines = QdrantEngines(library.catalog, lambda identity: EdgeAdapter.open(library.path / FOLDER))
        library.closing.callback(engines.close)
        engine = engines.get(SPACE)
        for wanted in asked:
            for each in (wanted, [replace(one, negated=not one.negated) for one in wanted]):
                passing = engine.passing(each)
                assert passing is not None
                assert passing.tolist() == library.catalog.matching(each).tolist(), each
        engines.close()


def test_more_ids_than_may_be_sent_are_left_to_the_tables(ready: Path) -> None:
    from sightline.query.parser import parse

    with opened(ready, policy=GraphPolicy(ids=100, candidates=50)) as (library, engines):
        engine = engines.get(SPACE)
        filters = parse("name:*boat*").filters  # a glob
        assert engine.passing(filters) is None
        assert engine.candidates(_texts(1), [[Threshold(0, 0.4, 0.3)]], filters) is None
        scored = score(library, engine, _texts(1), filters, towards=[0])
        assert sorted(scored.ids.tolist()) == library.catalog.matching(filters).tolist()


# -- what is searched -------------------------------------------------------------------------------------------------


def _texts(count: int) -> Any:
    return _World(conformance.DIM).texts(count)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_texts_find_the_ten_nearest_by_a_graph_too(tmp_path: Path, share: float, graph: Path) -> None:
    """Queries that lie as texts do are what a graph at its defaults loses: recall@10 of 0.83 was measured."""
    texts = _texts(200)
    with opened(graph, policy=GraphPolicy(graph_rows=100)) as (library, engines):
        engine, right = engines.get(SPACE), conformance.BruteForce(library)
        assert engine.is_graph
        only = np.sort(np.random.default_rng(7).choice(right.ids, round(share * len(right)), replace=False))
        ids, cosines = right.scores(texts, only=only)
        found = 0
        for text, own in zip(texts, cosines, strict=True):
            shortlist = engine.shortlist(text[None], wanted=10, only=None if share == 1 else only)
            assert shortlist is not None
            found += len(np.intersect1d(shortlist, ids[np.argsort(-own)[:10]]))
        assert found / (10 * len(texts)) >= 0.98


@pytest.fixture(scope="module")
def graph(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose points lie in a graph."""
    path = tmp_path_factory.mktemp("graph") / "library"
    shutil.copytree(ready, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.qdrant.edge._INDEXING_KB", 100)
        shutil.rmtree(path / FOLDER)
        with opened(path) as (_, engines):
            engines.save(SPACE)
            adapter = engines._open()
            assert isinstance(adapter, EdgeAdapter) and adapter.indexed() == conformance.COUNT
    return path


def test_of_many_matches_the_nearest_are_scored_and_the_counts_are_said_to_be_too_low(ready: Path) -> None:
    texts = _texts(20)
    with opened(ready, policy=GraphPolicy(candidates=400, nearest=100)) as (library, engines):
        engine, right = engines.get(SPACE), conformance.BruteForce(library)
        present = library.catalog.matching(())
        ids, cosines = right.scores(texts, only=present)
        for text, own in zip(texts, cosines, strict=True):
            order = np.argsort(-own)
            few, many = (float(own[order[place]]) for place in (250, 1_500))
            scored = score(library, engine, text[None], towards=[0], groups=[[Threshold(0, few, few)]])
            assert not scored.is_cut and set(ids[order[:251]].tolist()) <= set(scored.ids.tolist())
            assert scored.total == len(present)
            scored = score(library, engine, text[None], towards=[0], groups=[[Threshold(0, few, many)]])
            assert scored.is_cut and set(ids[order[:395]].tolist()) <= set(scored.ids.tolist())
            assert scored.rest is not None
            assert sorted([*scored.ids.tolist(), *scored.rest()[0].tolist()]) == present.tolist()


# -- what is written --------------------------------------------------------------------------------------------------


def _changes(library: Library, pick: random.Random) -> list[Callable[[], Any]]:
    writer, numbers = Writer(library.catalog.engine), library.catalog.matching(()).tolist()
    some = pick.sample(numbers, 7)
    (root,) = library.catalog.roots()
    photos = [photo for photo, _ in library.catalog.present_photos(root.id)]
    return [
        lambda: library.marks.change(some, add=["Été", "best"]),
        lambda: library.marks.change(some, remove=["best"]),
        lambda: library.marks.favourite(some, True),
        lambda: library.marks.favourite(numbers[:50], False),
        lambda: writer.mark_missing(pick.sample(photos, 5)),
        lambda: writer.prune(pick.sample(photos, 5)),
        lambda: conformance.change(library, pick.randrange(10**6)),
    ]


def test_every_change_is_seen_by_the_next_engine(changing: Path) -> None:
    pick = random.Random(1)
    with locked(changing), opened(changing) as (library, engines):
        for round_number in range(14):
            _changes(library, pick)[round_number % 7]()
            engine = engines.get(SPACE)
            assert len(engine) == library.catalog.space_state(SPACE).count
            assert engines.is_current(SPACE), round_number


def test_a_process_that_is_killed_while_it_writes_leaves_what_the_next_completes(changing: Path) -> None:
    shutil.rmtree(changing / FOLDER)
    pick = random.Random(2)
    for _ in range(3):
        command = [sys.executable, "-c", _BUILDING, str(changing)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "writing\n"
            time.sleep(pick.uniform(0.05, 1.5))
            process.send_signal(signal.SIGKILL)
        with locked(changing), Library.open(changing) as library:
            conformance.change(library, pick.randrange(10**6))
    with opened(changing) as (library, engines):
        engine = engines.get(SPACE)
        assert engines.is_current(SPACE)
        conformance.assert_holds_the_tables(engine, library, _texts(2))


_BUILDING: Final = """
import sys
from pathlib import Path
from store.library import Library
from store.qdrant.edge import FOLDER, EdgeAdapter
from store.qdrant.engines import QdrantEngines

path = Path(sys.argv[1])
library = Library.open(path)
print("writing", flush=True)
QdrantEngines(library.catalog, lambda identity: EdgeAdapter.open(path / FOLDER)).get(1)
"""


def _another_vector(adapter: EdgeAdapter, point: Point, other: Point) -> None:
    adapter.upsert([replace(point, vectors=other.vectors)])


def _missing(adapter: EdgeAdapter, point: Point, other: Point) -> None:
    adapter.delete([point.id])


def _stale(adapter: EdgeAdapter, point: Point, other: Point) -> None:
    adapter.upsert([replace(point, payload={**point.payload, "width": 1})])


def _extra(adapter: EdgeAdapter, point: Point, other: Point) -> None:
    adapter.upsert([replace(point, id=10**9)])


@pytest.mark.parametrize("plant", [_another_vector, _missing, _stale, _extra])
def test_a_point_that_is_not_what_the_tables_say_is_found_and_made_again(
    changing: Path, plant: Callable[[EdgeAdapter, Point, Point], None]
) -> None:
    with locked(changing), opened(changing) as (library, engines):
        assert engines.is_current(SPACE)
        adapter = EdgeAdapter.open(changing / FOLDER)
        point, other = next(adapter.scroll(None, payload=True, vectors=True, page=2))
        plant(adapter, point, other)
        adapter.close()
        assert not engines.is_current(SPACE)
        engines.save(SPACE)
        assert engines.is_current(SPACE)
        conformance.assert_holds_the_tables(engines.get(SPACE), library, _texts(1))


def test_the_points_of_another_library_are_not_taken(ready: Path, changing: Path, tmp_path: Path) -> None:
    path = tmp_path / "other"
    shutil.copytree(conformance._template(), path)
    with locked(path), Library.open(path) as library:
        conformance.change(library, 5)
    shutil.copytree(ready / FOLDER, path / FOLDER)
    with opened(path) as (library, engines):
        conformance.assert_holds_the_tables(engines.get(SPACE), library, _texts(1))


def test_a_database_that_is_older_than_its_points_gets_its_own(changing: Path, tmp_path: Path) -> None:
    before = tmp_path / "before.sqlite"
    shutil.copy(changing / "library.sqlite", before)
    with locked(changing), opened(changing) as (library, engines):
        conformance.change(library, 6)
        engines.save(SPACE)
    for file in changing.glob("library.sqlite*"):
        file.unlink()
    shutil.copy(before, changing / "library.sqlite")
    _stay(changing)
    with opened(changing) as (library, engines):
        conformance.assert_holds_the_tables(engines.get(SPACE), library, _texts(1))


def test_a_copy_goes_its_own_way(ready: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    shutil.copytree(ready, path)
    asked: list[str] = []
    for each in (ready, path):
        with Library.open(each) as library:
            asked.append(changes.begin(library.catalog.engine))
            assert changes.begin(library.catalog.engine) == asked[-1]
    assert asked[0] != asked[1]


def test_a_backup_holds_no_points_and_its_library_makes_its_own(ready: Path, tmp_path: Path) -> None:
    from indexer.commands import run

    assert run(["backup", "--library", str(ready), str(tmp_path / "backup.tar")]) == 0
    assert run(["restore", "--library", str(tmp_path / "library"), str(tmp_path / "backup.tar")]) == 0
    with locked(tmp_path / "library"), opened(tmp_path / "library") as (library, engines):
        conformance.change(library, 7)
        conformance.assert_holds_the_tables(engines.get(SPACE), library, _texts(1))


def test_a_second_process_is_told_who_serves_several(ready: Path) -> None:
    with opened(ready) as (_, engines):
        engines.get(SPACE)
        ended = subprocess.run(
            [sys.executable, "-c", _BUILDING, str(ready)], capture_output=True, text=True, check=False
        )
    assert "Another process has the vectors" in ended.stderr and "--vectors http" in ended.stderr


# -- libraries --------------------------------------------------------------------------------------------------------


def test_a_library_is_opened_with_the_engine_that_its_folder_names(ready: Path, changing: Path) -> None:
    write_remote(changing, Remote(vectors=EDGE))
    with Library.open(changing) as library, Library.open(changing) as other:
        engine = library.vectors.get(SPACE)
        assert isinstance(engine, QdrantEngine)
        library.marks.favourite([9], True)
        assert 9 in other.vectors.get(SPACE).ids  # two in one process share the shard
        assert other.vectors.is_current(SPACE)
    write_remote(changing, Remote())
    with Library.open(changing) as library:
        assert not isinstance(library.vectors.get(SPACE), QdrantEngine)


def test_without_the_package_it_is_named(changing: Path) -> None:
    write_remote(changing, Remote(vectors=EDGE))
    code = (
        "import sys; from pathlib import Path; sys.modules['qdrant_edge'] = None\n"
        "from store.library import Library; Library.open(Path(sys.argv[1]))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(changing)], capture_output=True, text=True, check=False)
    assert 'pip install "sightline[cluster]"' in ended.stderr


def test_who_may_not_write_and_never_used_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "library"
    shutil.copytree(conformance._template(), path)
    write_remote(path, Remote(vectors=EDGE))
    with Library(path, readonly=True) as library, pytest.raises(LibraryError, match="may not write"):
        library.vectors.get(SPACE)
