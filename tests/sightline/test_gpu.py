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
from pictures import decibels, encoded, final, oriented, photo
from PIL import Image
from support import DEMO

from sightline.images.decode import decode
from sightline.images.gpu_jpeg import Cards
from sightline.images.jpeg import bare
from sightline.models.devices import choose_devices
from sightline.models.encoder import Encoder
from sightline.models.multi_gpu import Fleet, open_encoder
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
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(0) + 150 * 2**20) / total, 0)
    yield
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


@pytest.fixture
def cards() -> Iterator[Cards]:
    pytest.importorskip("torchcodec", reason="torchcodec is not installed")
    made = Cards(choose_devices("cuda"))
    yield made
    made.close()


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}], ids=str)
def test_a_card_decodes_what_the_cores_do(cards: Cards, sampling: str, options: dict[str, Any]) -> None:
    for orientation in (1, 3, 6):
        for size, scale in (((320, 240), 1), ((300, 300), 1), ((2048, 1536), 4)):
            for mode in ("RGB", "L"):
                picture = photo(*size).convert(mode)
                how = {**options, "quality": 92, "subsampling": sampling if mode == "RGB" else 0}
                data = encoded(picture, "JPEG", exif=oriented(orientation), **how)
                file = bare(data)
                assert file is not None
                taken = cards.decode(file, size, scale)
                assert taken.pixels is not None
                here = decode(io.BytesIO(encoded(picture, "JPEG", **how)), need=160).pixels
                # A card may spread the colours over their pixels in another way.
                assert decibels(final(taken.pixels), final(here)) >= (45 if sampling == "4:4:4" else 38)


def test_many_pictures_from_a_card_come_back_each_to_who_asked_for_it(cards: Cards) -> None:
    files = [encoded(photo(200 + step, 150), "JPEG") for step in range(100)]
    with ThreadPoolExecutor(cards.slots) as pool:
        made = list(
            pool.map(lambda step: cards.decode(bytearray(files[step]), (200 + step, 150), 1).pixels, range(100))
        )
    for step, pixels in enumerate(made):
        assert pixels is not None
        assert decibels(final(pixels), final(decode(io.BytesIO(files[step]), need=160).pixels)) >= 38


def test_a_card_refuses_what_is_no_picture_and_none_beside_it(cards: Cards) -> None:
    whole = encoded(photo(320, 240), "JPEG")
    files = [whole if step % 8 else b"\xff\xd8\xff no picture \xff\xd9" for step in range(32)]
    with ThreadPoolExecutor(cards.slots) as pool:
        made = list(pool.map(lambda data: cards.decode(bytearray(data), (320, 240), 1).pixels, files))
    assert [pixels is not None for pixels in made] == [data is whole for data in files]
