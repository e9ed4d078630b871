"""Whatever happens to a folder between runs, the library ends as a fresh one of the final folder would."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from searching import nearest

from examples import examples
from indexer.commands import run
from store.library import Library

NAMES = ("a.png", "b.png", "sub/c.png", "sub/d.png", "e.png")
name = st.sampled_from(NAMES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("draw"), name, st.integers(0, 5)),
        st.tuples(st.just("break"), name, st.integers(0, 1)),
        st.tuples(st.just("delete"), name),
        st.tuples(st.just("move"), name, name),
        st.tuples(st.just("copy"), name, name),
        st.tuples(st.just("index")),
    ),
    min_size=4,
    max_size=14,
)


def apply(folder: Path, step: tuple[object, ...]) -> None:
    kind, *rest = step
    path = folder / str(rest[0])
    path.parent.mkdir(exist_ok=True)
    if kind == "draw":
        pixels = np.random.default_rng(int(str(rest[1]))).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    elif kind == "break":
        path.write_bytes(b"\x89PNG\r\n\x1a\n" if rest[1] else b"words")
    elif kind == "delete":
        path.unlink(missing_ok=True)
    elif path.exists() and rest[0] != rest[1]:
        target = folder / str(rest[1])
        target.parent.mkdir(exist_ok=True)
        (shutil.move if kind == "move" else shutil.copy)(path, target)


def index(folder: Path, library: Path, space: str) -> None:
    assert run([str(folder), "--library", str(library), "--space", space, "-q"]) in (0, 1)


def state(library: Path) -> tuple[object, ...]:
    """What a library says: each present path and its content, the failures, and what a search brings up."""
    with Library.open(library) as opened:
        assert opened.integrity() == []
        assert opened.catalog.contents_without_photo_count() == 0
        (root,) = opened.catalog.roots()
        paths = sorted(path for _, path in opened.catalog.present_photos(root.id))
        failures = [(failure.path, failure.stage, failure.reason) for failure in opened.catalog.failures()]
        query = np.ones(32, np.float32) / np.sqrt(np.float32(32))
        hits = [(hit.photo.hash, hit.photo.copies, round(hit.score, 2)) for hit in nearest(opened, 1, query, 50)]
        return paths, failures, sorted(hits)


@given(steps=steps)
@examples(12, nightly=200)
def test_any_history_ends_where_a_fresh_index_would(tiny_space: str, steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, library = Path(scratch) / "photos", Path(scratch) / "library"
        folder.mkdir()
        apply(folder, ("draw", "anchor.png", 99))  # an emptied root would be refused, and rightly
        for step in steps:
            if step[0] == "index":
                index(folder, library, tiny_space)
            else:
                apply(folder, step)
        index(folder, library, tiny_space)
        index(folder, Path(scratch) / "fresh", tiny_space)
        assert state(library) == state(Path(scratch) / "fresh")
