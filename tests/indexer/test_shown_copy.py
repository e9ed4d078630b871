"""Of a picture that lies in several places, the one that is shown does not depend on what came first."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support import Index

from examples import examples
from indexer.commands import run
from sightline.media.originals import original
from store.library import Library
from store.tables import filter_sql, places_order

# Two roots, and names whose order differs by case, by depth and by signs before and after a slash.
PLACES = ("one/b.png", "one/B.png", "one/sub/a.png", "one/sub-1/a.png", "two/a.png", "two/z/a.png", "one.png/a.png")
ROOTS = ("one", "two", "one.png")
place = st.sampled_from(PLACES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("draw"), place, st.integers(0, 2)),
        st.tuples(st.just("delete"), place),
        st.tuples(st.just("copy"), place, place),
        st.tuples(st.just("move"), place, place),
        st.tuples(st.just("index"), st.sampled_from(ROOTS)),
    ),
    min_size=6,
    max_size=16,
)


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def apply(folder: Path, step: tuple[object, ...]) -> None:
    kind, *rest = step
    path = folder / str(rest[0])
    if kind == "draw":
        draw(path, int(str(rest[1])))
    elif kind == "delete":
        path.unlink(missing_ok=True)
    elif path.exists() and rest[0] != rest[1]:
        target = folder / str(rest[1])
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.move if kind == "move" else shutil.copy)(path, target)


def index(library: Path, space: str, *roots: Path) -> None:
    assert run([*map(str, roots), "--library", str(library), "--space", space, "-q"]) == 0


def shown(library: Path, by: Literal["date", "name"] = "name") -> dict[bytes, list[tuple[bytes, bytes]]]:
    """Every picture by its hash: the place that is shown, then all places, in the order they are listed."""
    with Library.open(library) as opened:
        catalog = opened.catalog
        ids = catalog.matching([])
        ordered = catalog.ordered(ids, by).tolist()
        rows = catalog.photos(ordered)
        found = {}
        for id_ in ordered:
            places = catalog.paths_of(id_)
            assert [(photo.root, photo.path) for photo in catalog.photos_of([id_])] == places
            file = original(opened, id_).photo
            file.close()
            assert (file.place.root, file.place.path) == places[0]
            found[rows[id_].hash] = [(rows[id_].root, rows[id_].path), *places]
        return found


@given(steps=steps)
@examples(12, nightly=200)
def test_any_history_shows_the_copies_that_a_fresh_index_shows(
    tiny_space: str, steps: list[tuple[object, ...]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, library, fresh = (Path(scratch) / name for name in ("photos", "library", "fresh"))
        for number, name in enumerate(ROOTS):
            draw(folder / name / "anchor.png", 10 + number)  # an emptied root would be refused, and rightly
        for step in [*steps, *(("index", name) for name in ROOTS)]:
            if step[0] == "index":
                index(library, tiny_space, folder / str(step[1]))
            else:
                apply(folder, step)
        for name in reversed(ROOTS):
            index(fresh, tiny_space, folder / name)
        assert shown(library) == shown(fresh)
        assert all(places[0] == min(places[1:]) for places in shown(fresh).values())


@pytest.mark.parametrize("few", [filter_sql.FEW, 0])
def test_an_older_copy_gives_way_to_one_whose_path_comes_first(
    tmp_path: Path, index: Index, library: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(filter_sql, "FEW", few)
    monkeypatch.setattr(places_order, "_FEW", few)
    root = tmp_path / "root"
    draw(root / "c.png", 1)
    draw(root / "b.png", 2)
    index(root)
    draw(root / "a.png", 1)
    index(root)
    assert [places[0][1] for places in shown(library).values()] == [b"a.png", b"b.png"]
    (root / "a.png").unlink()
    index(root)
    assert [places[0][1] for places in shown(library).values()] == [b"b.png", b"c.png"]
