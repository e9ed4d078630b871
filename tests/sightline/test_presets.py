"""What is told of the presets is so: counted again with open_clip and timm, without weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import open_clip
import pytest
import timm
import torch
from hub_cache import COMMITS, add_snapshot
from open_clip.pretrained import get_pretrained_cfg
from timm.models import get_pretrained_cfg as get_timm_cfg
from torch.utils.flop_counter import FlopCounterMode
from zoo import pictures, publish
from zoo_table import ARCHITECTURES

from sightline.models.names import read_name
from sightline.models.presets import DEFAULT_ON_CPU, DEFAULT_ON_GPU, EVERYDAY, OTHERS, PICTURES, PRESETS, Preset
from sightline.models.resolve import resolve
from store.errors import SpaceError

# As its repository has it (UCSC-VLAA/OpenVision, openvision-vit-large-patch14-224.json); open_clip does not list it.
OPEN_VISION: dict[str, Any] = {
    "embed_dim": 768,
    "vision_cfg": {
        "image_size": 224, "layers": 24, "width": 1024, "patch_size": 14, "no_ln_pre": True, "pool_type": "avg",
        "final_ln_after_pool": True,
    },
    "text_cfg": {
        "context_length": 80, "vocab_size": 32000, "hf_tokenizer_name": "bert-base-uncased", "width": 768, "heads": 12,
        "layers": 12, "pool_type": "last", "no_causal_mask": True,
    },
}  # fmt: skip
# How timm writes the licences that are told in words.
IN_WORDS = {
    "dinov3-license": "DINOv3 licence (Meta's own)", "cc-by-nc-4.0": "CC-BY-NC-4.0 (no commercial use)",
    "apache-2.0": "Apache-2.0", "mit": "MIT",
}  # fmt: skip

# How descriptions of a pooling begin, by timm's name of it.
SAID = {"token": "class token", "avg": "mean of", "map": "attention pooling"}


def is_as_told(told: float, counted: float) -> bool:
    """Whether a number is what was counted, to the three figures that are told."""
    return math.isclose(told, counted, rel_tol=0.005, abs_tol=0.051)


def gflops(run: Callable[[torch.Tensor], torch.Tensor], side: int) -> tuple[float, int]:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        width = run(torch.empty(1, 3, side, side, device="meta")).shape[-1]
    return counter.get_total_flops() / 1e9, width


def tokens_of(trunk: Any, side: int) -> int:
    """Of timm's networks: rows of the last block, or the places of the last stage."""
    with torch.no_grad():
        features = trunk.forward_features(torch.empty(1, 3, side, side, device="meta"))
    shape = tuple(features.shape[1:])
    channels_first = len(shape) == 3 and shape[0] == trunk.num_features and shape[1] == shape[2]
    return int(math.prod(shape[1:] if channels_first else shape[:-1]))


def check(preset: Preset, width: int, tokens: int, parameters: int, work: float) -> None:
    assert (preset.width, preset.tokens) == (width, tokens), preset.name
    assert is_as_told(preset.parameters, parameters / 1e6), (preset.name, parameters)
    assert is_as_told(preset.gflops, work), (preset.name, work)


def parameters_of(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
def test_facts_of_models_with_words_are_those_of_open_clip() -> None:
    for preset in (*EVERYDAY, *OTHERS):
        if preset.name == "demo":
            continue
        with torch.device("meta"):
            if preset.name == "openvision-large":
                network: Any = open_clip.CLIP(**OPEN_VISION)
            else:
                name, tag = preset.model.split("/")
                assert get_pretrained_cfg(name, tag)["hf_hub"].rstrip("/") == preset.repository
                network = open_clip.create_model(name, pretrained_text=False, device="meta")
        network.eval().requires_grad_(False)
        side = network.visual.image_size
        assert preset.side == (side if isinstance(side, int) else side[0]), preset.name
        work, width = gflops(network.encode_image, preset.side)
        visual = network.visual
        tokens = tokens_of(visual.trunk, preset.side) if hasattr(visual, "trunk") else len(visual.positional_embedding)
        check(preset, width, tokens, parameters_of(network), work)
        stored = sum(value.numel() for value in network.state_dict().values()) * 4 / 1e6
        assert preset.download == pytest.approx(stored, rel=0.005), preset.name
        assert preset.has_text, preset.name


@pytest.mark.slow
def test_facts_of_models_for_pictures_only_are_those_of_timm() -> None:
    for preset in PICTURES:
        name = preset.model.removeprefix("timm/")
        published = get_timm_cfg(name)
        assert published is not None
        assert published.hf_hub_id == preset.repository == preset.model
        assert IN_WORDS[str(published.license)] == preset.licence, preset.name
        own = published.input_size[1]
        assert preset.side == (preset.changes.size or own), preset.name
        arguments: dict[str, Any] = {} if preset.changes.size is None else {"img_size": preset.changes.size}
        if preset.changes.pool is not None:
            arguments["global_pool"] = preset.changes.pool
        with torch.device("meta"):
            network: Any = timm.create_model(name, num_classes=0, **arguments)
            usual: Any = network if preset.changes.pool is None else timm.create_model(name, num_classes=0)
        network.eval().requires_grad_(False)
        work, width = gflops(network, preset.side)
        check(preset, width, tokens_of(network, preset.side), parameters_of(network), work)
        stored = sum(value.numel() for value in network.state_dict().values())
        stored += int(published.num_classes) * (width + 1)  # a classifier, which is not loaded
        # DINOv2's positions are stored at 518 px.
        assert preset.download == pytest.approx(stored * 4 / 1e6, rel=0.005, abs=3), preset.name
        assert not preset.has_text
        # The words in front are what timm's network does, with the change that the preset asks for.
        assert preset.pooling.startswith(SAID[str(network.global_pool)]), preset.name
        assert preset.changes.pool is None or preset.changes.pool != usual.global_pool, "it changes nothing"
        assert preset.source


def test_defaults_and_everyday_models_stay_first() -> None:
    assert {DEFAULT_ON_CPU, DEFAULT_ON_GPU} <= {preset.name for preset in EVERYDAY}
    assert list(PRESETS)[: len(EVERYDAY)] == ["balanced", "fast", "best", "english", "demo", "light"]
    assert len(PRESETS) == len(EVERYDAY) + len(OTHERS) + len(PICTURES)


@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("dinov2", "dinov2-small, dinov2-base, dinov2-large"),
        ("dino3", "dinov3-small"),
        ("Dinov3-smal", "dinov3-small"),
        ("fsat", "fast"),
        ("internvit", "internvit-300m"),
        ("swin", "swinv2-tiny"),
        ("metaclip2", "metaclip2-huge"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(said: str, near: str) -> None:
    with pytest.raises(SpaceError) as caught:
        read_name(said)
    assert f"the nearest names are {near}" in str(caught.value)
    assert "spaces --all" in str(caught.value)


def test_an_unknown_name_that_is_like_none_is_not_guessed() -> None:
    with pytest.raises(SpaceError) as caught:
        read_name("xyzzy")
    assert "nearest" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "architecture", "size", "pool"),
    [
        ("dinov2-small", "vit_small_patch14_reg4_dinov2", 224, None),
        ("dinov3-small", "vit_small_patch16_dinov3", None, "token"),
        ("internvit-300m", "vit_intern300m_patch14_448", None, "avg"),
    ],
)
def test_a_preset_brings_its_size_and_pooling_to_the_model(
    name: str, architecture: str, size: int | None, pool: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a cache of the hub that holds a cut model in the place of the published one."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    row = next(each for each in ARCHITECTURES if each.name == architecture)
    publish(row, tmp_path / "model", pictures())
    add_snapshot(tmp_path / "hub", PRESETS[name].repository, COMMITS[0], tmp_path / "model")
    model = resolve(name, offline=True)
    assert (model.name, model.changes.size, model.changes.pool) == (name, size, pool)
    assert model.preprocess.size == (PRESETS[name].side, PRESETS[name].side)
    assert model.remark() == "", "its makers measured it so"
    same = resolve(f"local-dir:{tmp_path / 'model'}{model.changes}", offline=True)
    assert same.fingerprint == model.fingerprint
    published = resolve(f"local-dir:{tmp_path / 'model'}", offline=True)
    assert published.fingerprint != model.fingerprint
    if size is not None:
        at_its_own = resolve(f"{name};size={published.preprocess.size[0]}", offline=True)
        assert (at_its_own.fingerprint, at_its_own.remark()) == (published.fingerprint, "")
    assert "quality may fall" in resolve(f"{name};size=112", offline=True).remark()
