"""Networks of real architectures with seeded weights, saved as their library saves them, and run by it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from words import save_tokenizer
from zoo_table import Architecture

TEXTS = ("two red boats at sunset", "a photo of a cat", "  Three YELLOW kites!  ")


@dataclass
class Published:
    """A model as its library publishes it, and what this library makes of pictures and texts.

    Attributes:
        space: its name for `sightline.models.load`.
        pixels: what the library's own transform makes of the pictures, uint8 (n, 3, h, w).
        pictures: the pictures' features by the library in float32, unit rows.
        texts: those of `TEXTS`; None where it reads none.
    """

    space: str
    pixels: torch.Tensor
    pictures: torch.Tensor
    texts: torch.Tensor | None


def pictures() -> list[Image.Image]:
    """Two different pictures without sharp edges, wide and high."""
    generator = np.random.default_rng(0)
    made = []
    for size in ((640, 480), (500, 700)):
        blots = generator.integers(0, 256, (7, 6, 3), dtype=np.uint8)
        made.append(Image.fromarray(blots).resize(size, Image.Resampling.BICUBIC))
    return made


def publish(architecture: Architecture, folder: Path, given: Sequence[Image.Image]) -> Published:
    """Make a network, save it as its library does, load it from there with the library, and run it."""
    with torch.inference_mode():
        if architecture.library == "timm":
            return _publish_timm(architecture, folder, given)
        return _publish_open_clip(architecture, folder, given)


def _publish_timm(architecture: Architecture, folder: Path, given: Sequence[Image.Image]) -> Published:
    import timm
    from safetensors.torch import save_model
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform
    from timm.models import save_for_hf

    torch.manual_seed(0)
    made: Any = timm.create_model(architecture.name, pretrained=False, num_classes=10, **architecture.changes)
    _settle(made, made, architecture.changes.get("img_size", made.pretrained_cfg["input_size"][1:]))
    shared = len({value.data_ptr() for value in made.state_dict().values()}) < len(made.state_dict())
    save_for_hf(made, str(folder), model_args=dict(architecture.changes) or None, safe_serialization=not shared)
    if shared:  # which timm does not save itself: safetensors then keeps each tensor under one of its names
        (folder / "pytorch_model.bin").unlink()
        save_model(made, str(folder / "model.safetensors"))
    own = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    _check_loaded(own, made)
    config: dict[str, Any] = resolve_data_config({}, model=own)  # type: ignore[no-untyped-call]
    pixels = torch.stack([create_transform(**config)(picture) for picture in given])
    return Published(f"local-dir:{folder}", _levels(pixels, config["mean"], config["std"]), _unit(own(pixels)), None)


def _publish_open_clip(architecture: Architecture, folder: Path, given: Sequence[Image.Image]) -> Published:
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir()
    config: dict[str, Any] = deepcopy(open_clip.get_model_config(architecture.name))
    for section, change in architecture.changes.items():
        config[section] = {**config[section], **change} if isinstance(change, Mapping) else change
    text = config["text_cfg"]
    if architecture.words:
        rows = save_tokenizer(architecture.words, folder)
        if architecture.text_model:
            _save_text_model(architecture.text_model, rows, folder)
            text |= {"hf_model_name": str(folder), "hf_model_pretrained": False, "context_length": 40}
            if "multimodal_cfg" in config:
                config["multimodal_cfg"]["vocab_size"] = rows
        else:
            text["vocab_size"] = rows
    torch.manual_seed(0)
    configuration = folder / "open_clip_config.json"
    configuration.write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    made = open_clip.create_model(f"local-dir:{folder}", pretrained_text=False)
    _settle(made, made.visual, made.visual.image_size)
    weights = {name: value.clone().contiguous() for name, value in made.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    saving = importlib.import_module("open_clip.push_to_hf_hub")
    saving.save_config_for_hf(made, configuration, config)
    own, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    own.eval()
    _check_loaded(own, made)
    pixels = torch.stack([transform(picture) for picture in given])
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(list(TEXTS))
    if architecture.text_model:
        # As repositories have it: the name of another one.
        text |= {"hf_model_name": f"somebody/{architecture.text_model}", "hf_tokenizer_name": "somebody/words"}
        saving.save_config_for_hf(made, configuration, config)
    visual = own.visual
    levels = _levels(pixels, visual.image_mean, visual.image_std)
    return Published(f"local-dir:{folder}", levels, _unit(own.encode_image(pixels)), _unit(own.encode_text(tokens)))


def _save_text_model(kind: str, rows: int, folder: Path) -> None:
    """Write the config.json of a small text tower with this many words."""
    from transformers import AutoConfig

    sizes: dict[str, Any] = {
        "bert": {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 64},
        "mt5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2},
        "m2m_100": {
            "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
            "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 64,
        },
    }  # fmt: skip
    size = sizes.get(kind, {**sizes["bert"], "max_position_embeddings": 40})
    AutoConfig.for_model(kind, vocab_size=rows, **size).save_pretrained(folder)


def _settle(network: nn.Module, tower: nn.Module, size: int | Sequence[int]) -> None:
    """Give every weight a seeded value that shows, and batch norms the statistics of some pictures.

    What libraries begin with gives nearly the same vector for all pictures: zeros, scales of 1e-6, means of 0.
    """
    generator = torch.Generator().manual_seed(1)
    for name, weight in network.named_parameters():
        if name in ("logit_scale", "logit_bias"):
            continue
        noise = torch.randn(weight.shape, generator=generator)
        if weight.ndim < 2:
            weight.add_(0.2 * noise)
        elif weight.ndim == 3:  # positions, tokens
            weight.copy_(0.3 * noise)
        else:
            weight.copy_(noise * (len(weight) / weight.numel()) ** 0.5)
    network.eval()
    norms = [norm for norm in network.modules() if isinstance(norm, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    height, width = (size, size) if isinstance(size, int) else size
    some = nn.functional.interpolate(torch.randn(4, 3, 7, 7, generator=generator), (height, width), mode="bilinear")
    tower(some)
    network.eval()


def _check_loaded(own: nn.Module, made: nn.Module) -> None:
    """The library loaded what was saved, and left no weight as it was made."""
    saved = made.state_dict()
    for name, value in own.state_dict().items():
        torch.testing.assert_close(value, saved[name], msg=f"the library itself did not load {name}")


def _levels(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Normalised pixels as the levels of 255 that they were."""
    scale, shift = (torch.tensor(values).view(1, 3, 1, 1) for values in (std, mean))
    return ((pixels * scale + shift) * 255).round().clamp(0, 255).to(torch.uint8)


def _unit(features: torch.Tensor) -> torch.Tensor:
    return nn.functional.normalize(features.float(), dim=-1)
