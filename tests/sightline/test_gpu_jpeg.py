"""JPEGs decoded on GPUs beside the cores: the same pictures and the same refusals.

torchcodec decodes on the CPU through the same door, which shows all but what nvJPEG itself does (test_gpu.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pictures import TURNS, decibels, encoded, final, oriented, photo

from sightline.images.decode import Decoded, DecodeError, decode
from sightline.images.gpu_jpeg import GpuJpegDecoder

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
