"""The vector index answers as brute force does, and a damaged or foreign file is never served."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Index
from hypothesis import given, settings
from hypothesis import strategies as st

from store.library import Library
from store.vectors import VectorIndex


def rows(count: int, dim: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made.astype(np.float16)


def filled(vectors: np.ndarray, ids: np.ndarray) -> VectorIndex:
    index = VectorIndex(vectors.shape[1])
    index.add([(len(ids), ids, vectors)])
    return index


@given(
    count=st.integers(0, 300), dim=st.sampled_from([4, 32, 65]), k=st.integers(1, 40), share=st.floats(0, 1),
    seed=st.integers(0, 99), queries=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_search_is_exact_whatever_the_filter(
    count: int, dim: int, k: int, share: float, seed: int, queries: int
) -> None:
    random_ids = np.random.default_rng(seed)
    vectors = rows(count, dim, seed)
    ids = random_ids.permutation(np.arange(10, 10 + count)).astype(np.int64)
    index = filled(vectors, ids)
    asked = rows(queries, dim, seed + 1000).astype(np.float32)
    only = None if share > 0.9 else random_ids.choice(ids, int(share * count), replace=False) if count else ids
    without = ids[: count // 5]
    found, scores = index.search(asked, k, only=only, without=without)

    allowed = np.isin(ids, ids if only is None else only) & ~np.isin(ids, without)
    exact = asked @ vectors.astype(np.float32).T
    for row in range(queries):
        best = sorted(((-score, id_) for score, id_ in zip(exact[row][allowed], ids[allowed], strict=True)))[:k]
        assert len(found[row]) == len(best)
        np.testing.assert_allclose(scores[row], [-score for score, _ in best], atol=2e-3)
        assert set(found[row]) <= set(ids[allowed])
        for id_, score in zip(found[row], scores[row], strict=True):
            assert abs(exact[row][ids == id_][0] - score) < 2e-3


def test_equal_scores_come_by_id() -> None:
    vectors = np.repeat(rows(1, 8, 0), 20, axis=0)
    ids = np.arange(20, dtype=np.int64)[::-1].copy()
    found, _ = filled(vectors, ids).search(vectors[:1].astype(np.float32), 20)
    assert list(found[0]) == list(range(20))


def test_scores_of_all_rows_and_stored_vectors() -> None:
    vectors, ids = rows(50, 16, 3), np.arange(100, 150, dtype=np.int64)
    index = filled(vectors, ids)
    given_ids, scores = index.scores(vectors[:2].astype(np.float32))
    assert list(given_ids) == list(ids)
    np.testing.assert_allclose(scores, vectors[:2].astype(np.float32) @ vectors.astype(np.float32).T, atol=1e-5)
    np.testing.assert_array_equal(index.vectors_of(ids[[7, 3, 7]]), vectors[[7, 3, 7]].astype(np.float32))
    with pytest.raises(KeyError):
        index.vectors_of(np.array([5], np.int64))
    with pytest.raises(ValueError, match="wants"):
        index.search(np.zeros((1, 5), np.float32), 3)


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def damage_tail(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(100))


def damage_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[random.Random(0).randrange(len(data))] ^= 4
    path.write_bytes(bytes(data))


def damage_rubbish(path: Path) -> None:
    path.write_bytes(b"rubbish")


def damage_manifest(path: Path) -> None:
    path.with_suffix(".json").write_text("{")


def damage_other_space(path: Path) -> None:
    manifest = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**manifest, "space": "another"}))


def damage_missing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "damage",
    [damage_cut, damage_tail, damage_bit, damage_rubbish, damage_manifest, damage_other_space, damage_missing],
)
def test_a_damaged_index_file_is_made_again_and_never_served(
    photos: Path, index: Index, library: Path, damage: Callable[[Path], None]
) -> None:
    index(photos)
    with Library.open(library) as opened:
        fresh = opened.vectors.get(1)
        query = fresh.vectors_of(fresh.ids[:1])
        expected = fresh.search(query, 24)
        path = opened.vectors.path(1)
    damage(path)
    with Library.open(library) as opened:
        assert not opened.vectors.is_current(1)
        found = opened.vectors.get(1).search(query, 24)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    assert index("verify", space=None).code == 0
    with Library.open(library) as opened:
        assert opened.vectors.is_current(1)


def test_an_index_file_that_is_behind_is_caught_up(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    old = {path.name: path.read_bytes() for path in (library / "vectors").iterdir()}
    (photos / "copy.png").write_bytes((Path(__file__).parent / "fixtures/awkward/alpha.png").read_bytes())
    index(photos)
    for name, data in old.items():
        (library / "vectors" / name).write_bytes(data)
    with Library.open(library) as opened:
        assert len(opened.vectors.get(1)) == 25


def test_pruned_vectors_are_gone_from_an_open_reader(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with Library.open(library) as reader:
        assert len(reader.vectors.get(1)) == 24
        sorted(photos.rglob("*.jpg"))[0].unlink()
        index(photos, "--prune")
        assert len(reader.vectors.get(1)) == 23
