"""A run whose JPEGs a GPU decodes: the same library, and a refusal where there is none.

torchcodec decodes on the CPU through the same door.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pictures import encoded, oriented, photo
from searching import vectors_of

from indexer.chosen_spaces import Chosen
from indexer.commands import run
from indexer.options import Options
from indexer.pipeline import Pipeline
from sightline.images.gpu_jpeg import GpuJpegDecoder
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.library import Library

pytest.importorskip("torchcodec", reason="torchcodec is made for Linux only")


@pytest.fixture
def gpu() -> Iterator[GpuJpegDecoder]:
    made = GpuJpegDecoder("cpu", cores=1)
    yield made
    made.close()


def test_a_run_that_decodes_on_a_gpu_fills_the_same_library(
    tmp_path: Path, tiny_space: str, gpu: GpuJpegDecoder
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for step in range(60):
        data = encoded(photo(240 + step, 200), "JPEG", exif=oriented(step % 8 + 1))
        (photos / f"{step}.jpg").write_bytes(data if step % 20 else data[: len(data) // 2])
    (photos / "other.png").write_bytes(encoded(photo(100, 80), "PNG"))
    model = resolve(tiny_space)
    held = []
    for name, decoder in (("cpu", None), ("gpu", gpu)):
        with Library.create(tmp_path / name) as library:
            encoder = Encoder(model, device="cpu", precision="fp32")
            summary = Pipeline(library, Chosen([model]), Options(workers=2), encoders=[encoder], gpu=decoder).run(
                [photos]
            )
            assert (summary.encoded, summary.failed) == (58, 3)
            failed = sorted((each.path, each.stage, each.reason) for each in library.catalog.failures())
            held.append((vectors_of(library), failed))
    assert gpu.decoded > 0
    (here, failed_here), (there, failed_there) = held
    assert failed_here == failed_there
    assert here.keys() == there.keys()
    assert all(vector @ there[key] >= 0.999 for key, vector in here.items())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_gpu_that_is_not_here_is_refused_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(encoded(photo(64, 48), "JPEG"))
    command = [str(tmp_path / "photos"), "--library", str(tmp_path / "library"), "--decode-on", "gpu"]
    assert run(command) == 2
    assert "needs a CUDA device" in capsys.readouterr().err
    assert not (tmp_path / "library" / "library.sqlite").exists()
