"""The model's configuration, and writing it in the form that ``open_clip`` reads from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from open_clip import CLIP
from safetensors.torch import load_file, save_file

CONFIG_NAME: Final = "open_clip_config.json"
WEIGHTS_NAME: Final = "open_clip_model.safetensors"
SIDE: Final = 64
"""Width and height in pixels of the pictures that the model sees."""
CONTEXT: Final = 32
"""Tokens in a caption, start and end marks included."""
MEAN: Final = (0.5, 0.5, 0.5)
STD: Final = (0.25, 0.25, 0.25)

# The vocabulary is CLIP's own, so that the plain tokenizer serves; at 48 numbers a token it takes 2.37 of the
# model's 3.5 million parameters, which is why the text side is narrow.
MODEL_CONFIG: Final[dict[str, Any]] = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": SIDE,
        "patch_size": 8,
        "width": 128,
        "layers": 4,
        "head_width": 32,
        "pool_type": "avg",
    },
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 49408, "width": 48, "heads": 4, "layers": 3},
}
PREPROCESS_CONFIG: Final[dict[str, Any]] = {
    "size": [SIDE, SIDE],
    "mode": "RGB",
    "mean": list(MEAN),
    "std": list(STD),
    "interpolation": "bicubic",
    "resize_mode": "squash",
    "fill_color": 0,
}


def new_model() -> CLIP:
    """Return a model with fresh random weights (set torch's seed first for repeatable ones)."""
    return CLIP(**MODEL_CONFIG)


def write_model(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Write configuration and weights to ``folder``, for ``open_clip`` to load as ``local-dir:<folder>``.

    The weights are stored in float16, which halves the file; ``open_clip`` copies them into float32
    parameters. Files are replaced whole, so that a reader never sees half of one.
    Raises ValueError when a weight is not finite in float16, OSError when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in weights.items()}
    bad = [name for name, tensor in half.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise ValueError(f"the weight {bad[0]!r} is not finite in float16; train again with a lower rate")
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    config_part, weights_part = folder / f"{CONFIG_NAME}.part", folder / f"{WEIGHTS_NAME}.part"
    config_part.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(half, weights_part, metadata={"format": "pt"})
    # safetensors leaves the file readable to its owner alone, which a model to share must not be.
    weights_part.chmod(0o644)
    config_part.replace(folder / CONFIG_NAME)
    weights_part.replace(folder / WEIGHTS_NAME)


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """Return the weights in ``file`` (safetensors) as float32. Raises OSError when it cannot be read."""
    return {name: tensor.float() for name, tensor in load_file(file).items()}
