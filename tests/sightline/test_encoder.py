"""Pixels and words to unit vectors, the way each model's own configuration says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import models
import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from examples import examples
from sightline.models.devices import choose_device, choose_precision
from sightline.models.encoder import Encoder
from sightline.models.interface import TextTooLongError
from sightline.models.preprocess import Preprocess
from sightline.models.presets import PRESETS
from sightline.models.resolve import resolve
from store.errors import SpaceError


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return models.each(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("kind", ["clip", "siglip", "timm"])
def test_rows_have_length_one_and_do_not_depend_on_their_batch(spaces: dict[str, str], kind: str) -> None:
    encoder = Encoder(resolve(spaces[kind]), precision="fp32")
    batch = models.noise(7, encoder.preprocess.size)
    vectors = encoder.encode_images(batch)
    assert vectors.dtype == np.float32
    assert vectors.shape == (7, encoder.model.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode_images(batch[row : row + 1]) for row in range(7)])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert encoder.encode_images(batch[:0]).shape == (0, encoder.model.dim)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_vectors_are_open_clips_own(spaces: dict[str, str], kind: str) -> None:
    """The whole path against open_clip used by the book: its transform, its tokenizer, its model."""
    model, _, transform = open_clip.create_model_and_transforms(spaces[kind])
    model.eval()
    encoder = Encoder(resolve(spaces[kind]), precision="fp32")
    picture = Image.effect_mandelbrot((500, 400), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(model.encode_image(transform(picture)[None]), dim=-1).numpy()
        words = open_clip.get_tokenizer(spaces[kind])(["two red boats", "A  CAT!"])
        expected_text = torch.nn.functional.normalize(model.encode_text(words), dim=-1).numpy()
    prepared = encoder.preprocess.apply(np.asarray(picture))
    assert float((encoder.encode_images(prepared[None]) @ expected.T)[0, 0]) > 0.999
    np.testing.assert_allclose(encoder.encode_texts(["two red boats", "A  CAT!"]), expected_text, atol=1e-5)


def test_siglip_like_text_is_canonicalised_and_padded(spaces: dict[str, str]) -> None:
    """SigLIP 2 was trained on lower-case text without punctuation, padded: anything else scores lower."""
    encoder = Encoder(resolve(spaces["siglip"]), precision="fp32")
    plain, shouted = encoder.encode_texts(["two red boats", "Two RED boats!!"])
    np.testing.assert_allclose(plain, shouted, atol=1e-6)
    assert tuple(encoder._tokenizer(["two red boats"]).shape) == (1, 16)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_text_that_does_not_fit_is_named_and_not_cut(spaces: dict[str, str], kind: str) -> None:
    encoder = Encoder(resolve(spaces[kind]), precision="fp32")
    with pytest.raises(TextTooLongError, match=r"boat.*tokens; the model .* reads 16"):
        encoder.encode_texts(["boat " * 40])
    encoder.encode_texts(["two boats"])


def test_a_picture_only_space_says_that_it_has_no_words(spaces: dict[str, str]) -> None:
    model = resolve(spaces["timm"])
    assert not model.has_text
    with pytest.raises(SpaceError, match="no words"):
        Encoder(model).encode_texts(["a boat"])


@pytest.mark.parametrize("kind", ["clip", "siglip", "timm"])
def test_half_precision_agrees_with_float32(spaces: dict[str, str], kind: str) -> None:
    model = resolve(spaces[kind])
    full, half = Encoder(model, precision="fp32"), Encoder(model, precision="bf16")
    batch = models.noise(8, model.preprocess.size)
    cosines = (full.encode_images(batch) * half.encode_images(batch)).sum(1)
    assert cosines.min() > 0.999
    if model.has_text:
        texts = ["a boat", "two red boats"]
        assert (full.encode_texts(texts) * half.encode_texts(texts)).sum(1).min() > 0.999


def test_a_device_that_is_not_here_is_refused_with_the_way_out() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(SpaceError, match="--device"):
            choose_device("cuda")
    with pytest.raises(SpaceError, match="choose one of"):
        choose_device("abacus")
    with pytest.raises(SpaceError, match="bf16 or fp32"):
        choose_precision("fp16", torch.device("cpu"))


def test_out_of_memory_halves_the_batch_and_goes_on(spaces: dict[str, str]) -> None:
    encoder = Encoder(resolve(spaces["clip"]), precision="fp32")
    batch = models.noise(13, encoder.preprocess.size)
    expected = encoder.encode_images(batch)
    seen: list[int] = []

    def full(_module: Any, arguments: tuple[torch.Tensor]) -> None:
        seen.append(len(arguments[0]))
        if len(arguments[0]) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")

    visual: Any = encoder.module.visual
    visual.register_forward_pre_hook(full)
    np.testing.assert_allclose(encoder.encode_images(batch), expected, atol=1e-5)
    assert encoder.batch_limit == 4
    seen.clear()
    encoder.encode_images(batch)
    assert max(seen) == 4  # remembered: not run into again


def test_out_of_memory_with_one_picture_is_an_error(spaces: dict[str, str]) -> None:
    encoder = Encoder(resolve(spaces["clip"]), precision="fp32")

    def always(_module: Any, _arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    visual: Any = encoder.module.visual
    visual.register_forward_pre_hook(always)
    with pytest.raises(torch.OutOfMemoryError):
        encoder.encode_images(models.noise(3, encoder.preprocess.size))


@given(
    width=st.integers(20, 400), height=st.integers(20, 400), seed=st.integers(0, 9),
    mode=st.sampled_from(["shortest", "squash", "longest"]), interpolation=st.sampled_from(["bicubic", "bilinear"]),
)  # fmt: skip
@examples(60)
def test_preprocessing_is_open_clips_to_two_levels_of_255(
    width: int, height: int, seed: int, mode: str, interpolation: str
) -> None:
    config = {"resize_mode": mode, "interpolation": interpolation, "mean": [0.5] * 3, "std": [0.25] * 3}
    ours = Preprocess.from_open_clip(config, 64)
    theirs = open_clip.transform.image_transform(
        64, is_train=False, mean=(0.5,) * 3, std=(0.25,) * 3, resize_mode=mode, interpolation=interpolation
    )
    small = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    expected = (theirs(picture) * 0.25 + 0.5) * 255
    got = torch.from_numpy(ours.apply(np.asarray(picture))).float()
    assert got.shape == expected.shape
    difference = (got - expected).abs()
    assert difference.max() <= 2.01
    assert difference.mean() < 0.5


def test_the_identity_of_a_space_is_its_weights_and_preprocessing(tmp_path: Path) -> None:
    one = models.clip_like(tmp_path / "one")
    same = models.clip_like(tmp_path / "same")
    weights = models.clip_like(tmp_path / "weights", seed=1)
    squash = models.clip_like(tmp_path / "squash", preprocess={"resize_mode": "squash"})
    keys = [resolve(space).identity().key for space in (one, same, weights, squash)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no weights"),
        ({"model.safetensors": "x"}, "neither"),
        ({"model.safetensors": "x", "open_clip_config.json": "{"}, "not a model's configuration"),
        ({"model.safetensors": "x", "config.json": "{}"}, "not a model's configuration"),
    ],
)
def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(SpaceError, match=message):
        resolve(f"local-dir:{tmp_path}")


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    space = models.clip_like(tmp_path)
    weights = tmp_path / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(SpaceError, match="can't be loaded"):
        Encoder(resolve(space))


def test_a_bare_path_to_weights_is_refused_with_the_right_door(tmp_path: Path) -> None:
    models.clip_like(tmp_path)
    for spec in (str(tmp_path / "open_clip_model.safetensors"), str(tmp_path), "./weights.pt"):
        with pytest.raises(SpaceError, match="local-dir:FOLDER"):
            resolve(spec)


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(SpaceError, match="balanced, fast, best"):
        resolve("no-such-model")
    with pytest.raises(SpaceError, match="laion2b_s34b_b79k"):
        resolve("ViT-B-32/no-such-weights")


def test_the_demo_presets_facts_are_the_shipped_models() -> None:
    preset, model = PRESETS["demo"], resolve("demo")
    encoder = Encoder(model, precision="fp32")
    parameters = sum(parameter.numel() for parameter in encoder.module.parameters())
    assert preset.width == model.dim
    assert preset.parameters == pytest.approx(parameters / 1e6, abs=0.06)


HUB = "timm/ViT-B-32-SigLIP2-256"


def in_child(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: huggingface_hub reads its settings once, when it is imported."""
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("offline", [True, False])
def test_weights_that_are_not_here_and_no_hub_give_one_error_with_three_ways_out(tmp_path: Path, offline: bool) -> None:
    code = f"from sightline.models.resolve import resolve; resolve('fast', offline={offline})"
    # A port that nothing listens on: refused at once, as an unplugged network is.
    done = in_child(code, HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9")
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("store.errors.SpaceError")
    for way in ("connect once", "local-dir:FOLDER", "--space demo"):
        assert way in error


@pytest.mark.slow
def test_cached_weights_are_used_without_a_network(tmp_path: Path) -> None:
    """A cache as huggingface_hub keeps it, with a small model under a preset's name."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / f"models--{HUB.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    models.siglip_like(repository / "snapshots" / commit)
    code = (
        "import json; from sightline.models.resolve import resolve; from sightline.models.encoder import Encoder\n"
        "model = resolve('fast', offline=True)\n"
        "vectors = Encoder(model).encode_texts(['two red boats'])\n"
        "print(json.dumps([model.weights, model.name, list(vectors.shape)]))"
    )
    done = in_child(code, HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert json.loads(done.stdout) == [f"{HUB}@{commit}", "fast", [1, 64]], done.stderr
