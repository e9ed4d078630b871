"""JPEGs decoded on GPUs beside the cores: the same pictures and the same refusals.

torchcodec decodes on the CPU through the same door, which shows all but what nvJPEG itself does (test_gpu.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import models
import numpy as np
import pytest
import torch
from pictures import TURNS, decibels, encoded, final, oriented, photo
from searching import vectors_of

from indexer.commands import run as run_indexer
from indexer.pipeline import Options, Pipeline
from sightline.images.decode import Decoded, DecodeError, decode
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


def together(files: list[bytes], gpu: GpuJpegDecoder) -> list[Decoded | DecodeError]:
    """Files decoded by as many threads as a run has."""

    def one(data: bytes) -> Decoded | DecodeError:
        with gpu.cores:
            try:
                return decode(io.BytesIO(data), need=64, gpu=gpu)
            except DecodeError as error:
                return error

    with ThreadPoolExecutor(gpu.threads) as pool:
        return list(pool.map(one, files))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_gpu_gives_upright_pictures_as_exact_as_the_cpu_does(gpu: GpuJpegDecoder, orientation: int) -> None:
    upright = photo(1202, 901)
    stored = upright.transpose(TURNS[orientation]) if orientation > 1 else upright
    data = encoded(stored, "JPEG", exif=oriented(orientation), quality=95)
    here = decode(io.BytesIO(data), need=64).pixels
    whole = final(np.asarray(upright))
    for made in together([data] * 4, gpu):
        assert isinstance(made, Decoded)
        assert made.pixels.shape == here.shape == (451, 601, 3)
        assert made.pixels.flags.c_contiguous and made.pixels.flags.writeable
        assert decibels(final(made.pixels), whole) >= min(45, decibels(final(here), whole))
    assert gpu.decoded > 0


def test_whatever_a_file_holds_a_gpu_changes_neither_pixels_nor_refusals(gpu: GpuJpegDecoder) -> None:
    whole = encoded(photo(640, 480), "JPEG", quality=92)
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/></rdf:RDF></x:xmpmeta>'
    )
    hurt = bytearray(whole)
    hurt[len(whole) // 2 : len(whole) // 2 + 40] = b"\xff\xc4" * 20
    with_thumbnail = encoded(photo(640, 480), "JPEG", exif=oriented(1) + encoded(photo(32, 32), "JPEG"))
    files = [
        whole,
        encoded(photo(300, 200).convert("L"), "JPEG"),
        whole[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + whole[2:],  # turned by its XMP alone
        bytes(hurt),
        whole[: len(whole) // 2],
        b"\xff\xd8\xff" + b"no picture" * 9,
        with_thumbnail[: len(with_thumbnail) * 2 // 3],  # cut, but its thumbnail has an end
        encoded(photo(640, 480), "JPEG", keep_rgb=True),
        encoded(photo(64, 48), "PNG"),
    ]
    for data, made in zip(files * 5, together(files * 5, gpu), strict=True):
        try:
            alone = decode(io.BytesIO(data), need=64)
        except DecodeError as error:
            assert isinstance(made, DecodeError) and made.reason == error.reason
        else:
            assert isinstance(made, Decoded)
            np.testing.assert_array_equal(made.pixels, alone.pixels)
            assert (made.facts, made.thumbnail, made.colour) == (alone.facts, alone.thumbnail, alone.colour)
    assert gpu.decoded >= 3


def test_a_closed_decoder_leaves_pictures_to_the_cpu(gpu: GpuJpegDecoder) -> None:
    gpu.close()
    assert isinstance(together([encoded(photo(64, 48), "JPEG")], gpu)[0], Decoded)
    assert gpu.decoded == 0


def test_a_run_that_decodes_on_a_gpu_fills_the_same_library(tmp_path: Path, gpu: GpuJpegDecoder) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for step in range(60):
        data = encoded(photo(240 + step, 200), "JPEG", exif=oriented(step % 8 + 1))
        (photos / f"{step}.jpg").write_bytes(data if step % 20 else data[: len(data) // 2])
    (photos / "other.png").write_bytes(encoded(photo(100, 80), "PNG"))
    model = resolve(models.clip_like(tmp_path / "model"))
    held = []
    for name, decoder in (("cpu", None), ("gpu", gpu)):
        with Library.create(tmp_path / name) as library:
            encoder = Encoder(model, device="cpu", precision="fp32")
            summary = Pipeline(library, model, Options(workers=2), encoder=encoder, gpu=decoder).run([photos])
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
    assert run_indexer(command) == 2
    assert "needs a CUDA device" in capsys.readouterr().err
    assert not (tmp_path / "library" / "library.sqlite").exists()
