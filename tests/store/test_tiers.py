"""A space gives the same answers whatever became of its files, and nearly the same in either tier."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from searching import clustered, engine_of, nearest_to

from examples import examples
from store.arrays import Floats, Ids
from store.vectors import four_bit_codes
from store.vectors.engine import Threshold
from store.vectors.index_files import IndexFiles, Manifest, faiss_header
from store.vectors.local import LocalEngine
from store.vectors.one_bit_codes import OneBitCodes, Quantizer
from store.vectors.policy import DEFAULT, Policy
from store.vectors.recall_probe import measure, text_like
from store.vectors.top_k import top_k

DIM = 70
SMALL = Policy(
    exact_rows=40, subset_rows=4, uncoded_rows=10, min_candidates=8, candidates_per_sqrt_rows=2, min_reranked=4,
    max_candidate_share=1.0, max_deleted_share=0.3,
)  # fmt: skip


class Table:
    """What a space's table would hold: content ids and vectors by vector id."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, np.ndarray]] = {}
        self.next = 1
        self.contents = 1

    def add(self, count: int) -> None:
        for vector in clustered(count, DIM, seed=self.next):
            self.rows[self.next] = (self.contents, vector)
            self.next += 1
            self.contents += 1

    def replace(self, number: int) -> None:
        """Other vectors for some contents: each a new row, as the tables have it."""
        for old in list(self.rows)[:: max(1, len(self.rows) // max(1, number))][:number]:
            content, _ = self.rows.pop(old)
            self.rows[self.next] = (content, clustered(1, DIM, seed=self.next)[0])
            self.next += 1

    def delete(self, number: int) -> None:
        for old in list(self.rows)[:: max(1, len(self.rows) // max(1, number))][:number]:
            del self.rows[old]

    @property
    def numbers(self) -> Ids:
        return np.array(sorted(self.rows), np.int64)

    def after(self, last: int) -> Iterator[tuple[Ids, Ids, np.ndarray]]:
        numbers = self.numbers[self.numbers > last]
        if len(numbers):
            contents = np.array([self.rows[number][0] for number in numbers.tolist()], np.int64)
            yield numbers, contents, np.stack([self.rows[number][1] for number in numbers.tolist()])

    def index(self) -> LocalEngine:
        index = LocalEngine(DIM, policy=SMALL, source=lambda: self.after(0))
        index.add(self.after(0))
        return index

    def opened(self, files: IndexFiles, manifest: Manifest) -> LocalEngine:
        return LocalEngine.from_files(files.read(manifest), policy=SMALL, source=lambda: self.after(0))


def follow(index: LocalEngine, table: Table) -> LocalEngine:
    """As the cache does when the catalog changed."""
    index = index.retaining(table.numbers)
    index.add(table.after(index.last_id))
    return index


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add"]), st.integers(1, 60)),
        st.tuples(st.sampled_from(["replace", "delete"]), st.integers(1, 30)),
        st.tuples(st.just("delete"), st.just(10_000)),  # all
        st.tuples(st.sampled_from(["follow", "encode", "save", "load", "kill"]), st.just(0)),
    ),
    min_size=3,
    max_size=25,
)


@given(steps=STEPS)
@examples(60)
def test_any_history_of_a_space_and_its_files_ends_as_a_rebuild(steps: list[tuple[str, int]]) -> None:
    table = Table()
    table.add(30)
    index = table.index()
    with tempfile.TemporaryDirectory() as scratch:
        files = IndexFiles(Path(scratch), 7)
        for step, number in steps:
            if step in ("add", "replace", "delete"):
                getattr(table, step)(number)
            elif step == "follow":
                index = follow(index, table)
            elif step == "encode":
                index.encode()
            elif step == "save":
                index.save(files, "key")
            elif step == "kill":
                # Rows were written, and the manifest was not, so nothing of before was removed yet.
                before = {path: path.read_bytes() for path in files.folder.iterdir()}
                was = files.manifest()
                index.save(files, "key")
                if was is not None:
                    for path, data in before.items():
                        if path == files.manifest_path or not path.exists():
                            path.write_bytes(data)
                    index = table.opened(files, was)
            elif (manifest := files.manifest()) is not None:
                index = table.opened(files, manifest)
        index = follow(index, table)
        index.encode()
        fresh = table.index()
        fresh.encode()
        assert len(index) == len(fresh) == len(table.rows)
        np.testing.assert_array_equal(index.ids, fresh.ids)
        asked = text_like(fresh.sample(50)[1], 3) if len(fresh) else np.zeros((1, DIM), np.float32)
        np.testing.assert_array_equal(index.scores(asked)[1], fresh.scores(asked)[1])
        np.testing.assert_array_equal(index.vectors_of(index.ids), fresh.vectors_of(fresh.ids))
        some = np.arange(0, table.contents, 3)  # those that are gone, too
        np.testing.assert_array_equal(index.held(some), fresh.held(some))
        for own, expected in zip(index.scores(asked, only=some), fresh.scores(asked, only=some), strict=True):
            np.testing.assert_array_equal(own, expected)
        assert nearest_to(index, asked, 5)[0].shape == exactly(fresh, asked, 5)[0].shape
        index.save(files, "key")
        saved = files.manifest()
        assert saved is not None
        again = LocalEngine.from_files(files.read(saved), policy=SMALL)
        assert again.verify()
        np.testing.assert_array_equal(again.ids, fresh.ids)
        np.testing.assert_array_equal(nearest_to(again, asked, 5)[0], nearest_to(index, asked, 5)[0])


def exactly(index: LocalEngine, queries: Floats, k: int, only: Ids | None = None) -> tuple[Ids, Floats]:
    ids, cosines = index.scores(queries, only=only)
    places = np.array([top_k(ids, row, k) for row in cosines], np.int64).reshape(len(queries), -1)
    return ids[places], np.take_along_axis(cosines, places, 1)


def saved(files: IndexFiles, count: int) -> tuple[Table, LocalEngine, Manifest]:
    """A table of `count` rows, and its index with codes, as it is in the files."""
    table = Table()
    table.add(count)
    index = table.index()
    index.encode()
    index.save(files, "key")
    assert index.saved is not None
    return table, index, index.saved


def test_a_row_that_changed_on_the_disk_is_never_served(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table, index, manifest = saved(files, 300)
    query = text_like(index.sample(50)[1], 1)
    expected = exactly(index, query, 10)
    path = files.path(manifest, "faiss")
    whole = path.read_bytes()
    for place in range(manifest.start, len(whole), 997):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        index = table.opened(files, manifest)
        for got, right in zip(exactly(index, query, 10), expected, strict=True):
            np.testing.assert_array_equal(got, right)
        np.testing.assert_array_equal(index.vectors_of(index.ids), table.index().vectors_of(index.ids))
    index = table.opened(files, manifest)
    with ThreadPoolExecutor(4) as pool:  # several find it at once
        for found in pool.map(lambda _: exactly(index, query, 10), range(4)):
            np.testing.assert_array_equal(found[0], expected[0])
    alone = LocalEngine.from_files(files.read(manifest), policy=SMALL)
    with pytest.raises(OSError, match="damaged"):
        alone.scores(query)


@pytest.mark.parametrize("count", [20, 300])  # searched exactly, and by codes
def test_an_index_that_lost_every_row_answers_that_there_is_nothing(tmp_path: Path, count: int) -> None:
    table, index, _ = saved(IndexFiles(tmp_path, 1), count)
    query, asked = text_like(index.sample(50)[1], 1), index.ids
    table.delete(count)
    index = follow(index, table)
    for only in (None, asked, asked[:0]):
        assert [part.shape for part in index.scores(query, only=only)] == [(0,), (1, 0)]
        assert [part.shape for part in nearest_to(index, query, 3, only=only)] == [(1, 0), (1, 0)]
    assert not len(index.held(asked))
    with pytest.raises(KeyError, match=str(asked[0])):
        index.vectors_of(asked)
    table.add(5)
    index = follow(index, table)
    assert nearest_to(index, query, 9)[0].tolist() == exactly(table.index(), query, 9)[0].tolist()


def test_a_search_by_codes_that_meets_a_changed_row_answers_from_what_is_made_again(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table, index, manifest = saved(files, 300)
    query = text_like(index.sample(50)[1], 1)
    only = index.ids[::2].copy()
    path = files.path(manifest, "faiss")
    damaged = bytearray(path.read_bytes())
    damaged[manifest.start + 150 * 2 * DIM] ^= 1
    path.write_bytes(damaged)

    def again() -> LocalEngine:
        read = table.opened(files, manifest)
        assert read.tier == "compressed"
        return read

    fresh = table.index()
    for some in (None, only):
        for got, right in zip(nearest_to(again(), query, 3, only=some), exactly(fresh, query, 3, some), strict=True):
            np.testing.assert_array_equal(got, right)
    groups = [[Threshold(0, 0.9, 0.9)]]  # then every row is read, to measure how far estimates are off
    assert again().shortlist(query, groups, wanted=3) is None  # everything is scored
    for _ in range(5):
        index = again()
        with ThreadPoolExecutor(4) as pool:  # several find it at once
            for found in [pool.submit(index.shortlist, query, groups, wanted=3) for _ in range(8)]:
                assert found.result() is None
        np.testing.assert_array_equal(nearest_to(index, query, 3)[0], exactly(fresh, query, 3)[0])
    alone = LocalEngine.from_files(files.read(manifest), policy=SMALL)
    with pytest.raises(OSError, match="damaged"):
        alone.shortlist(query, groups, wanted=3)


def test_the_file_of_rows_is_an_index_that_faiss_reads(tmp_path: Path) -> None:
    table = Table()
    files = IndexFiles(tmp_path, 1)
    index = table.index()
    for count in (0, 120, 45):
        table.add(count)
        index = follow(index, table)
        index.save(files, "key")
        manifest = files.manifest()
        assert manifest is not None
        read = faiss.read_index(str(files.path(manifest, "faiss")))
        assert (read.ntotal, read.d, read.metric_type) == (len(index), index.dim, faiss.METRIC_INNER_PRODUCT)
        if count:
            query = text_like(index.sample(20)[1], 1)
            scores, rows = read.search(query, 5)
            ids, cosines = exactly(index, query, 5)
            np.testing.assert_array_equal(index.ids[rows], ids)
            np.testing.assert_allclose(scores, cosines, atol=1e-5)


@pytest.mark.parametrize("dim", [1, 64, 384, 1_152])
@pytest.mark.parametrize("count", [0, 1, 70_000, 2**33])
def test_the_file_of_rows_begins_as_faiss_writes_it(dim: int, count: int) -> None:
    inner = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index = faiss.IndexPreTransform(inner)
    inner.ntotal = index.ntotal = count
    empty = faiss.serialize_index(index).tobytes()  # of which the last is the number of bytes of the rows: none here
    assert faiss_header(dim, count) == empty[:-8] + (2 * dim * count).to_bytes(8, "little")


def test_what_is_added_or_taken_away_writes_no_row_a_second_time(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table, index, first = saved(files, 200)
    inode, old = files.path(first, "faiss").stat().st_ino, files.path(first, "faiss").read_bytes()
    table.replace(10)
    table.add(5)
    index = follow(index, table)
    index.encode()
    index.save(files, "key")
    second = index.saved
    assert second is not None
    assert (second.token, second.rows, second.dead) == (first.token, 215, 10)
    assert files.path(second, "faiss").stat().st_ino == inode
    assert files.path(second, "faiss").read_bytes()[second.start :].startswith(old[first.start :])
    table.delete(100)
    index = follow(index, table)
    index.save(files, "key")
    third = index.saved
    assert third is not None and third.token != first.token and (third.rows, third.dead) == (105, 0)
    assert not files.path(first, "faiss").exists()


@pytest.mark.parametrize("deleted", [0, 200])  # appended to, and written anew
def test_what_is_added_or_read_while_it_is_saved_is_not_lost(tmp_path: Path, deleted: int) -> None:
    table, index, _ = saved(IndexFiles(tmp_path, 1), 300)
    query = text_like(index.sample(50)[1], 1)
    table.delete(deleted)
    table.add(7)
    index = follow(index, table)

    class Files(IndexFiles):
        """In the middle of the first save others come."""

        def write(self, *args: Any, **options: Any) -> Manifest:
            table.add(5)
            index.add(table.after(index.last_id))
            np.testing.assert_array_equal(index.scores(query)[1], table.index().scores(query)[1])
            return super().write(*args, **options)

    index.save(Files(tmp_path, 1), "key")
    assert index.unmapped == 5 and not index.is_saved
    for _ in range(2):
        np.testing.assert_array_equal(index.ids, table.index().ids)
        np.testing.assert_array_equal(index.vectors_of(index.ids), table.index().vectors_of(index.ids))
        first = index.saved
        index.encode()
        index.save(IndexFiles(tmp_path, 1), "key")
    assert first is not None and index.saved is not None
    assert index.is_saved and index.saved.token == first.token
    assert table.opened(IndexFiles(tmp_path, 1), index.saved).verify()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: no file grows beyond `size` bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_save_that_fails_leaves_nothing_of_its_own_and_the_old_index(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table, index, manifest = saved(files, 600)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    table.delete(120)
    table.delete(120)
    index = follow(index, table)
    for _ in range(2):
        with files_of_at_most(30_000), pytest.raises(OSError, match="File too large"):
            index.save(files, "key")
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    query = text_like(index.sample(50)[1], 1)
    np.testing.assert_array_equal(exactly(index, query, 5)[0], exactly(table.index(), query, 5)[0])
    old = LocalEngine.from_files(files.read(manifest), policy=SMALL)
    assert old.verify() and len(old) == 600
    index.save(files, "key")
    assert index.saved is not None and index.saved.token != manifest.token


def test_files_that_no_manifest_can_speak_of_are_not_left(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table = Table()
    table.add(100)
    files.manifest_path.mkdir()
    for _ in range(2):
        with pytest.raises(OSError, match=re.escape(files.manifest_path.name)):
            table.index().save(files, "key")
        assert list(tmp_path.iterdir()) == [files.manifest_path]


def test_what_a_killed_save_left_is_gone_before_more_is_written(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table, index, manifest = saved(files, 300)
    left = [files.path(replace(manifest, token="killed"), kind) for kind in ("faiss", "ids")]
    for path in left:
        path.write_bytes(b"rows")
    table.delete(150)
    index = follow(index, table)
    with files_of_at_most(100), pytest.raises(OSError, match="File too large"):
        index.save(files, "key")
    assert not any(path.exists() for path in left)
    assert files.read(manifest).manifest == manifest


# -- the compressed tier ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["in memory", "saved"])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    """With codes of one bit alone, and with the finer ones that are made when it is saved."""
    index = engine_of(np.arange(60_000) * 2 + 1, clustered(60_000, 256), tier="compressed")
    if request.param == "saved":
        index.save(IndexFiles(tmp_path_factory.mktemp("large"), 1), "key")
    return index


@pytest.fixture(scope="module")
def asked(large: LocalEngine) -> Floats:
    return text_like(large.sample(4_096)[1], 30, seed=5)


def test_text_like_queries_find_nearly_all_of_the_nearest(large: LocalEngine, asked: Floats) -> None:
    assert large.tier == "compressed"
    found, cosines = nearest_to(large, asked, 10)
    expected = exactly(large, asked, 10)[0]
    assert np.mean([np.isin(*pair).mean() for pair in zip(found, expected, strict=True)]) >= 0.98
    for number, own in enumerate(cosines):
        np.testing.assert_array_equal(own, large.scores(asked, only=found[number])[1][number])


@pytest.mark.parametrize("share", [0.0005, 0.005, 0.05, 0.2, 0.5])
def test_filters_of_any_width_leave_the_nearest_of_what_passes(large: LocalEngine, asked: Floats, share: float) -> None:
    only = np.sort(np.random.default_rng(3).choice(large.ids, round(share * len(large)), replace=False))
    found, expected = nearest_to(large, asked, 10, only=only)[0], exactly(large, asked, 10, only)[0]
    assert np.isin(found, only).all()
    assert np.mean([np.isin(*pair).mean() for pair in zip(found, expected, strict=True)]) >= 0.99


def test_what_reaches_a_line_is_among_the_likely_and_most_of_what_is_near(large: LocalEngine, asked: Floats) -> None:
    ids, cosines = large.scores(asked)
    found = np.zeros((2, len(asked)))
    for number, (query, own) in enumerate(zip(asked[:, None], cosines, strict=True)):
        line, near = (float(np.partition(own, -many)[-many]) for many in (200, 600))
        some = large.shortlist(query, [[Threshold(0, line, near)]], wanted=10)
        assert some is not None and len(some) < 0.3 * len(ids)
        found[:, number] = [np.isin(ids[own >= edge], some).mean() for edge in (line, near)]
    assert found[0].mean() >= 0.99
    assert found[1].mean() >= 0.93


def test_finer_codes_leave_a_tenth_of_the_candidates_and_lose_none_of_the_nearest(tmp_path: Path) -> None:
    index = engine_of(np.arange(60_000), clustered(60_000, 256), tier="compressed")
    asked = text_like(index.sample(4_096)[1], 30, seed=5)
    before = [index.shortlist(query, [], wanted=10) for query in asked[:, None]]
    index.save(IndexFiles(tmp_path, 1), "key")
    for query, coarse in zip(asked[:, None], before, strict=True):
        some = index.shortlist(query, [], wanted=10)
        assert some is not None and coarse is not None
        assert np.isin(some, coarse).all() and len(some) == DEFAULT.min_reranked < 0.1 * len(coarse)
        ids, cosines = index.scores(query, only=coarse)
        assert np.isin(ids[top_k(ids, cosines[0], 10)], some).all()


def test_files_of_another_format_are_not_read_and_the_next_save_replaces_them(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    _, index, manifest = saved(files, 300)
    values = json.loads(files.manifest_path.read_bytes().rpartition(b"\n")[0])
    for number in (manifest.format - 1, manifest.format + 1):
        text = json.dumps({**values, "format": number}).encode()
        files.manifest_path.write_bytes(text + b"\n" + hashlib.sha256(text).hexdigest().encode())
        assert files.manifest() is None
    index.save(files, "key")
    replaced = files.manifest()
    assert replaced is not None and replaced.token != manifest.token
    assert LocalEngine.from_files(files.read(replaced), policy=SMALL).verify()
    assert not files.path(manifest, "faiss").exists()


def test_a_space_that_grows_into_codes_writes_no_row_a_second_time(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table, index, first = saved(files, 30)
    assert not first.coded and not first.fine
    table.add(300)
    index = follow(index, table)
    index.encode()
    index.save(files, "key")
    second = files.manifest()
    assert second is not None
    assert (second.token, second.coded, second.fine) == (first.token, 330, 330)
    assert index.is_saved and LocalEngine.from_files(files.read(second), policy=SMALL).verify()


def test_what_is_not_there_takes_no_place_among_what_finer_codes_keep(tmp_path: Path) -> None:
    index = engine_of(np.arange(20_000), clustered(20_000, 256), tier="compressed")
    index.save(IndexFiles(tmp_path, 1), "key")
    query = text_like(index.sample(4_096)[1], 1)
    ids, cosines = index.scores(query)
    absent = ids[top_k(ids, cosines[0], 500)]
    some = index.shortlist(query, [], wanted=10, absent=absent)
    there = ids[~np.isin(ids, absent)]
    assert some is not None and not np.isin(some, absent).any()
    assert np.isin(nearest_to(index, query, 10, only=there)[0][0], some).mean() >= 0.9


def advised_as_random(path: Path) -> bool:
    """Whether the system was told not to read ahead in a mapped file; source: proc(5), VmFlags."""
    maps = Path("/proc/self/smaps")
    if not maps.exists():
        pytest.skip("this system does not say how files are mapped")
    parts = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", maps.read_text(), flags=re.MULTILINE)
    (own,) = [part for part in parts if part.split("\n")[0].endswith(str(path))]
    return " rr" in next(line for line in own.splitlines() if line.startswith("VmFlags:"))


def test_rows_that_lie_apart_are_read_one_by_one_and_a_whole_file_is_not(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1, in_memory_bytes=0)
    _, index, manifest = saved(files, 300)
    path, query, every = files.path(manifest, "faiss"), text_like(index.sample(50)[1], 1), index.ids
    for only, apart in ((every[::20], True), (None, False), (every[[0, -1]], True), (every[:200], False)):
        index.scores(query, only=only)
        assert advised_as_random(path) == apart


def test_rows_that_came_after_the_save_are_found_beside_those_with_finer_codes(tmp_path: Path) -> None:
    table, index, _ = saved(IndexFiles(tmp_path, 1), 300)
    table.delete(100)
    table.add(9)
    index = follow(index, table)
    for number in table.numbers[[0, 50, 150, -9, -1]].tolist():
        content, vector = table.rows[number]
        query = vector.astype(np.float32)[None]
        assert nearest_to(index, query / np.linalg.norm(query), 1)[0].tolist() == [[content]]


def test_a_finer_code_that_changed_on_the_disk_decides_nothing(tmp_path: Path) -> None:
    files = IndexFiles(tmp_path, 1)
    table, index, manifest = saved(files, 300)
    query = text_like(index.sample(50)[1], 1)
    coarse = engine_of(index.ids, index.vectors_of(index.ids).astype(np.float16))
    expected = nearest_to(coarse, query, 3)
    path = files.path(manifest, "fine")
    whole = path.read_bytes()
    for place in range(0, len(whole), 131):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        index = table.opened(files, manifest)
        for got, right in zip(nearest_to(index, query, 3), expected, strict=True):
            np.testing.assert_array_equal(got, right)
        assert not index.verify()


@given(
    dim=st.integers(1, 200), count=st.integers(1, 40), place=st.integers(0, 10**9), bit=st.integers(0, 7),
    seed=st.integers(0, 9),
)  # fmt: skip
@examples(60)
def test_any_changed_bit_of_a_finer_code_is_seen(dim: int, count: int, place: int, bit: int, seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float16)
    quantizer = Quantizer(dim, sample=rows.astype(np.float32))
    made = four_bit_codes.encode(quantizer, rows)
    every = np.arange(count)
    assert four_bit_codes.FourBitCodes(quantizer, made).verified(every).all()
    place %= made.size
    made.reshape(-1)[place] ^= 1 << bit
    row = place // made.shape[1]
    np.testing.assert_array_equal(four_bit_codes.FourBitCodes(quantizer, made).verified(every), every != row)


def test_estimates_of_finer_codes_are_near_and_right_in_the_mean() -> None:
    rows = clustered(4_000, 256)
    quantizer = Quantizer(256, sample=rows[:1_000].astype(np.float32))
    codes = four_bit_codes.FourBitCodes(quantizer, four_bit_codes.encode(quantizer, rows))
    query = text_like(rows.astype(np.float32), 1)[0]
    error = codes.estimates(query, np.arange(4_000)) - rows.astype(np.float32) @ query
    assert abs(error.mean()) < 1e-3
    assert error.std() < 0.006  # 0.0045 here; of one bit it is 0.03


def test_a_line_that_much_of_a_library_reaches_is_scored_exactly(large: LocalEngine, asked: Floats) -> None:
    assert large.shortlist(asked[:1], [[Threshold(0, -1.0, -1.0)]], wanted=10) is None


def test_of_several_groups_the_one_that_fewest_reach_is_enough(large: LocalEngine, asked: Floats) -> None:
    ids, cosines = large.scores(asked[:2])
    line = float(np.partition(cosines[1], -200)[-200])
    some = large.shortlist(asked[:2], [[Threshold(0, -1.0, -1.0)], [Threshold(1, line, line)]], wanted=10)
    assert some is not None
    assert np.isin(ids[cosines[1] >= line], some).mean() >= 0.97


def test_estimates_are_those_of_faiss_itself() -> None:
    import faiss

    for dim in (32, 70, 128, 192):
        vectors = clustered(3_000, dim)
        quantizer = Quantizer(dim, sample=vectors.astype(np.float32))
        codes = OneBitCodes(quantizer, quantizer.encode(vectors))
        theirs = faiss.IndexRaBitQ(quantizer.padded_dim, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(quantizer.centroid, theirs.center)
        theirs.is_trained, theirs.qb = True, 0
        theirs.add(quantizer.rotate(vectors))
        query = text_like(vectors.astype(np.float32), 1)
        scores, rows = theirs.search(quantizer.rotate(query), 3_000)
        own = codes.estimates(quantizer.quantize_query(query[0]), rows[0])
        off = own - (vectors[rows[0]].astype(np.float32) @ query[0])
        assert np.abs(own - scores[0]).max() < 0.35 * off.std() * 4  # four bits a number of the query
        assert abs(off.mean()) < 0.2 * off.std()


def test_a_row_is_found_by_itself_and_equal_answers_come_each_time(large: LocalEngine) -> None:
    own = large.ids[::5_000]
    vectors = large.vectors_of(own)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first = nearest_to(large, vectors, 5)
    assert first[0][:, 0].tolist() == own.tolist()
    np.testing.assert_array_equal(first[0], nearest_to(large, vectors, 5)[0])


def test_rows_without_codes_yet_are_found_too() -> None:
    vectors = clustered(2_000, 64)
    index = LocalEngine(64, policy=replace(DEFAULT, exact_rows=1_000, min_candidates=20, max_candidate_share=1.0))
    numbers = np.arange(1, 2_001)
    index.add([(numbers[:1_500], numbers[:1_500], vectors[:1_500])])
    tiers = [index.tier]
    index.encode()
    assert [*tiers, index.tier] == ["exact", "compressed"]
    index.add([(numbers[1_500:], numbers[1_500:], vectors[1_500:])])
    query = vectors[1_999:].astype(np.float32)
    assert nearest_to(index, query, 1)[0].tolist() == [[2_000]]
    assert nearest_to(index.retaining(numbers[:1_999]), query, 1)[0].tolist() != [[2_000]]
    assert nearest_to(index, query, 1)[0].tolist() == [[2_000]]  # who reads this one goes on with it


def test_a_tier_says_how_good_it_is_on_its_own_vectors(large: LocalEngine) -> None:
    measure(large)
    assert large.measured["rows"] == 60_000
    assert large.measured["recall"] >= 0.97
    assert large.measured["milliseconds"] > 0
    assert large.measured["exact_milliseconds"] > 0
    small = engine_of(np.arange(10), clustered(10, 64))
    measure(small)
    assert small.measured == {}


def test_a_space_is_measured_again_when_it_is_searched_another_way() -> None:
    vectors, numbers = clustered(1_000, 64), np.arange(1, 1_001)
    policy = replace(DEFAULT, exact_rows=950, measured_rows=500, uncoded_rows=0, min_candidates=20)
    index = LocalEngine(64, policy=policy)
    index.add([(numbers[:900], numbers[:900], vectors[:900])])
    measure(index)
    assert index.measured["recall"] == 1.0
    assert "exact_milliseconds" not in index.measured
    exact = index.measured
    index.add([(numbers[900:950], numbers[900:950], vectors[900:950])])
    measure(index)
    assert index.measured is exact  # as large as it was
    index.add([(numbers[950:], numbers[950:], vectors[950:])])
    index.encode()
    measure(index)
    assert index.tier == "compressed"
    assert index.measured["exact_milliseconds"] > 0


def test_what_is_near_is_found_where_all_that_was_nearer_is_gone() -> None:
    vectors, query = clustered(2_000, 64), clustered(1, 64, seed=5).astype(np.float32)
    nearest = np.argsort(-(vectors.astype(np.float32) @ query[0]))
    policy = replace(DEFAULT, exact_rows=100, uncoded_rows=0, min_candidates=100, candidates_per_sqrt_rows=1)
    index = LocalEngine(64, policy=policy)
    index.add([(np.arange(1, 2_001), np.arange(1, 2_001), vectors)])
    index.encode()
    left = index.retaining(np.sort(nearest[300:]) + 1)
    assert left.tier == "compressed"
    ids, cosines = nearest_to(left, query, 5)
    assert ids.shape == cosines.shape == (1, 5)
    assert set(ids[0]) <= set(nearest[300:350] + 1)
