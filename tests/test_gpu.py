"""What only a CUDA device can show: the CPU's vectors, in the order of the batches, with as little memory as there is.

Skipped, aloud, where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import models
import numpy as np
import pytest
import torch
from PIL import Image

from indexer.encoder import Encoder
from indexer.fleet import Fleet, open_encoder
from indexer.models import Model, resolve

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

DEMO = Path(__file__).parent / "fixtures" / "demo"
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


def pictures(model: Model, count: int = 24) -> torch.Tensor:
    files = sorted(DEMO.rglob("*.jpg"))
    prepared = []
    for turn in range(count):
        with Image.open(files[turn % len(files)]) as image:
            prepared.append(model.preprocess.apply(np.asarray(image.convert("RGB"))))
    return torch.stack(prepared)


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
    staged = torch.empty_like(every[:32])
    flying = []
    for batch in batches:
        staged[: len(batch)] = batch
        flying.append(encoder.submit(staged[: len(batch)]))
    staged.zero_()
    for pending, vectors in zip(flying, expected, strict=True):
        np.testing.assert_allclose(pending.vectors(), vectors, atol=1e-4)
        assert pending.seconds > 0


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Room for some 150 MB beyond what is held."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    yield torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(0) + 150 * 2**20) / total, 0)
    torch.cuda.set_per_process_memory_fraction(1.0, 0)


def test_a_batch_that_does_not_fit_is_halved_until_it_does(spaces: dict[str, Model], little_memory: None) -> None:
    encoder = Encoder(spaces["timm"], device="cuda:0", precision="fp32")
    few = pictures(spaces["timm"], 8)
    expected = encoder.encode_images(few)
    many = few.repeat(256, 1, 1, 1)  # 600 MB as float32
    vectors = encoder.encode_images(many)
    assert encoder.batch_limit is not None and encoder.batch_limit < len(many)
    assert (vectors.reshape(256, 8, -1) * expected).sum(-1).min() > 0.9995


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device here")
def test_cuda_is_all_cards(spaces: dict[str, Model]) -> None:
    fleet = open_encoder(spaces["clip"], device="cuda", precision="fp32")
    assert isinstance(fleet, Fleet)
    batch = pictures(spaces["clip"])
    expected = Encoder(spaces["clip"], device="cpu", precision="fp32").encode_images(batch)
    for pending in [fleet.submit(batch) for _ in range(4 * torch.cuda.device_count())]:
        assert (pending.vectors() * expected).sum(1).min() >= 0.9995
    fleet.close()
