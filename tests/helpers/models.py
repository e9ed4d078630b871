"""Small real models, saved as the folders that `local-dir:` opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def _save(folder: Path, config: dict[str, Any], preprocess: dict[str, Any], *, seed: int) -> str:
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    custom = config.get("custom_text", False)
    kind = open_clip.model.CustomTextCLIP if custom else open_clip.model.CLIP
    model = kind(**{name: value for name, value in config.items() if name != "custom_text"})
    # Far from the start, where every picture gives nearly the same vector.
    for name, parameter in model.named_parameters():
        if "visual" in name and parameter.ndim > 1:
            parameter.data.normal_(std=0.2)
    state = {name: value.clone().contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    return f"local-dir:{folder}"


def clip_like(folder: Path, *, seed: int = 0, dim: int = 32, preprocess: dict[str, Any] | None = None) -> str:
    """A CLIP of a few thousand weights, never trained, with open_clip's own tokenizer."""
    config = {
        "embed_dim": dim,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    return _save(folder, config, preprocess or {}, seed=seed)


def siglip_like(folder: Path, *, seed: int = 0) -> str:
    """A model shaped as SigLIP 2 is: a timm tower, pooled text without a causal mask, a Hugging Face tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    corpus = ["two red boats at sunset", "a green tree on a hill", "three yellow kites", "a photo of a cat"] * 20
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<pad>", "<eos>", "<unk>"])
    tokenizer.train_from_iterator(corpus, trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", model_max_length=16
    )
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(folder)
    config = {
        "embed_dim": 64,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 224,
            "timm_model_name": "test_vit",
            "timm_model_pretrained": False,
            "timm_pool": "token",
            "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": len(fast),
            "hf_tokenizer_name": "a-name-that-is-never-fetched",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 64,
            "heads": 2,
            "layers": 1,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        },
    }
    half = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    return _save(folder, config, half, seed=seed)


def picture_only(folder: Path, *, seed: int = 0) -> str:
    """A timm model without words."""
    import timm
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = timm.create_model("test_vit", pretrained=False, num_classes=0)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    pretrained = {
        "input_size": [3, 160, 160], "interpolation": "bicubic", "crop_pct": 0.95, "mean": [0.5] * 3, "std": [0.5] * 3,
        "num_classes": 0, "classifier": "head", "first_conv": "patch_embed.proj",
    }  # fmt: skip
    config = {"architecture": "test_vit", "num_classes": 0, "num_features": 64, "pretrained_cfg": pretrained}
    (folder / "config.json").write_text(json.dumps(config))
    return f"local-dir:{folder}"


def each(folder: Path) -> dict[str, str]:
    """One of each kind."""
    return {
        "clip": clip_like(folder / "clip"),
        "siglip": siglip_like(folder / "siglip"),
        "timm": picture_only(folder / "timm"),
    }


def noise(count: int, size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """Prepared pictures, uint8 (count, 3, *size)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=generator)
