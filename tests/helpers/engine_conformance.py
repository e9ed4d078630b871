"""What every vector engine has to pass.

Subclass `EngineConformance` in a test file, and give it a factory. A factory is a function at the top of that file:
from an open library to its `VectorEngines`. Everything else is made here. What is right is said by `BruteForce`, which
scores every vector of the tables with numpy.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import scripts

from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.arrays import Floats, Ids
from store.library import Library
from store.lock import locked
from store.search import score
from store.tables.catalog import SpaceState
from store.tables.writer import File, Indexed, SpaceIdentity, Writer
from store.vectors.engine import EngineFacts, Threshold, VectorEngine, VectorEngines
from store.vectors.top_k import nearest, top_k

Factory = Callable[[Library], VectorEngines]

COUNT: Final = 4_100
DIM: Final = 384
SPACE: Final = 1
KILLS: Final = 3
TOLERANCE: Final = 2e-6

_World = scripts.load("benchmarks/scale_data.py").World


# -- a library --------------------------------------------------------------------------------------------------------


def facts_of(number: int) -> dict[str, Any]:
    """The facts of a picture: each has about half of what filters ask for."""
    facts: dict[str, Any] = {
        "width": 3000 + 500 * (number % 4), "height": 2000 if number % 3 else 4000, "format": "JPEG", "orientation": 1,
    }  # fmt: skip
    if number % 2:
        facts |= {"taken_at": f"{2021 + number % 3}-0{1 + number % 9}-11T10:00:00", "lens": f"{35 + number % 2}mm"}
    if number % 5 < 2:
        facts |= {"camera_make": "Canon", "camera_model": f"EOS R{number % 5}"}
    if number % 7 < 3:
        facts |= {"latitude": 48.8 + number % 7, "longitude": 2.3}
    return facts


def path_of(number: int) -> str:
    """The path of a picture."""
    return f"trip{number % 5}/{'boat' if number % 4 else 'red boat'} {number:05}.{'heic' if number % 6 == 0 else 'jpg'}"


def size_of(number: int) -> int:
    """The bytes of a picture's file."""
    return 1_000_000 * (1 + number % 9)


def is_missing(number: int) -> bool:
    """Whether no photo holds the picture any more."""
    return number % 40 == 3


CHOSEN: Final = range(10, 2_000, 3)

# Filters of every kind, and which pictures pass them.
FILTERS: Final[dict[str, Callable[[int], bool]]] = {
    "date:2022": lambda n: n % 2 == 1 and n % 3 == 1,
    "date:2022-03..": lambda n: n % 2 == 1 and (n % 3 == 2 or (n % 3 == 1 and n % 9 >= 2)),
    "folder:trip2": lambda n: n % 5 == 2,
    'name:"red boat"': lambda n: n % 4 == 0,
    "name:boat*": lambda n: n % 4 != 0,
    "ext:heic": lambda n: n % 6 == 0,
    'camera:"eos r1"': lambda n: n % 5 == 1,
    "lens:35mm": lambda n: False,  # numbers with a lens are odd: all of them 36mm
    "lens:36mm": lambda n: n % 2 == 1,
    "width:>=4000": lambda n: n % 4 >= 2,
    "height:1000..2000": lambda n: n % 3 != 0,
    "size:>5MB": lambda n: n % 9 >= 5,
    "orientation:portrait": lambda n: n % 3 == 0 and n % 4 < 2,
    "near:48.8,2.3,50": lambda n: n % 7 == 0,
    "tag:best": lambda n: n % 11 == 0,
    "favourite:yes": lambda n: n % 13 == 0,
    "set:": lambda n: n in CHOSEN,
}


@functools.cache
def _template() -> Path:
    """A library of `COUNT` pictures without any engine, made once; ids of photos and contents are numbers."""
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    path = folder / "library"
    numbers = range(1, COUNT + 1)
    with locked(path), Library.create(path) as library:
        writer = Writer(library.catalog.engine)
        root = writer.add_root(b"/photos")
        assert writer.add_space(SpaceIdentity("key", "made", "made", "", "{}", DIM, False)) == SPACE
        _commit(library, root, numbers, _World(DIM).pictures(COUNT, 0))
        writer.make_default(SPACE)
        writer.mark_missing([photo for photo, _ in library.catalog.present_photos(root) if is_missing(photo)])
        library.marks.change([n for n in numbers if FILTERS["tag:best"](n)], add=["best"])
        library.marks.favourite([n for n in numbers if FILTERS["favourite:yes"](n)], True)
        library.marks.keep_set(CHOSEN)
    return path


def _commit(library: Library, root: int, numbers: Sequence[int], vectors: Floats) -> None:
    """Index pictures, as the indexer does."""
    indexed = [
        Indexed(
            File(root, path_of(number).encode(), size_of(number), 1),
            hashlib.sha256(str(number).encode()).digest(), facts_of(number), {SPACE: vector},
        )
        for number, vector in zip(numbers, vectors, strict=True)
    ]  # fmt: skip
    for start in range(0, len(indexed), 1_000):
        Writer(library.catalog.engine).commit(indexed[start : start + 1_000], [])


def change(library: Library, round_number: int) -> None:
    """Delete some pictures and index some others, as runs of the indexer do."""
    (root,) = library.catalog.roots()
    photos = list(library.catalog.present_photos(root.id))
    Writer(library.catalog.engine).prune([photo for photo, _ in photos[round_number::97]])
    numbers = range(COUNT + 1 + 50 * round_number, COUNT + 51 + 50 * round_number)
    _commit(library, root.id, numbers, _World(DIM).pictures(50, 1 + round_number))


# -- what is right ----------------------------------------------------------------------------------------------------


class BruteForce:
    """The simplest engine: all vectors of the tables in memory, scored by numpy."""

    def __init__(self, library: Library) -> None:
        state: SpaceState = library.catalog.space_state(SPACE)
        chunks = list(library.catalog.vectors_after(SPACE, state.dim, 0))
        self.dim, self.epoch, self.last_id = state.dim, state.epoch, state.last_id
        self.ids: Ids = np.concatenate([np.empty(0, np.int64), *(ids for _, ids, _ in chunks)])
        self.vectors: Floats = np.concatenate(
            [np.empty((0, state.dim), np.float32), *(vectors.astype(np.float32) for _, _, vectors in chunks)]
        )

    def __len__(self) -> int:
        return len(self.ids)

    def held(self, ids: Ids) -> Ids:
        return ids[np.isin(ids, self.ids)]

    def scores(self, queries: Floats, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        ids = self.ids if only is None else self.held(only)
        return ids, np.asarray(queries.astype(np.float64) @ self.vectors_of(ids).astype(np.float64).T, np.float32)

    def shortlist(
        self, queries: Floats, groups: Sequence[Sequence[Threshold]] = (), *, wanted: int = 0,
        only: Ids | None = None, absent: Ids | None = None,
    ) -> Ids | None:  # fmt: skip
        return None

    def vectors_of(self, ids: Ids) -> Floats:
        order = np.argsort(self.ids)
        return self.vectors[order[np.searchsorted(self.ids[order], ids)]]

    def sample(self, count: int, *, without: Ids | None = None, seed: int = 0) -> tuple[Ids, Floats]:
        kept = np.flatnonzero(~np.isin(self.ids, without if without is not None else []))
        assert len(kept) <= count, "engines may choose differently, so tests compare what samples of all give"
        return self.ids[kept], self.vectors[kept]

    def warm(self) -> None:
        pass


class BruteForceEngines:
    """`BruteForce` for a library's space, made at each use."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def get(self, space_id: int) -> VectorEngine:
        return BruteForce(self._library)

    def save(self, space_id: int) -> None:
        pass

    def is_current(self, space_id: int) -> bool:
        return True

    def facts(self, space_id: int) -> EngineFacts | None:
        return None


def assert_holds_the_tables(engine: VectorEngine, library: Library, queries: Floats) -> None:
    """The engine has every vector of the tables, none that is not there, and scores them right."""
    right = BruteForce(library)
    np.testing.assert_array_equal(engine.ids, right.ids)
    assert (len(engine), engine.dim) == (len(right), right.dim)
    assert (engine.epoch, engine.last_id) == (right.epoch, right.last_id)
    np.testing.assert_array_equal(engine.vectors_of(engine.ids), right.vectors)
    ids, cosines = engine.scores(queries)
    np.testing.assert_array_equal(ids, right.ids)
    np.testing.assert_allclose(cosines, right.scores(queries)[1], rtol=0, atol=TOLERANCE)


@functools.cache
def _right() -> BruteForce:
    with Library.open(_template()) as library:
        return BruteForce(library)


@functools.cache
def _texts() -> Floats:
    texts: Floats = _World(DIM).texts(60)
    return texts


@functools.cache
def _saved(factory: Factory) -> Path:
    """A library whose engines were saved."""
    path = Path(tempfile.mkdtemp(prefix="conformance-")) / "library"
    shutil.copytree(_template(), path)
    with locked(path), Library.open(path) as library:
        factory(library).save(SPACE)
    return path


# -- what an engine promises ------------------------------------------------------------------------------------------


class EngineConformance:
    """Tests of the promises in `store.vectors.engine`. Subclasses override the fixture `factory`."""

    @pytest.fixture
    def factory(self) -> Factory:
        raise NotImplementedError

    @pytest.fixture
    def library(self, factory: Factory) -> Iterator[Library]:
        """A library with the engines to test, saved; not to be changed."""
        with Library.open(_saved(factory)) as library:
            library.vectors = factory(library)
            yield library

    @pytest.fixture
    def changing(self, tmp_path: Path, factory: Factory) -> Iterator[Library]:
        """Another one, which a test may change."""
        path = tmp_path / "library"
        shutil.copytree(_template(), path)
        with locked(path), Library.open(path) as library:
            library.vectors = factory(library)
            library.vectors.save(SPACE)
            yield library

    @pytest.fixture
    def engine(self, library: Library) -> VectorEngine:
        return library.vectors.get(SPACE)

    @pytest.fixture
    def right(self) -> BruteForce:
        return _right()

    @pytest.fixture
    def texts(self) -> Floats:
        """Queries that lie off the pictures' cone, as texts do."""
        return _texts()

    def test_it_holds_what_the_tables_hold(self, engine: VectorEngine, library: Library, texts: Floats) -> None:
        assert len(engine) == COUNT
        assert_holds_the_tables(engine, library, texts[:3])
        assert library.vectors.is_current(SPACE)

    def test_scores_are_the_same_to_the_bit_whatever_is_asked_beside_them(
        self, engine: VectorEngine, texts: Floats
    ) -> None:
        engine.warm()
        ids, cosines = engine.scores(texts[:5])
        assert cosines.dtype == np.float32
        some = ids[np.random.default_rng(0).permutation(len(ids))[:700]]
        by_id = dict(zip(ids.tolist(), cosines[3].tolist(), strict=True))
        own_ids, own = engine.scores(texts[3:4], only=np.concatenate([some, [10**9]]))
        np.testing.assert_array_equal(own_ids, some)
        assert own[0].tolist() == [by_id[id_] for id_ in some.tolist()]
        assert engine.scores(texts[:0])[1].shape == (0, len(engine))
        assert engine.scores(texts[:2], only=ids[:0])[1].shape == (2, 0)

    def test_what_is_not_right_to_ask_is_refused(self, engine: VectorEngine, texts: Floats) -> None:
        for wrong in (texts[:1, 1:].copy(), texts[0]):
            with pytest.raises(ValueError, match=str(DIM)):
                engine.scores(wrong)
            with pytest.raises(ValueError, match=str(DIM)):
                engine.shortlist(wrong)
        with pytest.raises(KeyError, match="987654"):
            engine.vectors_of(np.array([1, 987_654, 987_655]))

    def test_vectors_and_held_ids_come_in_the_order_of_what_was_asked(
        self, engine: VectorEngine, right: BruteForce
    ) -> None:
        ids = np.array([7, COUNT, 7, 12])
        np.testing.assert_array_equal(engine.vectors_of(ids), right.vectors_of(ids))
        np.testing.assert_array_equal(engine.held(np.array([10**9, 30, 2, -1])), [30, 2])

    def test_a_sample_is_the_same_each_time_and_keeps_out_what_it_is_told(self, engine: VectorEngine) -> None:
        without = engine.ids[::2]
        ids, vectors = engine.sample(300, without=without)
        assert len(np.unique(ids)) == 300 and not np.isin(ids, without).any()
        np.testing.assert_array_equal(vectors, engine.vectors_of(ids))
        np.testing.assert_array_equal(engine.sample(300, without=without)[0], ids)
        assert set(engine.sample(300, without=without, seed=1)[0]) != set(ids)
        np.testing.assert_array_equal(engine.sample(COUNT + 5)[0], engine.ids)

    @pytest.mark.parametrize("negated", [False, True], ids=["", "not"])
    @pytest.mark.parametrize("text", FILTERS)
    def test_a_filter_keeps_what_brute_force_keeps(
        self, library: Library, engine: VectorEngine, right: BruteForce, texts: Floats, text: str, negated: bool
    ) -> None:
        typed = text if text != "set:" else f"set:{library.marks.keep_set(CHOSEN)}"
        filters = parse(f"{'-' if negated else ''}{typed}").filters
        passes = FILTERS[text]
        expected = [n for n in range(1, COUNT + 1) if passes(n) != negated and not is_missing(n)]
        cosines = dict(zip(right.ids.tolist(), right.scores(texts[:1])[1][0].tolist(), strict=True))
        for towards in ([], [0]):  # everything at once, and a shortlist with the rest after it
            scored = score(library, engine, texts[:1], filters, towards=towards, wanted=20)
            ids, own = scored.ids, scored.cosines[0]
            best = ids[top_k(ids, own, 10)].tolist()
            if scored.rest is not None:
                rest_ids, rest = scored.rest()
                ids, own = np.concatenate([ids, rest_ids]), np.concatenate([own, rest[0]])
            assert sorted(ids.tolist()) == expected
            assert scored.total == len(expected)
            np.testing.assert_allclose(own, [cosines[id_] for id_ in ids.tolist()], rtol=0, atol=TOLERANCE)
            wanted = sorted(expected, key=lambda n: -cosines[n])[:10]
            assert len(set(best) & set(wanted)) >= 0.8 * len(wanted)
            if not towards:
                assert best == wanted

    @pytest.mark.parametrize(
        "text", ["like:7", "like:7 like:11", "like:7 OR like:12", "like:7 -like:9", "like:7^2 like:31^0.4",
                 "like:7 folder:trip1", "like:7 -folder:trip1", "like:7 sort:date", "-like:7"],
    )  # fmt: skip
    def test_bands_scores_and_order_are_those_of_brute_force(self, library: Library, text: str) -> None:
        with closing(Library.open(library.path)) as other:
            other.vectors = BruteForceEngines(other)
            expected = Searcher(other, Encoders(offline=True)).search(parse(f"{text} dedup:off"), limit=20)
        own = Searcher(library, Encoders(offline=True)).search(parse(f"{text} dedup:off"), limit=20)
        right = {hit.photo.content_id: hit for hit in expected.hits}
        both = [hit for hit in own.hits if hit.photo.content_id in right]
        assert own.total == expected.total
        assert len(both) >= 0.95 * len(expected.hits)
        assert own.strong >= 0.98 * expected.strong - 1 and own.maybe >= 0.85 * expected.maybe - 1
        assert own.strong <= expected.strong
        found = {hit.photo.content_id for hit in both}
        assert [hit.photo.content_id for hit in both] == [id_ for id_ in right if id_ in found]
        for hit in both:
            assert hit.band == right[hit.photo.content_id].band
            assert hit.score == pytest.approx(right[hit.photo.content_id].score, abs=1e-3)

    @pytest.mark.parametrize("share", [1.0, 0.5, 0.05])
    def test_texts_find_nearly_all_of_the_ten_nearest(
        self, engine: VectorEngine, right: BruteForce, texts: Floats, share: float
    ) -> None:
        only = None
        if share < 1:
            only = np.sort(np.random.default_rng(5).choice(right.ids, round(share * COUNT), replace=False))
        ids, cosines = right.scores(texts, only=only)
        found = [
            len(np.intersect1d(nearest(engine, text, 10, only=only)[0], ids[top_k(ids, own, 10)]))
            for text, own in zip(texts, cosines, strict=True)
        ]
        assert np.mean(found) >= 9.8

    def test_a_shortlist_holds_what_reaches_a_threshold(
        self, engine: VectorEngine, right: BruteForce, texts: Floats
    ) -> None:
        ids, cosines = right.scores(texts)
        shares = []
        for text, own in zip(texts, cosines, strict=True):
            strong, maybe = (float(np.partition(own, -many)[-many]) for many in (40, 120))
            shortlist = engine.shortlist(text[None], [[Threshold(0, strong, maybe)]])
            if shortlist is not None:
                assert len(np.unique(shortlist)) == len(shortlist)
                shares.append([np.isin(ids[own >= edge], shortlist).mean() for edge in (strong, maybe)])
        assert not shares or (np.mean(shares, axis=0) >= (0.98, 0.9)).all()

    def test_what_is_absent_takes_nobodys_place(self, engine: VectorEngine, right: BruteForce, texts: Floats) -> None:
        found = []
        for text in texts[:20]:
            ids, cosines = right.scores(text[None])
            order = top_k(ids, cosines[0], 130)
            shortlist = engine.shortlist(text[None], wanted=10, absent=np.sort(ids[order[:120]]))
            found.append(1.0 if shortlist is None else np.isin(ids[order[120:]], shortlist).mean())
        assert np.mean(found) >= 0.65  # 0.52 where they take places

    def test_what_is_deleted_or_added_is_seen_by_the_next_and_not_by_who_holds_an_engine(
        self, changing: Library, factory: Factory, texts: Floats
    ) -> None:
        before = changing.vectors.get(SPACE)
        held, scores = before.ids.copy(), before.scores(texts[:2])[1]
        for round_number in range(3):
            change(changing, round_number)
            after = changing.vectors.get(SPACE)
            assert_holds_the_tables(after, changing, texts[:2])
            gone = np.setdiff1d(held, after.ids)
            assert len(gone) and not len(after.held(gone))
            own = after.vectors_of(after.ids[-1:])[0]
            assert nearest(after, own / np.linalg.norm(own), 1)[0].tolist() == after.ids[-1:].tolist()
            if round_number == 1:
                changing.vectors.save(SPACE)
        # Who reads an engine while vectors are deleted goes on with what it has.
        ids, cosines = before.scores(texts[:2], only=held)
        np.testing.assert_array_equal(ids, held)
        np.testing.assert_array_equal(cosines, scores)
        changing.vectors.save(SPACE)
        again = factory(changing)
        assert again.is_current(SPACE)
        assert_holds_the_tables(again.get(SPACE), changing, texts[:2])

    def test_a_kill_while_it_saves_leaves_nothing_wrong(self, tmp_path: Path, factory: Factory, texts: Floats) -> None:
        path = tmp_path / "library"
        shutil.copytree(_template(), path)
        wait = random.Random(0)
        for round_number in range(KILLS):
            begun, took = _killed_while_saving(factory, path, after=wait.uniform(0, 0.03))
            assert begun, took
            with locked(path), Library.open(path) as library:
                engines = factory(library)
                engine = engines.get(SPACE)
                assert_holds_the_tables(engine, library, texts[:2])
                if round_number % 2:  # the next save is one that appends
                    engines.save(SPACE)
                    assert factory(library).is_current(SPACE)
                change(library, round_number)
        with locked(path), Library.open(path) as library:
            engines = factory(library)
            engines.save(SPACE)
            assert factory(library).is_current(SPACE)
            assert_holds_the_tables(factory(library).get(SPACE), library, texts[:2])


_SAVING: Final = """
import runpy, sys
from pathlib import Path
from store.library import Library
from store.lock import locked

source, name, path = sys.argv[1:]
factory = runpy.run_path(source)[name]
with locked(Path(path)), Library.open(Path(path)) as library:
    engines = factory(library)
    engines.get(1)
    print("saving", flush=True)
    engines.save(1)
    print("saved", flush=True)
    sys.stdin.read()
"""


def _killed_while_saving(factory: Factory, path: Path, *, after: float) -> tuple[bool, str]:
    """Save a space in another process, and kill that so many seconds after it began.

    Returns whether it began, and what it wrote to stderr.
    """
    source = inspect.getsourcefile(factory)
    assert source is not None
    search = os.pathsep.join([str(Path(__file__).parent), str(scripts.ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", _SAVING, source, factory.__name__, str(path)], env={**os.environ, "PYTHONPATH": search},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        begun = process.stdout.readline() == "saving\n"
        time.sleep(after)
        process.kill()
        return begun, process.stderr.read()
