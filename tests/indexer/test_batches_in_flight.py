"""A run with batches in flight on one device and on several: every picture keeps its vector, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from searching import vectors_of

from indexer.chosen_spaces import Chosen
from indexer.options import Options
from indexer.pipeline import Pipeline
from sightline.models.encoder import Encoder
from sightline.models.multi_gpu import MultiDeviceEncoder
from sightline.models.resolve import Model, resolve
from store.arrays import Floats
from store.library import Library


@pytest.fixture(scope="module")
def model(tiny_space: str) -> Model:
    return resolve(tiny_space)


@pytest.fixture
def two(model: Model) -> Iterator[MultiDeviceEncoder]:
    several = MultiDeviceEncoder(model, ["cpu", "cpu"], precision="fp32")
    yield several
    several.close()


def test_a_run_with_batches_in_flight_gives_every_picture_its_own_vector(
    photos: Path, tmp_path: Path, model: Model, two: MultiDeviceEncoder
) -> None:
    one = Encoder(model, device="cpu", precision="fp32")
    made: list[dict[bytes, Floats]] = []
    for name, encoder in (("one", one), ("two", two)):
        with Library.create(tmp_path / name) as library:
            summary = Pipeline(library, Chosen([model]), Options(batch_size=3), encoders=[encoder]).run([photos])
            assert (summary.encoded, summary.added, summary.failed) == (24, 24, 0)
            made.append(vectors_of(library))
    assert made[0].keys() == made[1].keys()
    for key, vector in made[0].items():
        np.testing.assert_allclose(made[1][key], vector, atol=2e-3)  # kept as float16


def test_a_run_that_is_stopped_with_batches_in_flight_loses_none_that_were_read(
    photos: Path, tmp_path: Path, model: Model, two: MultiDeviceEncoder
) -> None:
    with Library.create(tmp_path / "library") as library:
        first = Pipeline(library, Chosen([model]), Options(batch_size=2), encoders=[two], report=lambda p: stop(p.done))

        def stop(done: int) -> None:
            if done >= 7:
                first.stop.set()

        encoded = first.run([photos]).encoded
        assert 7 <= encoded < 24
        assert len(vectors_of(library)) == encoded
        assert Pipeline(library, Chosen([model]), Options(), encoders=[two]).run([photos]).encoded == 24 - encoded
        assert len(vectors_of(library)) == 24
