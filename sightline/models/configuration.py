"""What a model's own configuration says: who reads it, how pictures are prepared, how wide its vectors are."""

from __future__ import annotations

from typing import Any, Final, Literal

from sightline.models.preprocess import Preprocess

OPEN_CLIP_CONFIG: Final = "open_clip_config.json"
TIMM_CONFIG: Final = "config.json"

Read = tuple[Literal["open_clip", "timm"], Preprocess, int, bool]
"""The library that reads it, the preparation of pictures, the width of a vector, and whether it reads texts."""


def read_open_clip(config: dict[str, Any]) -> Read:
    """Read an open_clip_config.json; KeyError, TypeError and ValueError where it is none."""
    model = config["model_cfg"]
    preprocess = Preprocess.from_open_clip(config.get("preprocess_cfg", {}), model["vision_cfg"]["image_size"])
    return "open_clip", preprocess, int(model["embed_dim"]), True


def read_timm(config: dict[str, Any]) -> Read:
    """Read timm's config.json; KeyError, TypeError and ValueError where it is none."""
    if "architecture" not in config:
        raise KeyError("architecture")
    return "timm", Preprocess.from_timm(config.get("pretrained_cfg", config)), int(config["num_features"]), False
