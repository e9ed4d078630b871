"""How a CPU runs a model: whatever is chosen gives float32's vectors, and is chosen once."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from sightline.models import cpu_backends
from sightline.models.cache_folder import read_object, write_object
from sightline.models.cpu_backends import Backend, Probe
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.checked_files import sealed
from store.errors import SpaceError

QUICK = Probe(seconds=0.02, max_disagreement=float("inf"))
"""However busy the machine, the choice is remembered."""


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of remembered choices, in a folder that is not there yet."""
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "a" / "cache"))
    return tmp_path / "a" / "cache" / "backends.cache"


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return models.each(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("kind", ["clip", "siglip", "timm"])
@pytest.mark.parametrize("candidate", cpu_backends.CANDIDATES, ids=lambda candidate: candidate.name)
def test_every_back_end_gives_float32s_vectors(
    spaces: dict[str, str], own_cache: Path, kind: str, candidate: Backend
) -> None:
    model = resolve(spaces[kind])
    full = Encoder(model, device="cpu", precision="fp32")
    # Taken even where it is slower.
    other = Encoder(model, device="cpu", probe=replace(QUICK, candidates=(candidate,), min_speedup=0.0))
    if other.backend != candidate:
        pytest.skip(f"this processor or build of torch has no {candidate.name}")
    batch = models.noise(6, model.preprocess.size)
    assert (full.encode_images(batch) * other.encode_images(batch)).sum(1).min() > 0.999
    if model.has_text:
        texts = ["a boat", "two red boats on a lake", "sky"]
        assert (full.encode_texts(texts) * other.encode_texts(texts)).sum(1).min() > 0.999


def test_a_choice_is_remembered_and_found_again(spaces: dict[str, str], own_cache: Path) -> None:
    model = resolve(spaces["clip"])
    chosen = Encoder(model, device="cpu", probe=QUICK).backend.name
    (place,) = read_object(own_cache)
    assert model.identity().key in place and torch.__version__ in place
    other = next(
        backend.name for backend in (cpu_backends.REFERENCE, *cpu_backends.CANDIDATES) if backend.name != chosen
    )
    write_object(own_cache, {place: other})
    assert Encoder(model, device="cpu").backend.name == other
    Encoder(resolve(spaces["timm"]), device="cpu", probe=QUICK)
    assert len(read_object(own_cache)) == 2  # a model's choice is its own


@pytest.mark.parametrize(
    "damage", ["", "{", "[1, 2]", '{"PLACE": "abacus"}', '{"PLACE": 7}', "\0\0", "[" * 100_000], ids=range(7)
)
@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_file_that_is_damaged_or_foreign_is_measured_anew(
    spaces: dict[str, str], own_cache: Path, damage: str, is_sealed: bool
) -> None:
    model = resolve(spaces["clip"])
    Encoder(model, device="cpu", probe=QUICK)
    (place,) = read_object(own_cache)
    text = damage.replace("PLACE", place)
    own_cache.write_bytes(sealed(text.encode(), own_cache.name.encode()) if is_sealed else text.encode())
    found = Encoder(model, device="cpu", probe=QUICK)
    assert read_object(own_cache) == {place: found.backend.name}


def test_where_nothing_can_be_remembered_it_works_all_the_same(
    spaces: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "file"))
    assert np.isfinite(Encoder(resolve(spaces["clip"]), device="cpu", probe=QUICK).encode_texts(["a boat"])).all()


def run(module: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = module(pixels.to(next(module.parameters()).dtype))
    return features


class _Blurred(nn.Module):
    """Features that bfloat16 can't tell apart: differences of large numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(1000, 1001, 64))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean((1, 2, 3))[:, None] + self.weight - 1000


def test_what_is_not_exact_enough_is_never_chosen() -> None:
    tower = _Blurred().requires_grad_(False)
    before = copy.deepcopy(tower.state_dict())
    found, _ = cpu_backends.measure(tower, run, (8, 8), replace(QUICK, min_speedup=0.0))
    assert found.dtype == torch.float32
    assert torch.equal(before["weight"], tower.weight)


@pytest.mark.parametrize(("offset", "texts"), [(0.0, torch.bfloat16), (1000.0, torch.float32)])
def test_texts_are_read_in_float32_where_what_suits_pictures_is_not_exact_enough_for_them(
    tmp_path: Path, own_cache: Path, offset: float, texts: torch.dtype
) -> None:
    space = models.clip_like(tmp_path / "model")
    file = tmp_path / "model" / "open_clip_model.safetensors"
    state = load_file(file)
    # As in `_Blurred`: layer norms take it away again, if the type of the weights has the digits.
    state["positional_embedding"] += offset
    save_file(state, file)
    model = resolve(space)
    Encoder(model, device="cpu", probe=QUICK)
    (place,) = read_object(own_cache)
    write_object(own_cache, {place: "bfloat16"})
    found, full = Encoder(model, device="cpu"), Encoder(model, device="cpu", precision="fp32")
    tower: Any = found.module
    assert found.backend.name == "bfloat16" and tower.visual.conv1.weight.dtype == torch.bfloat16
    assert tower.token_embedding.weight.dtype == texts
    words = ["a boat", "two red boats on a lake", "sky"]
    assert (full.encode_texts(words) * found.encode_texts(words)).sum(1).min() > cpu_backends.MIN_COSINE
    batch = models.noise(6, model.preprocess.size)
    assert (full.encode_images(batch) * found.encode_images(batch)).sum(1).min() > cpu_backends.MIN_COSINE


@pytest.mark.parametrize("slow_turns", [{3}, {2}, set(), {2, 3}], ids=str)
def test_only_a_choice_that_was_the_same_twice_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow_turns: set[int]
) -> None:
    """Work beside the measurement, as a machine has it: bfloat16 is fast, but some of its turns wait."""
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    bfloat16 = next(candidate for candidate in cpu_backends.CANDIDATES if candidate.name == "bfloat16")
    turn, clock = 0, 0.0

    def wait(module: nn.Module, _pixels: object) -> None:
        nonlocal turn, clock
        is_half = module.weight.dtype == torch.bfloat16
        turn += is_half  # the first is for the vectors
        clock += 0.1 if not is_half else 0.3 if turn in slow_turns else 0.01

    tower = nn.Linear(192, 8).requires_grad_(False)
    tower.register_forward_pre_hook(wait)
    one_turn = Probe((bfloat16,), seconds=0.0, clock=lambda: clock)
    found = cpu_backends.choose("key", tower, lambda module, pixels: run(module, pixels.flatten(1)), (8, 8), one_turn)
    assert found == (bfloat16 if not slow_turns else cpu_backends.REFERENCE)
    consistent = len(slow_turns) != 1
    assert (cpu_backends.recall("key") == found) == consistent
    assert (tmp_path / "backends.cache").exists() == consistent


@pytest.mark.parametrize("kind", ["clip", "siglip", "timm"])
def test_measuring_leaves_the_model_as_it_was(spaces: dict[str, str], kind: str) -> None:
    encoder = Encoder(resolve(spaces[kind]), device="cpu", precision="fp32")
    whole: Any = encoder.module
    tower: nn.Module = whole if kind == "timm" else whole.visual
    before = copy.deepcopy(tower.state_dict())
    cpu_backends.measure(tower, run, encoder.preprocess.size, QUICK)
    after = tower.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in after)


def test_padding_that_is_left_out_changes_no_text(spaces: dict[str, str]) -> None:
    """Against open_clip's own way, with texts of different lengths side by side, and one that fills the context."""
    encoder = Encoder(resolve(spaces["clip"]), device="cpu", precision="fp32")
    texts = ["boat", "two red boats on a blue lake", "", "a b c d e f g h i j k l m n"]
    seen: list[int] = []
    tower: Any = encoder.module
    hook = tower.transformer.register_forward_pre_hook(lambda _module, given: seen.append(given[0].shape[1]))
    made = encoder.encode_texts(texts[:2])
    np.testing.assert_allclose(made, encoder.encode_texts(texts)[:2], atol=1e-5)
    hook.remove()
    assert seen == [9, 16]
    with torch.inference_mode():
        plain = functional.normalize(tower.encode_text(encoder._tokenizer(texts)), dim=-1).numpy()
    np.testing.assert_allclose(encoder.encode_texts(texts), plain, atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "siglip", "timm"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_without_texts_the_vectors_are_the_same_and_the_words_are_refused(
    spaces: dict[str, str], kind: str, precision: str
) -> None:
    model = resolve(spaces[kind])
    whole = Encoder(model, device="cpu", precision=precision)
    part = Encoder(model, device="cpu", precision=precision, texts=False)
    batch = models.noise(5, model.preprocess.size)
    np.testing.assert_allclose(part.encode_images(batch), whole.encode_images(batch), atol=1e-6)
    assert part.head is None
    with pytest.raises(SpaceError, match="pictures only"):
        part.encode_texts(["a boat"])
    if model.has_text:
        count = [sum(p.numel() for p in encoder.module.parameters()) for encoder in (whole, part)]
        assert count[1] < count[0]


def test_weights_under_older_names_are_loaded_by_open_clip(tmp_path: Path) -> None:
    """As of a checkpoint that open_clip converts: its image tower is not under `visual.`."""
    expected = Encoder(resolve(models.clip_like(tmp_path)), device="cpu", precision="fp32")
    file = tmp_path / "open_clip_model.safetensors"
    save_file({f"module.{name}": weight for name, weight in load_file(file).items()}, file)
    model = resolve(f"local-dir:{tmp_path}")
    found = Encoder(model, device="cpu", precision="fp32", texts=False)
    batch = models.noise(3, model.preprocess.size)
    np.testing.assert_allclose(found.encode_images(batch), expected.encode_images(batch), atol=1e-6)
