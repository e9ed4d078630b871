"""What only a CUDA device can show: the CPU's vectors, in the order of the batches, with as little memory as there is.

Skipped, aloud, where there is none.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import models
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pictures import decibels, encoded, final, oriented, photo
from PIL import Image
from support import DEMO

from sightline.images.decode import decode
from sightline.images.gpu_jpeg import GpuJpegDecoder
from sightline.models import load
from sightline.models.encoder import Encoder
from sightline.models.multi_gpu import MultiDeviceEncoder
from sightline.models.resolve import Model, resolve

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

# Not "clip": its weights are drawn so far apart that bfloat16 gives 0.9986 on a CPU as well.
KINDS = ["demo", "siglip", "timm"]


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("models")
    named = {
        "demo": "demo",
        "clip": models.clip_like(folder / "clip"),
        "siglip": models.siglip_like(folder / "siglip"),
        "timm": models.picture_only(folder / "timm"),
    }
    return {name: resolve(spec) for name, spec in named.items()}


def pictures(model: Model, count: int = 24) -> NDArray[np.uint8]:
    files = sorted(DEMO.rglob("*.jpg"))
    prepared = []
    for turn in range(count):
        with Image.open(files[turn % len(files)]) as image:
            prepared.append(model.preprocess.apply(np.asarray(image.convert("RGB"))))
    return np.stack(prepared)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "auto"])
def test_a_gpu_gives_the_vectors_of_the_cpu_in_float32(spaces: dict[str, Model], kind: str, precision: str) -> None:
    model = spaces[kind]
    batch = pictures(model)
    cpu = Encoder(model, device="cpu", precision="fp32")
    gpu = Encoder(model, device="cuda", precision=precision)
    assert (cpu.encode_images(batch) * gpu.encode_images(batch)).sum(1).min() >= 0.9995
    if model.has_text:
        texts = ["a boat", "two red boats on a lake"]
        assert (cpu.encode_texts(texts) * gpu.encode_texts(texts)).sum(1).min() >= 0.9995


def test_batches_in_flight_come_back_in_their_order_and_may_be_overwritten(spaces: dict[str, Model]) -> None:
    encoder = Encoder(spaces["timm"], device="cuda", precision="fp32")
    every = pictures(spaces["timm"], 96)
    batches = [every[start : start + 8 + turn] for turn, start in enumerate(range(0, 80, 8))]
    expected = [encoder.encode_images(batch) for batch in batches]
    staged = np.empty_like(every[:32])
    in_flight = []
    for batch in batches:
        staged[: len(batch)] = batch
        in_flight.append(encoder.submit(staged[: len(batch)]))
    staged.fill(0)
    for pending, vectors in zip(in_flight, expected, strict=True):
        np.testing.assert_allclose(pending.vectors(), vectors, atol=1e-4)
        assert pending.seconds > 0


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Room for some 150 MB beyond what is held."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(0) + 150 * 2**20) / total, 0)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, 0)


def test_a_batch_that_does_not_fit_is_halved_until_it_does(spaces: dict[str, Model], little_memory: None) -> None:
    encoder = Encoder(spaces["timm"], device="cuda:0", precision="fp32")
    few = pictures(spaces["timm"], 8)
    expected = encoder.encode_images(few)
    many = np.tile(few, (256, 1, 1, 1))  # 600 MB as float32
    vectors = encoder.encode_images(many)
    assert encoder.batch_limit is not None and encoder.batch_limit < len(many)
    assert (vectors.reshape(256, 8, -1) * expected).sum(-1).min() > 0.9995


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device here")
def test_cuda_is_every_gpu(spaces: dict[str, Model]) -> None:
    several = load(spaces["clip"], device="cuda", precision="fp32", texts=False)
    assert isinstance(several, MultiDeviceEncoder)
    batch = pictures(spaces["clip"])
    expected = Encoder(spaces["clip"], device="cpu", precision="fp32").encode_images(batch)
    for pending in [several.submit(batch) for _ in range(4 * torch.cuda.device_count())]:
        assert (pending.vectors() * expected).sum(1).min() >= 0.9995
    several.close()


@pytest.fixture
def decoder() -> Iterator[GpuJpegDecoder]:
    pytest.importorskip("torchcodec", reason="torchcodec is not installed")
    made = GpuJpegDecoder("cuda", cores=2)
    yield made
    made.close()


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}], ids=str)
def test_a_gpu_decodes_what_the_cores_do(decoder: GpuJpegDecoder, sampling: str, options: dict[str, Any]) -> None:
    for orientation in (1, 3, 6):
        for size, scale in (((320, 240), 1), ((300, 300), 1), ((2048, 1536), 4)):
            for mode in ("RGB", "L"):
                picture = photo(*size).convert(mode)
                how = {**options, "quality": 92, "subsampling": sampling if mode == "RGB" else 0}
                with decoder.cores:
                    pixels = decoder.decode(encoded(picture, "JPEG", exif=oriented(orientation), **how), size, scale)
                assert pixels is not None
                here = decode(io.BytesIO(encoded(picture, "JPEG", **how)), need=160).pixels
                # A GPU may spread the colours over their pixels in another way.
                assert decibels(final(pixels), final(here)) >= (45 if sampling == "4:4:4" else 38)


def test_a_gpu_refuses_what_is_no_picture_and_gives_all_others_to_who_asked(decoder: GpuJpegDecoder) -> None:
    sizes = [(200 + step, 150) for step in range(32)]
    files = [
        encoded(photo(*size), "JPEG") if step % 8 else b"\xff\xd8\xff\xda no picture \xff\xd9"
        for step, size in enumerate(sizes)
    ]

    def ask(step: int) -> Any:
        with decoder.cores:
            return decoder.decode(files[step], sizes[step], 1)

    with ThreadPoolExecutor(decoder.threads) as pool:
        made = list(pool.map(ask, range(len(files))))
    for step, pixels in enumerate(made):
        assert (pixels is not None) == (step % 8 > 0)
        if pixels is not None:
            assert decibels(final(pixels), final(decode(io.BytesIO(files[step]), need=160).pixels)) >= 38
