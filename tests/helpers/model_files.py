"""Folders of small models whose weights files are whole, or are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    Weights = dict[str, torch.Tensor]


def timm_folder(
    folder: Path,
    architecture: str,
    *,
    seed: int = 0,
    classes: int = 0,
    config: dict[str, Any] | None = None,
    **args: Any,
) -> str:
    """A model of timm with seeded weights, far from the start, as the folder that timm's own configuration describes.

    Args:
        config: goes over the configuration's `pretrained_cfg`.
        args: of the network, and `model_args` of the configuration.
    """
    import timm
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network: Any = timm.create_model(architecture, pretrained=False, num_classes=classes, **args)
    state = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    for name, tensor in state.items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape) * 0.05
            state[name] = tensor + (noise.abs() if "running_var" in name else noise)
    save_file(state, folder / "model.safetensors")
    named = {
        key: network.pretrained_cfg.get(key)
        for key in (
            "input_size",
            "fixed_input_size",
            "interpolation",
            "crop_pct",
            "mean",
            "std",
            "classifier",
            "first_conv",
        )
    }
    described = {
        "architecture": architecture,
        "num_classes": classes,
        "num_features": network.num_features,
        "pretrained_cfg": {**named, "num_classes": classes, **(config or {})},
        **({"model_args": args} if args else {}),
    }
    (folder / "config.json").write_text(json.dumps(described))
    return f"local-dir:{folder}"


def weights_of(folder: Path) -> Path:
    """The weights file of a small model."""
    (file,) = folder.glob("*.safetensors")
    return file


def rewrite(folder: Path, change: Callable[[Weights], Weights], *, name: str | None = None) -> None:
    """Change the weights of a small model; `name` renames their file."""
    from safetensors.torch import load_file, save_file

    file = weights_of(folder)
    made = {key: tensor.clone().contiguous() for key, tensor in change(load_file(file)).items()}
    file.unlink()
    save_file(made, folder / (name or file.name))


def shard(folder: Path, parts: int = 3, *, stem: str | None = None) -> list[Path]:
    """Cut the weights of a small model into parts with an index, as the hub's own tools do."""
    from safetensors.torch import load_file, save_file

    file = weights_of(folder)
    stem = stem or file.stem
    state = load_file(file)
    names = sorted(state)
    made: list[Path] = []
    where: dict[str, str] = {}
    for part in range(parts):
        path = folder / f"{stem}-{part + 1:05}-of-{parts:05}.safetensors"
        mine = names[part::parts]
        save_file({name: state[name].clone() for name in mine}, path)
        where |= dict.fromkeys(mine, path.name)
        made.append(path)
    file.unlink()
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return made
