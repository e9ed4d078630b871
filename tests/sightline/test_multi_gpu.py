"""Batches in flight, and several devices as one encoder: the vectors and their order are those of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import models
import numpy as np
import pytest
import torch
from open_clip.transformer import VisionTransformer
from torch.nn.modules.module import register_module_forward_pre_hook

from sightline.models import load
from sightline.models.devices import choose_device, choose_devices
from sightline.models.encoder import Encoder
from sightline.models.multi_gpu import MultiDeviceEncoder
from sightline.models.resolve import Model, resolve
from store.errors import SpaceError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return resolve(models.clip_like(tmp_path_factory.mktemp("clip")))


@pytest.fixture(scope="module")
def one(model: Model) -> Encoder:
    return Encoder(model, device="cpu", precision="fp32")


@pytest.fixture
def two(model: Model) -> Iterator[MultiDeviceEncoder]:
    several = MultiDeviceEncoder(model, ["cpu", "cpu"], precision="fp32")
    yield several
    several.close()


def noise(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)


@contextmanager
def before_each_batch(act: Any) -> Iterator[None]:
    """`act(pixels)` in whichever model is about to see them."""

    def hook(module: torch.nn.Module, arguments: Any) -> None:
        if isinstance(module, VisionTransformer):
            act(arguments[0])

    handle = register_module_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def test_what_was_submitted_comes_back_in_its_order_whenever_it_is_asked(one: Encoder, two: MultiDeviceEncoder) -> None:
    batches = [noise(1 + turn % 4, seed=turn) for turn in range(9)]
    expected = [one.encode_images(batch) for batch in batches]
    for encoder in (one, two):
        in_flight = [encoder.submit(batch) for batch in batches]
        for pending, vectors in reversed(list(zip(in_flight, expected, strict=True))):
            np.testing.assert_allclose(pending.vectors(), vectors, atol=1e-5)
            assert pending.vectors() is pending.vectors()
            assert pending.seconds > 0


def test_a_batch_may_be_overwritten_once_an_encoder_has_it(one: Encoder) -> None:
    batch = noise(5)
    expected = one.encode_images(batch)
    pending = one.submit(batch)
    batch.zero_()
    np.testing.assert_allclose(pending.vectors(), expected, atol=1e-6)


def test_two_devices_work_at_the_same_time(two: MultiDeviceEncoder) -> None:
    meeting = threading.Barrier(2, timeout=60)  # breaks, and with it the batch, where only one comes
    with before_each_batch(lambda _: meeting.wait()):
        in_flight = [two.submit(noise(2)) for _ in range(two.ahead)]
        assert [pending.vectors().shape for pending in in_flight] == [(2, 32)] * 2


def test_what_is_wrong_with_a_batch_is_told_to_who_asks_for_it_and_the_next_goes_on(
    one: Encoder, two: MultiDeviceEncoder
) -> None:
    in_flight = [two.submit(noise(2).float()), two.submit(noise(2)), two.submit(noise(0)), two.submit(noise(2)[:, :1])]
    for row in (0, 3):
        with pytest.raises(ValueError, match="a batch is uint8"):
            in_flight[row].vectors()
    np.testing.assert_allclose(in_flight[1].vectors(), one.encode_images(noise(2)), atol=1e-5)
    assert in_flight[2].vectors().shape == (0, 32)


def test_out_of_memory_on_one_of_several_devices_halves_its_batches(one: Encoder, two: MultiDeviceEncoder) -> None:
    expected = one.encode_images(noise(13))

    def full(pixels: torch.Tensor) -> None:
        if len(pixels) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")

    assert two.batch_limit is None
    with before_each_batch(full):
        in_flight = [two.submit(noise(13)) for _ in range(4)]
        for pending in in_flight:
            np.testing.assert_allclose(pending.vectors(), expected, atol=1e-5)
    assert two.batch_limit == 4


def test_closing_finishes_what_is_being_computed(model: Model, one: Encoder) -> None:
    several = MultiDeviceEncoder(model, ["cpu", "cpu"], precision="fp32")
    inside, go = threading.Event(), threading.Event()

    def hold(_pixels: torch.Tensor) -> None:
        inside.set()
        assert go.wait(60)

    with before_each_batch(hold):
        pending = several.submit(noise(3))
        assert inside.wait(60)
        closing = threading.Thread(target=several.close)
        closing.start()
        go.set()
        closing.join(60)
    np.testing.assert_allclose(pending.vectors(), one.encode_images(noise(3)), atol=1e-5)


def test_a_model_that_is_loaded_on_one_device_is_one_encoder(model: Model) -> None:
    assert choose_devices("cpu") == ["cpu"]
    assert isinstance(load(model, device="cpu", texts=False), Encoder)


@pytest.mark.parametrize("name", ["cuda:", "cuda:x", "cuda:-1", "cuda:0 ", "cpu:0"])
def test_a_device_that_has_no_such_name_is_refused(name: str) -> None:
    with pytest.raises(SpaceError, match="choose one of"):
        choose_devices(name)


def test_a_gpu_that_is_not_here_is_refused_with_the_way_out() -> None:
    name = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(SpaceError, match=r"--device auto|cuda:0 to"):
        choose_device(name)
