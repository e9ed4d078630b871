"""Another program may cut files of an index while they are read: answers stay right, the process lives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from searching import clustered, nearest_to

from examples import examples
from store.vectors.index_files import IndexFiles
from store.vectors.local import LocalEngine
from store.vectors.policy import DEFAULT, Policy
from store.vectors.recall_probe import text_like

DIM, ROWS = 64, 4_000
EXACT = replace(DEFAULT, in_memory_bytes=0)
CODES = Policy(exact_rows=100, subset_rows=4, uncoded_rows=10, min_candidates=64, candidates_per_sqrt_rows=2,
               min_reranked=16, max_candidate_share=1.0, in_memory_bytes=0)  # fmt: skip

cuts_work_everywhere = pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody cut a mapped file")
outlived = pytest.mark.skipif(sys.platform != "linux", reason="only there is reading what is gone outlived")


def engines(folder: Path, policy: Policy) -> tuple[LocalEngine, LocalEngine, list[Path]]:
    """An engine in memory, the same from files that are mapped, and those files."""
    ids, vectors = np.arange(1, ROWS + 1), clustered(ROWS, DIM)

    def source() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        return [(ids, ids, vectors)]

    fresh, files = LocalEngine(DIM, policy=policy), IndexFiles(folder, 1, policy.in_memory_bytes)
    fresh.add(source())
    fresh.encode()
    fresh.save(files, "key")
    assert fresh.saved is not None
    mapped = LocalEngine.from_files(files.read(fresh.saved), policy=policy, source=source)
    right = LocalEngine(DIM, policy=policy)
    right.add(source())
    return right, mapped, [files.path(fresh.saved, kind) for kind in ("faiss", "bits", "fine")]


@cuts_work_everywhere
@pytest.mark.parametrize("policy", [EXACT, CODES], ids=["exact", "codes"])
@given(share=st.floats(0, 0.999), which=st.integers(0, 2), is_warm=st.booleans())
@examples(25)
def test_a_file_that_is_cut_between_two_searches_is_made_again(
    tmp_path_factory: pytest.TempPathFactory, policy: Policy, share: float, which: int, is_warm: bool
) -> None:
    right, mapped, files = engines(tmp_path_factory.mktemp("index"), policy)
    asked = text_like(right.sample(50)[1], 2)
    if is_warm:
        nearest_to(mapped, asked, 10)
    os.truncate(files[which], int(share * files[which].stat().st_size))
    for _ in range(2):
        ids, cosines = nearest_to(mapped, asked, 10)
        if policy is EXACT:
            np.testing.assert_array_equal(ids, nearest_to(right, asked, 10)[0])
        for query, found, scored in zip(asked, ids, cosines, strict=True):
            np.testing.assert_array_equal(scored, right.scores(query[None], only=found)[1][0])
        np.testing.assert_array_equal(mapped.scores(asked)[1], right.scores(asked)[1])
    np.testing.assert_array_equal(mapped.vectors_of(right.ids), right.vectors_of(right.ids))


@outlived
@pytest.mark.parametrize("policy", [EXACT, CODES], ids=["exact", "codes"])
def test_a_file_that_is_cut_during_searches_gives_no_wrong_answer(tmp_path: Path, policy: Policy) -> None:
    right, mapped, files = engines(tmp_path, policy)
    asked = text_like(right.sample(50)[1], 1)
    expected = right.scores(asked)[1]
    stop, wrong = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            nearest_to(mapped, asked, 10)
            if not np.array_equal(mapped.scores(asked)[1], expected):
                wrong.append(1)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for path in files:
        if path.exists():
            os.truncate(path, path.stat().st_size // 3)
    stop.wait(0.3)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)


@outlived
def test_reading_what_is_gone_gives_zeros_that_are_told_from_what_was_there(tmp_path: Path) -> None:
    right, mapped, files = engines(tmp_path, EXACT)
    rows = mapped._snapshot.rows.mapped
    assert rows.rows[-1].any()
    os.truncate(files[0], 0)
    assert not rows.rows[-1].any()
    assert len(nearest_to(mapped, text_like(right.sample(50)[1], 1), 3)[0][0]) == 3


OTHERS = """
import mmap, os, sys
from pathlib import Path
from store.vectors.mapped_files import array_in
path = Path(sys.argv[1])
path.write_bytes(bytes(1_000_000))
ours = array_in(path, "u1", 0, (1_000_000, 1), mapped=True)
with path.open("rb") as file:
    theirs = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
os.truncate(path, 0)
assert ours[999_999, 0] == 0
print("read", flush=True)
theirs[999_999]
"""


@outlived
def test_a_bus_error_anywhere_else_ends_the_process_as_before(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OTHERS, tmp_path / "file"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (-7, "read\n"), done.stderr


def test_a_small_index_is_not_mapped(tmp_path: Path) -> None:
    right, small, files = engines(tmp_path, DEFAULT)
    for path in files:
        if path.exists():
            os.truncate(path, 0)
    asked = text_like(right.sample(50)[1], 1)
    np.testing.assert_array_equal(small.scores(asked)[1], right.scores(asked)[1])
    assert small.saved is not None
