"""The vector index answers as brute force does, and a damaged or foreign file is never served."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searching import local
from sqlalchemy import event
from support import AWKWARD, Index

from examples import examples
from store.library import Library
from store.lock import locked
from store.vectors.engine import VectorEngine
from store.vectors.local import LocalEngine
from store.vectors.policy import Policy
from store.vectors.top_k import top_k


def rows(count: int, dim: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made.astype(np.float16)


def filled(vectors: np.ndarray, ids: np.ndarray) -> LocalEngine:
    index = LocalEngine(vectors.shape[1])
    index.add([(np.arange(len(ids)), ids, vectors)])
    return index


def unit(count: int, dim: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(count, dim))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def nearest(index: VectorEngine, asked: np.ndarray, k: int, only: np.ndarray | None = None) -> tuple[Any, Any]:
    """Ids and scores (m, j) of the k best rows to each query, as a search takes them."""
    ids, scores = index.scores(asked, only=only)
    places = np.array([top_k(ids, row, k) for row in scores], np.int64).reshape(len(scores), -1)
    return ids[places], np.take_along_axis(scores, places, 1)


def some_ids(count: int, seed: int, *, apart: bool) -> np.ndarray:
    """Ids in no order, close together or anywhere."""
    random_ids = np.random.default_rng(seed)
    if apart:
        return random_ids.choice(np.iinfo(np.int64).max, count, replace=False)
    return random_ids.permutation(np.arange(10, 10 + count)).astype(np.int64)


@given(
    count=st.integers(0, 300), dim=st.integers(1, 130), queries=st.integers(0, 8), share=st.floats(0, 1),
    apart=st.booleans(), seed=st.integers(0, 999),
)  # fmt: skip
@examples(150)
def test_scores_are_exact_to_two_millionths_for_all_rows_and_for_some(
    count: int, dim: int, queries: int, share: float, apart: bool, seed: int
) -> None:
    vectors, ids, asked = rows(count, dim, seed), some_ids(count, seed, apart=apart), unit(queries, dim, seed + 1000)
    index = filled(vectors, ids)
    exact = asked.astype(np.float64) @ vectors.astype(np.float64).T
    all_ids, all_scores = index.scores(asked)
    np.testing.assert_array_equal(all_ids, ids)
    assert all_scores.dtype == np.float32
    np.testing.assert_allclose(all_scores, exact, rtol=0, atol=2e-6)

    wanted = np.random.default_rng(seed).permutation(count)[: round(share * count)]
    unknown = np.array([3, int(ids.max(initial=0)) // 2 * 2 + 1_000_001, -1])
    unknown = unknown[~np.isin(unknown, ids)]
    some, scores = index.scores(asked, only=np.concatenate([ids[wanted], unknown]))
    np.testing.assert_array_equal(some, ids[wanted])
    np.testing.assert_array_equal(scores, all_scores[:, wanted])


@given(dim=st.integers(1, 130), queries=st.integers(2, 8), seed=st.integers(0, 999))
@examples(40)
def test_a_score_is_the_same_to_the_bit_whatever_is_asked_beside_it(dim: int, queries: int, seed: int) -> None:
    vectors, ids, asked = rows(200, dim, seed), np.arange(200), unit(queries, dim, seed + 1000)
    together = filled(vectors, ids).scores(asked)[1]
    backwards = filled(vectors[::-1], ids).scores(asked[::-1])[1]
    np.testing.assert_array_equal(together, backwards[::-1, ::-1])
    for number in range(queries):
        np.testing.assert_array_equal(filled(vectors, ids).scores(asked[number : number + 1])[1][0], together[number])


def test_scores_are_the_same_however_the_rows_are_shared_among_threads() -> None:
    vectors, asked = rows(30_000, 130, 1), unit(3, 130, 2)  # 8 MB: several pieces
    index = filled(vectors, np.arange(30_000))
    expected = np.hstack([filled(part, np.arange(len(part))).scores(asked)[1] for part in np.array_split(vectors, 30)])
    for _ in range(5):
        np.testing.assert_array_equal(index.scores(asked)[1], expected)
    np.testing.assert_array_equal(index.scores(asked, only=np.arange(0, 30_000, 2))[1], expected[:, ::2])


EVERY_HALF = """
import numpy as np
from store.vectors.exact import cosines
numbers = np.arange(65536, dtype=np.uint16).view(np.float16)
numbers = numbers[np.isfinite(numbers)][:, None]
read = cosines(numbers, np.arange(len(numbers)), np.ones((1, 1), np.float32))
assert (read[0] == numbers[:, 0].astype(np.float32)).all()
print(len(numbers))
"""


@pytest.mark.parametrize("processor", [{}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}])
def test_every_half_precision_number_is_read_exactly_on_any_processor(processor: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERY_HALF], env={**os.environ, **processor}, capture_output=True, text=True, check=False
    )
    assert done.stdout == "63488\n", done.stderr


@given(
    count=st.integers(0, 300), dim=st.sampled_from([4, 32, 65]), k=st.integers(0, 40), share=st.floats(0, 1),
    apart=st.booleans(), seed=st.integers(0, 99), queries=st.integers(1, 3),
)  # fmt: skip
@examples(100)
def test_search_is_exact_whatever_the_filter(
    count: int, dim: int, k: int, share: float, apart: bool, seed: int, queries: int
) -> None:
    vectors, ids, asked = rows(count, dim, seed), some_ids(count, seed, apart=apart), unit(queries, dim, seed + 1000)
    only = None if share > 0.9 else np.random.default_rng(seed).permutation(ids)[: int(share * count)]
    found, scores = nearest(filled(vectors, ids), asked, k, only)

    allowed = np.isin(ids, ids if only is None else only)
    exact = asked.astype(np.float64) @ vectors.astype(np.float64).T
    assert found.shape == scores.shape == (queries, min(k, np.count_nonzero(allowed)))
    for row in range(queries):
        wanted = ids[allowed][np.lexsort((ids[allowed], -exact[row][allowed]))][:k]
        np.testing.assert_array_equal(found[row], wanted)
        by_id = dict(zip(ids.tolist(), exact[row].tolist(), strict=True))
        np.testing.assert_allclose(scores[row], [by_id[id_] for id_ in wanted.tolist()], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("count", "share"),
    [(1_000_000, 0.001), (100_000, 0.001), (100_000, 0.01), (100_000, 0.1), (100_000, 0.5), (100_000, 1)],
)
def test_a_filter_that_keeps_little_still_fills_the_page(count: int, share: float) -> None:
    dim, k = 24, 60
    vectors, asked = rows(count, dim, 5), unit(1, dim, 6)
    only = np.random.default_rng(7).choice(count, round(share * count), replace=False)
    found, _ = nearest(filled(vectors, np.arange(count)), asked, k, only)
    exact = vectors[only].astype(np.float64) @ asked[0].astype(np.float64)
    np.testing.assert_array_equal(found[0], only[np.argsort(-exact)][:k])


def test_equal_scores_come_by_id() -> None:
    vectors = np.repeat(rows(1, 8, 0), 20, axis=0)
    ids = np.arange(20, dtype=np.int64)[::-1].copy()
    for k in (20, 5):
        found, _ = nearest(filled(vectors, ids), vectors[:1].astype(np.float32), k)
        assert list(found[0]) == list(range(k))


def test_stored_vectors_come_back_by_id_after_more_are_added() -> None:
    vectors, ids = rows(50, 16, 3), np.arange(100, 150, dtype=np.int64)
    index = filled(vectors[:40], ids[:40])
    np.testing.assert_array_equal(index.vectors_of(ids[[7, 3, 7]]), vectors[[7, 3, 7]].astype(np.float32))
    for absent in (5, 145, -1):
        with pytest.raises(KeyError, match=str(absent)):
            index.vectors_of(np.array([absent], np.int64))
    index.add([(np.arange(40, 50), ids[40:], vectors[40:])])
    np.testing.assert_array_equal(index.vectors_of(ids[[45, 3]]), vectors[[45, 3]].astype(np.float32))
    with pytest.raises(KeyError):
        LocalEngine(16).vectors_of(ids[:1])


def test_queries_of_another_dimension_are_refused() -> None:
    index = filled(rows(5, 16, 0), np.arange(5))
    with pytest.raises(ValueError, match=r"\(1, 5\).*wants \(m, 16\)"):
        index.scores(np.zeros((1, 5), np.float32))


def test_a_sample_is_the_same_each_time_and_holds_no_row_twice() -> None:
    vectors, ids = rows(500, 8, 0), np.arange(1000, 1500)
    index = filled(vectors, ids)
    chosen, values = index.sample(100)
    assert len(set(chosen.tolist())) == 100
    np.testing.assert_array_equal(values, vectors[chosen - 1000].astype(np.float32))
    np.testing.assert_array_equal(filled(vectors, ids).sample(100)[0], chosen)
    without = ids[::2].copy()
    assert sorted(index.sample(400, without=without)[0].tolist()) == sorted(set(ids.tolist()) - set(without.tolist()))
    assert set(index.sample(100, seed=1)[0].tolist()) != set(chosen.tolist())
    np.testing.assert_array_equal(index.sample(1000)[0], ids)
    assert [part.shape for part in LocalEngine(8).sample(5)] == [(0,), (0, 8)]


def test_vectors_may_be_added_while_others_search() -> None:
    """Adding moves the rows in memory; each answer must be that of some state that was committed."""
    count, step, dim = 6_000, 30, 200
    vectors, asked = rows(count, dim, 0), unit(2, dim, 1)
    expected = filled(vectors, np.arange(count)).scores(asked)[1]
    index = filled(vectors[:step], np.arange(step))
    adding = threading.Event()
    adding.set()

    def read(_: int) -> list[int]:
        sizes = []
        while adding.is_set():
            held, scores = index.scores(asked)
            np.testing.assert_array_equal(held, np.arange(len(held)))
            np.testing.assert_array_equal(scores, expected[:, : len(held)])
            last = held[-1:]
            np.testing.assert_array_equal(index.vectors_of(last), vectors[last].astype(np.float32))
            assert nearest(index, asked, 3, held[:3])[0].shape == (2, 3)
            sizes.append(len(held))
        return sizes

    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(read, number) for number in range(4)]
        try:
            for start in range(step, count, step):
                numbers = np.arange(start, start + step)
                index.add([(numbers, numbers, vectors[start : start + step])])
        finally:
            adding.clear()
        for sizes in [future.result() for future in reading]:
            assert sizes == sorted(sizes)
            assert all(size % step == 0 for size in sizes)
    np.testing.assert_array_equal(index.scores(asked)[1], expected)


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def damage_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[random.Random(0).randrange(len(data))] ^= 4
    path.write_bytes(bytes(data))


def damage_rubbish(path: Path) -> None:
    path.write_bytes(b"rubbish")


def damage_other_space(path: Path) -> None:
    manifest = path.parent / "space-1.json"
    text = json.dumps({**json.loads(manifest.read_text().splitlines()[0]), "space": "another"})
    manifest.write_text(f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}")


def damage_missing(path: Path) -> None:
    path.unlink()


SMALL = Policy(exact_rows=8, uncoded_rows=0, min_candidates=1, min_reranked=1, subset_rows=0, max_candidate_share=1)


@pytest.mark.parametrize("kind", ["json", "faiss", "ids", "bits", "fine"])
@pytest.mark.parametrize("damage", [damage_cut, damage_bit, damage_rubbish, damage_other_space, damage_missing])
def test_a_damaged_file_is_made_again_and_never_served(
    photos: Path, index: Index, library: Path, damage: Callable[[Path], None], kind: str
) -> None:
    index(photos)
    with locked(library), Library.open(library, policy=SMALL) as opened:
        opened.vectors.save(1)  # as a large library: with codes
        fresh = local(opened)
        assert fresh.tier == "compressed"
        query = fresh.vectors_of(fresh.ids[:1])
        expected, ids = nearest(fresh, query, 24), fresh.ids
        vectors = fresh.vectors_of(ids)
    (path,) = (library / "vectors").glob(f"space-1*.{kind}")
    damage(path)
    with Library.open(library, policy=SMALL) as opened:
        assert not opened.vectors.is_current(1)
    with Library.open(library, policy=SMALL) as opened:
        found = nearest(opened.vectors.get(1), query, 24)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    with Library.open(library, policy=SMALL) as opened:
        np.testing.assert_array_equal(opened.vectors.get(1).vectors_of(ids), vectors)
    assert index("verify", space=None).code == 1
    assert index("verify", "--repair", space=None).code == 0
    with Library.open(library) as opened:
        assert opened.vectors.is_current(1)


def test_what_a_killed_writer_left_behind_is_not_read(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    for path in (library / "vectors").glob("space-1.*"):
        path.write_bytes(path.read_bytes() + b"half a row") if path.suffix != ".json" and path.stat().st_size else None
    (library / "vectors" / "space-1.faiss").write_bytes(b"of an older program")
    with Library.open(library) as opened:
        assert opened.vectors.is_current(1)
        assert len(opened.vectors.get(1)) == 24
    (photos / "copy.png").write_bytes((AWKWARD / "alpha.png").read_bytes())
    index(photos)
    with Library.open(library) as opened:
        assert opened.vectors.is_current(1)
        assert len(opened.vectors.get(1)) == 25
    assert not (library / "vectors" / "space-1.faiss").exists()


def test_an_index_file_that_is_behind_is_caught_up(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    old = {path.name: path.read_bytes() for path in (library / "vectors").iterdir()}
    (photos / "copy.png").write_bytes((AWKWARD / "alpha.png").read_bytes())
    index(photos)
    for name, data in old.items():
        (library / "vectors" / name).write_bytes(data)
    with Library.open(library) as opened:
        assert len(opened.vectors.get(1)) == 25


def test_pruned_vectors_are_gone_from_an_open_reader(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with Library.open(library) as reader:
        assert len(reader.vectors.get(1)) == 24
        min(photos.rglob("*.jpg")).unlink()
        index(photos, "--prune")
        assert len(reader.vectors.get(1)) == 23


def test_files_that_an_indexer_writes_while_they_are_opened_are_used(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    (photos / "copy.png").write_bytes((AWKWARD / "alpha.png").read_bytes())
    others = [lambda: index(photos)]

    def asked(*happened: Any) -> None:
        if "FROM spaces" in happened[2] and others:
            others.pop()()

    with Library.open(library) as opened:
        event.listen(opened.catalog.engine, "after_cursor_execute", asked)
        assert local(opened).saved is not None  # not built anew
        assert len(opened.vectors.get(1)) == 25
    assert not others


def test_what_an_indexer_saved_meanwhile_is_not_held_in_memory_too(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    files, aside = library / "vectors", library.parent / "aside"
    with Library.open(library, policy=Policy(unmapped_rows=3)) as reader:
        ids = reader.vectors.get(1).ids
        files.rename(aside)
        shutil.copytree(aside, files)
        for name in ("alpha.png", "cmyk.jpg", "grey16.png", "palette.gif"):
            shutil.copy(AWKWARD / name, photos)
        index(photos)
        shutil.rmtree(files)
        aside.rename(files)  # committed, and not saved yet
        held = local(reader)
        assert len(held) == len(ids) + 4
        assert reader.vectors.get(1) is held
        query = held.vectors_of(ids[:1])
        assert held.unmapped == 4
        expected = nearest(held, query, 30)
        with locked(library), Library.open(library) as indexer:
            indexer.vectors.save(1)
        mapped = local(reader)
        assert mapped.unmapped == 0
        assert reader.vectors.get(1) is mapped
        for own, right in zip(nearest(mapped, query, 30), expected, strict=True):
            np.testing.assert_array_equal(own, right)


def test_damaged_files_are_not_read_again_and_again(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    (path,) = (library / "vectors").glob("space-1*.faiss")
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 4
    path.write_bytes(damaged)
    with Library.open(library, policy=Policy(unmapped_rows=3)) as reader:
        held = reader.vectors.get(1)
        right = held.vectors_of(held.ids)  # made again, in memory
        assert reader.vectors.get(1) is held
        (photos / "copy.png").write_bytes((AWKWARD / "alpha.png").read_bytes())
        index(photos)
        for _ in range(2):
            np.testing.assert_array_equal(reader.vectors.get(1).vectors_of(held.ids[: len(right)]), right)
        assert reader.vectors.get(1) is reader.vectors.get(1)
        assert len(reader.vectors.get(1)) == 25
