"""Weights from a model's folder into a network: all, or only the image tower of a joint model."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sightline.models.names import LOCAL
from sightline.models.preprocess import Preprocess
from sightline.models.resolve import Model
from sightline.models.weight_files import find_weights


def load_network(model: Model) -> tuple[nn.Module, Any, int]:
    """Load a network, its tokenizer (None for picture-only ones) and the number of tokens that it reads."""
    if model.library == "timm":
        import timm

        # num_classes=0: the features, not the classes of the data set it was trained on.
        return timm.create_model(f"{LOCAL}{model.folder}", pretrained=True, num_classes=0), None, 0
    import open_clip

    name = f"{LOCAL}{model.folder}"
    # Without require_pretrained a folder whose weights it can't find gives a randomly initialised model and a log line.
    tower: Any = open_clip.create_model(name, require_pretrained=True)
    _check(model, tower)
    tokenizer = open_clip.get_tokenizer(name)
    return tower, tokenizer, int(tokenizer.context_length)


def load_image_tower(model: Model, dtype: torch.dtype) -> nn.Module | None:
    """Load an open_clip model without its text tower, in `dtype`, one weight after the other.

    Loading all of it takes twice its float32 weights in memory, and the text tower of a multilingual model is most of
    it. None where the file does not hold the network's weights under their own names, in their shapes: open_clip's
    loader knows how to turn older ones.
    """
    import open_clip
    from safetensors import safe_open

    file = find_weights(model.folder)[0]
    try:
        with torch.device("meta"):
            name = f"{LOCAL}{model.folder}"
            tower: Any = open_clip.create_model(name, load_weights=False, pretrained_text=False, device="meta")
    except (NotImplementedError, RuntimeError):  # it reads weights while it is made
        return None
    _check(model, tower)
    for name in [name for name, _ in tower.named_children() if name != "visual"]:
        setattr(tower, name, nn.Identity())
    for name in [name for name, _ in (*tower.named_parameters(recurse=False), *tower.named_buffers(recurse=False))]:
        setattr(tower, name, None)
    visual: nn.Module = tower.visual
    wanted = visual.state_dict()
    weights: dict[str, torch.Tensor] = {}
    for name, empty in wanted.items():
        # Opened anew for each: what was read through a mapping counts as this process's memory until it is closed.
        with safe_open(file, "pt") as opened:
            if f"visual.{name}" not in opened.keys():  # noqa: SIM118 - not a mapping
                return None
            weight = opened.get_tensor(f"visual.{name}")
            if weight.shape != empty.shape:
                return None
            weights[name] = weight.to(dtype if weight.is_floating_point() else weight.dtype, copy=True)
    visual.load_state_dict(weights, assign=True)
    left = (*visual.parameters(), *visual.buffers())
    if any(tensor.is_meta for tensor in left):  # computed when it is made, not stored
        return None
    return tower  # type: ignore[no-any-return]


def _check(model: Model, tower: Any) -> None:
    read = Preprocess.from_open_clip(tower.visual.preprocess_cfg, tower.visual.preprocess_cfg["size"])
    if read != model.preprocess:
        raise ValueError(f"open_clip prepares pictures with {read}, its configuration was read as {model.preprocess}")
