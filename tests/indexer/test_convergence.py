"""Whatever happens to a folder and to runs, the library ends as a fresh one of the final folder would."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import faults
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from searching import nearest

from examples import examples
from indexer.commands import run
from indexer.verify import check
from store.library import Library

Step = tuple[object, ...]

NAMES = ("a.png", "b.png", "sub/c.png", "sub/d.png", "e.png")
name = st.sampled_from(NAMES)
changes = st.one_of(
    st.tuples(st.just("draw"), name, st.integers(0, 5)),
    st.tuples(st.just("break"), name, st.integers(0, 1)),
    st.tuples(st.just("delete"), name),
    st.tuples(st.just("move"), name, name),
    st.tuples(st.just("copy"), name, name),
)
steps = st.lists(st.one_of(changes, st.tuples(st.just("index"))), min_size=4, max_size=14)

swaps = st.one_of(
    st.tuples(st.just("link"), name, st.sampled_from((*NAMES, "../elsewhere/a.png", "../elsewhere/nothing.png"))),
    st.tuples(st.just("swap"), st.just("sub")),
)
FAULTS: dict[str, Callable[[], object]] = {
    "is killed": faults.kill, "meets a full disk": faults.disk_is_full, "meets a broken disk": faults.disk_is_broken,
}  # fmt: skip
runs = st.one_of(
    st.tuples(st.just("index")),
    st.tuples(st.just("prune")),
    st.tuples(st.sampled_from(sorted(FAULTS)), st.sampled_from(faults.MOMENTS), st.integers(1, 12)),
    st.tuples(st.just("is killed"), st.just("commit"), st.integers(1, 12)),
    st.tuples(st.just("meanwhile"), st.sampled_from(faults.MOMENTS), st.integers(1, 12), st.one_of(changes, swaps)),
    st.tuples(st.just("has no room"), st.integers(0, 600)),
)
faulty_steps = st.lists(st.one_of(changes, swaps, runs, runs), min_size=6, max_size=16)


def apply(folder: Path, step: Step) -> None:
    kind, *rest = step
    path = folder / str(rest[0])
    if kind == "swap":
        swap(path, folder.parent / "elsewhere")
        return
    path.parent.mkdir(exist_ok=True)
    if path.is_symlink() and not path.exists():  # it leads nowhere, or to itself
        path.unlink()
    if kind == "draw":
        pixels = np.random.default_rng(int(str(rest[1]))).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    elif kind == "break":
        path.write_bytes(b"\x89PNG\r\n\x1a\n" if rest[1] else b"words")
    elif kind == "delete":
        path.unlink(missing_ok=True)
    elif kind == "link":
        path.unlink(missing_ok=True)
        path.symlink_to(os.path.relpath(folder / str(rest[1]), path.parent))
    elif path.is_file() and not path.is_symlink() and rest[0] != rest[1]:
        target = folder / str(rest[1])
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        (shutil.move if kind == "move" else shutil.copy)(path, target)


def swap(folder: Path, elsewhere: Path) -> None:
    """Let a link to another folder be in the place of a folder; or the folder again."""
    aside = elsewhere / "aside"
    if folder.is_symlink():
        folder.unlink()
        aside.rename(folder)
    elif folder.is_dir():
        folder.rename(aside)
        folder.symlink_to(elsewhere)


def words(folder: Path, library: Path, space: str) -> list[str]:
    return [str(folder), "--library", str(library), "--space", space, "-q"]


def index(folder: Path, library: Path, space: str, *options: str) -> None:
    assert run([*words(folder, library, space), *options]) in (0, 1)


def act(folder: Path, library: Path, space: str, step: Step) -> None:
    """Do one step: a run, or a change."""
    kind, *rest = step
    given = words(folder, library, space)
    if kind == "index":
        index(folder, library, space)
    elif kind == "prune":
        index(folder, library, space, "--prune", "--prune-emptied", "--yes")
    elif kind == "meanwhile":
        change = rest[2]
        assert isinstance(change, tuple)
        happens = partial(apply, folder, change)
        assert faults.run(given, str(rest[0]), int(str(rest[1])), happens) in (0, 1, 2)
    elif kind == "has no room":
        largest = faults.folder_size(library)
        assert faults.run_on_full_disk(given, largest + int(str(rest[0]))) in (0, 1, 2)
    elif str(kind) in FAULTS:
        assert faults.run(given, str(rest[0]), int(str(rest[1])), FAULTS[str(kind)]) in (0, 1, 2, -9)
    else:
        apply(folder, step)


def state(library: Path) -> tuple[object, ...]:
    """What a library says: each present path and its content, the failures, and what a search brings up."""
    with Library.open(library) as opened:
        assert opened.integrity() == []
        assert opened.catalog.contents_without_photo_count() == 0
        assert [finding for finding in check(opened, repair=False) if finding.state != "ok"] == []
        (root,) = opened.catalog.roots()
        paths = sorted(path for _, path in opened.catalog.present_photos(root.id))
        failures = [(failure.path, failure.stage, failure.reason) for failure in opened.catalog.failures()]
        query = np.ones(32, np.float32) / np.sqrt(np.float32(32))
        hits = [(hit.photo.hash, hit.photo.copies, round(hit.score, 2)) for hit in nearest(opened, 1, query, 50)]
        return paths, failures, sorted(hits)


def ends_as_a_fresh_index(space: str, taken: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, library = Path(scratch) / "photos", Path(scratch) / "library"
        folder.mkdir()
        apply(folder, ("draw", "anchor.png", 99))  # an emptied root would be refused, and rightly
        elsewhere = Path(scratch) / "elsewhere"
        elsewhere.mkdir()
        for number, path in enumerate(("a.png", "c.png")):
            apply(elsewhere, ("draw", path, 50 + number))
        for step in taken:
            act(folder, library, space, step)
        index(folder, library, space)
        index(folder, Path(scratch) / "fresh", space)
        assert state(library) == state(Path(scratch) / "fresh")


@given(steps=steps)
@examples(12, nightly=200)
def test_any_history_ends_where_a_fresh_index_would(tiny_space: str, steps: list[Step]) -> None:
    ends_as_a_fresh_index(tiny_space, steps)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="faults need fork")
@given(steps=faulty_steps)
@examples(8, nightly=200)
def test_faults_kills_full_disks_and_swapped_links_end_where_a_fresh_index_would(
    tiny_space: str, steps: list[Step]
) -> None:
    ends_as_a_fresh_index(tiny_space, steps)
