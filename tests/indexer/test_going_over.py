"""Runs begin with compiled towers and may go over to torch: nothing is lost, doubled or encoded as another thing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from searching import vectors_of

from indexer import quicker
from indexer.chosen_spaces import Chosen
from indexer.options import Options
from indexer.pipeline import Pipeline
from sightline.models.cache_folder import cache_folder
from sightline.models.compiled import open_compiled
from sightline.models.encoder import Encoder
from sightline.models.resolve import Model, resolve
from store.arrays import Floats
from store.library import Library

pytest.importorskip("openvino", reason="compiled towers need OpenVINO")

# So many are `photos`.
COUNT = 24
RUN = """
import sys
from indexer.commands import run
code = run(sys.argv[1:])
print("torch" in sys.modules)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def model(tiny_space: str) -> Model:
    return resolve(tiny_space)


def run_of(library: Library, model: Model, photos: Path, **options: object) -> Pipeline:
    pipeline = Pipeline(library, Chosen([model]), Options(batch_size=2, **options))  # type: ignore[arg-type]
    pipeline.run([photos])
    return pipeline


def assert_alike(one: dict[bytes, Floats], other: dict[bytes, Floats], *, least: float = 0.999) -> None:
    assert one.keys() == other.keys()
    for key, vector in one.items():
        assert float(vector @ other[key]) >= least * float(np.linalg.norm(vector) * np.linalg.norm(other[key]))


@pytest.fixture
def by_torch(photos: Path, tmp_path: Path, model: Model) -> dict[bytes, Floats]:
    with Library.create(tmp_path / "torch") as library:
        assert run_of(library, model, photos, precision="fp32").summary.encoded == COUNT
        return vectors_of(library)


def test_the_first_run_makes_towers_and_null_queries_and_the_next_starts_with_them(
    photos: Path, tmp_path: Path, model: Model, by_torch: dict[bytes, Floats]
) -> None:
    said = []
    with Library.create(tmp_path / "library") as library:
        pipeline = Pipeline(library, Chosen([model]), Options(), report=lambda state: said.append(state.phase))
        assert pipeline.run([photos]).encoded == COUNT
        assert_alike(by_torch, vectors_of(library))
        assert open_compiled(model, pictures=True, texts=True) is not None
        assert list((library.path / "vectors").glob("nulls-*"))
    assert {"loading", "indexing"} <= set(said)


def test_one_new_picture_is_indexed_without_torch(photos: Path, tmp_path: Path) -> None:
    library, rest = tmp_path / "library", tmp_path / "rest"
    rest.mkdir()
    late = min(photos.rglob("*.jpg"))
    kept = late.rename(rest / late.name)

    def run() -> tuple[str, int]:
        command = [sys.executable, "-c", RUN, str(photos), "--library", str(library), "--space", "demo", "-q"]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout.strip(), done.returncode

    assert run()[1] == 0
    kept.rename(late)
    assert run() == ("False", 0)
    with Library.open(library) as opened:
        assert len(vectors_of(opened)) == COUNT
    assert run() == ("False", 0)  # and a run without news


def test_towers_are_made_with_thumbnails_whatever_else_lies_among_them(
    photos: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Mac writes files of its own beside pictures on a drive that is not its own."""
    late = min(photos.rglob("*.jpg"))
    kept = late.rename(tmp_path / late.name)
    with Library.create(tmp_path / "library") as library:
        run_of(library, model, photos)
        thumbnail = next(library.thumbnails.folder.glob("??/*.jpg"))
        for name in (f"._{thumbnail.name}", "cover.jpg"):
            (thumbnail.parent / name).write_bytes(b"Mac OS X")
        assert thumbnail.stem in [content_hash.hex() for content_hash in library.thumbnails.hashes()]
        assert len(list(library.thumbnails.hashes())) == COUNT - 1
        monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
        kept.rename(late)
        assert run_of(library, model, photos).summary.encoded == 1
        assert open_compiled(model, pictures=True, texts=True) is not None


def test_vectors_of_torch_alone_are_those_of_the_compiled_demo_model(photos: Path, tmp_path: Path) -> None:
    demo, made = resolve("demo"), []
    for precision in ("fp32", "auto"):
        with Library.create(tmp_path / precision) as library:
            run_of(library, demo, photos, precision=precision)
            made.append(vectors_of(library))
    assert_alike(*made)


@pytest.mark.parametrize("worth", [0.0, 1e9], ids=["torch is quicker", "the tower is quicker"])
def test_a_long_run_times_both_and_goes_on_with_the_quicker(
    photos: Path, tmp_path: Path, model: Model, by_torch: dict[bytes, Floats], monkeypatch: pytest.MonkeyPatch,
    worth: float,
) -> None:  # fmt: skip
    run_first(tmp_path, model, photos)
    for name, value in {"KERNELS_LEFT": 1, "TRIAL_LEFT": 1, "_WARM": 2, "_TIMED": 4, "_WORTH": worth}.items():
        monkeypatch.setattr(quicker, name, value)
    (cache_folder() / "quicker.cache").unlink(missing_ok=True)
    with Library.create(tmp_path / "library") as library:
        summary = run_of(library, model, photos).summary
        assert (summary.encoded, summary.added, summary.failed) == (COUNT, COUNT, 0)
        assert_alike(by_torch, vectors_of(library))


def test_torch_that_was_measured_to_be_quicker_is_taken_without_another_trial(
    photos: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_first(tmp_path, model, photos)
    for name, value in {"KERNELS_LEFT": 1, "TRIAL_LEFT": 1, "_WARM": 2, "_TIMED": 4, "_WORTH": 0.0}.items():
        monkeypatch.setattr(quicker, name, value)
    (cache_folder() / "quicker.cache").unlink(missing_ok=True)
    for left in (1, 10**9):  # the second time there are too few files for a trial
        monkeypatch.setattr(quicker, "TRIAL_LEFT", left)
        compiled = open_compiled(model, pictures=True, texts=False)
        assert compiled is not None
        chooser = quicker.Quicker(model, compiled)
        encoded, end = 0, time.monotonic() + 120
        while type(chosen := chooser.next(encoded, encoded / 100, 1_000)) is not Encoder or encoded < 100:
            assert time.monotonic() < end
            encoded += 2
            time.sleep(0.01)
        chooser.close()
        chosen.close()


def test_a_run_that_is_stopped_while_torch_loads_keeps_what_was_encoded(
    photos: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_first(tmp_path, model, photos)
    monkeypatch.setattr(quicker, "KERNELS_LEFT", 1)
    monkeypatch.setattr(quicker, "TRIAL_LEFT", 1)
    (cache_folder() / "quicker.cache").unlink(missing_ok=True)
    with Library.create(tmp_path / "library") as library:
        first = Pipeline(library, Chosen([model]), Options(batch_size=2), report=lambda p: stop(p.done))

        def stop(done: int) -> None:
            if done >= 4:
                first.stop.set()

        encoded = first.run([photos]).encoded
        assert 4 <= encoded < COUNT
        assert len(vectors_of(library)) == encoded
        assert run_of(library, model, photos).summary.encoded == COUNT - encoded
        assert len(vectors_of(library)) == COUNT


def run_first(tmp_path: Path, model: Model, photos: Path) -> None:
    """Have the towers made, by a library of their own."""
    if open_compiled(model, pictures=True, texts=False) is None:
        with Library.create(tmp_path / "first") as library:
            run_of(library, model, photos)
