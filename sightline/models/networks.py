"""Networks as open_clip makes them of a configuration: with random weights, and from no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sightline.models.text_files import TextFiles, configuration_of
from sightline.models.timm_networks import Weights

# What is interpolated for pictures of another size, and texts of another length.
_POSITIONS: Final = frozenset({"visual.positional_embedding", "positional_embedding", "text.positional_embedding"})
# Older files hold them; transformers 4.31 and later compute them.
POSITION_IDS: Final = "text.transformer.embeddings.position_ids"


def make_joint(folder: Path, files: TextFiles, size: int | None = None) -> Any:
    """open_clip's network for a model, as `open_clip.create_model` 3.3 makes it before it loads weights.

    Args:
        folder: of the model.
        files: those of its text tower and tokenizer.
        size: of pictures, px; None: the model's own. Image towers of timm are made at their own; see `resize_tower`.
    """
    import open_clip

    config = configuration_of(folder, files)
    vision, text = config["vision_cfg"], config["text_cfg"]
    if size is not None and "timm_model_name" not in vision:
        vision["image_size"] = size
    # Each would load weights of its own, from wherever its name leads.
    if "timm_model_name" in vision:
        vision["timm_model_pretrained"] = False
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = False
    custom = config.pop("custom_text", False) or "hf_model_name" in text
    kind: Any = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    if custom and "multimodal_cfg" in config:
        kind = open_clip.CoCa
    return kind(**config)


def resize_tower(tower: Any, size: tuple[int, int]) -> None:
    """Have an image tower of timm read pictures of a size, as open_clip's `force_image_size` does.

    Nothing is done to one that is of that size, or reads any. Towers of open_clip's own are made at their size.

    Raises:
        ValueError: it reads pictures of its own size only.
    """
    from timm.models._input import get_model_input_config

    trunk = getattr(tower.visual, "trunk", None)
    if trunk is None:
        return
    known = get_model_input_config(trunk)
    if not known["fixed_input_size"] or tuple(known["input_size"][1:]) == size:
        return
    if not hasattr(trunk, "set_input_size"):
        raise ValueError(f"an image tower of the kind {type(trunk).__name__} reads pictures of one size only")
    tower.visual.set_input_size(size)


def as_open_clip(tower: Any, weights: Weights) -> Weights:
    """Convert weights of other forms as open_clip 3.3 does, in factory.load_checkpoint."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed

    if all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): weight for name, weight in weights.items()}
    made: Weights = convert_state_dict(tower, dict(weights))
    if "positional_embedding" in made and not hasattr(tower, "positional_embedding"):
        made = convert_to_custom_text_state_dict(made)
    for name in ("logit_scale", "logit_bias"):
        own = getattr(tower, name, None)
        if name in made and own is not None and own.ndim != made[name].ndim:
            made[name] = made[name].reshape(own.shape)
    made.pop(POSITION_IDS, None)
    # torch interpolates no halves on a CPU, and these are few.
    made |= {name: made[name].float() for name in _POSITIONS & made.keys()}
    resize_pos_embed(made, tower)
    resize_text_pos_embed(made, tower)
    return made
