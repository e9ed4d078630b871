"""What a model's configuration says: who reads it, how pictures are prepared, how wide vectors are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from sightline.models.preprocess import Preprocess
from sightline.models.timm_sizes import fixed_size
from sightline.models.weight_files import refuse_pointers
from store.errors import SpaceError

OPEN_CLIP_CONFIG: Final = "open_clip_config.json"
TIMM_CONFIG: Final = "config.json"

Read = tuple[Literal["open_clip", "timm"], Preprocess, int, bool]
"""The library that reads it, the preparation of pictures, the width of a vector as it says, and whether it reads texts.

The width is 0 where it says none. The true one is the network's: some of timm's give another than they say.
"""

# timm's defaults where a configuration is silent (timm 1.0: models/_pretrained.py, PretrainedCfg).
_TIMM_INPUT: Final = (3, 224, 224)
# What timm's create_model takes beside a network's arguments: where weights lie, files of pickles among them.
_NOT_OF_A_NETWORK: Final = frozenset({
    "cache_dir", "checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_strict",
})  # fmt: skip
# open_clip's (open_clip 3.3: model.py, CLIPVisionCfg).
_OPEN_CLIP_SIZE: Final = 224


def read_configuration(folder: Path) -> tuple[Path, Read]:
    """The configuration of the model in a folder, and what it says; open_clip's comes before timm's.

    Raises:
        SpaceError: the folder holds none that open_clip or timm reads, or it asks for what can't be done.
    """
    for name, read in ((OPEN_CLIP_CONFIG, read_open_clip), (TIMM_CONFIG, read_timm)):
        file = folder / name
        if not file.is_file():
            continue
        config = load_json(file)
        if name == TIMM_CONFIG and "architecture" not in config:
            raise SpaceError(_not_timm(file, config))
        try:
            return file, read(config)
        except KeyError as error:
            raise SpaceError(f"{file} is not a model's configuration: {error} is missing.") from error
        except (ValueError, TypeError, AttributeError, RuntimeError, AssertionError) as error:
            raise SpaceError(f"{file} is not a model's configuration: {error}.") from error
    raise SpaceError(
        f"The folder {folder} holds weights but neither {OPEN_CLIP_CONFIG} nor timm's {TIMM_CONFIG}, "
        "which say how pictures are prepared for them: copy or download the model whole."
    )


def load_json(file: Path) -> dict[str, Any]:
    """The JSON object in a configuration file; SpaceError where there is none."""
    refuse_pointers([file])
    try:
        config: Any = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SpaceError(f"{file} can't be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise SpaceError(f"{file} is not a model's configuration: it is not JSON ({error}).") from error
    if not isinstance(config, dict):
        raise SpaceError(f"{file} is not a model's configuration: it is no JSON object.")
    return config


def _not_timm(file: Path, config: Mapping[str, Any]) -> str:
    if "model_type" in config or "architectures" in config:
        kind = config.get("model_type") or config.get("architectures")
        return (
            f"The model in {file.parent} is in the format of the transformers library ({kind}), which is not read "
            f"here: get its edition for open_clip (with an {OPEN_CLIP_CONFIG}) or for timm."
        )
    return f"{file} is not a model's configuration: timm's names an 'architecture'."


def read_open_clip(config: dict[str, Any]) -> Read:
    """Read an open_clip_config.json; KeyError, TypeError and ValueError where it is none."""
    if "model_cfg" not in config and "vision_cfg" in config:
        # open_clip's own list of architectures has files of this form; it refuses them as a model too.
        raise ValueError(
            "it describes a network only. Put that under 'model_cfg', and how pictures are prepared under "
            "'preprocess_cfg' (mean, std, interpolation, resize_mode)"
        )
    model = _object(config, "model_cfg")
    _object(model, "text_cfg")
    vision = _object(model, "vision_cfg")
    if ":" in str(trunk := vision.get("timm_model_name")):  # timm would read its configuration there
        raise ValueError(
            f"its 'timm_model_name' is {trunk!r}, a place outside of its folder. Put the name of timm's architecture "
            "there alone"
        )
    size = vision.get("image_size") or _OPEN_CLIP_SIZE
    preprocess = Preprocess.from_open_clip(_object(config, "preprocess_cfg", {}), size)
    return "open_clip", preprocess, int(model["embed_dim"]), True


def read_timm(config: dict[str, Any]) -> Read:
    """Read timm's config.json; KeyError, TypeError and ValueError where it is none."""
    if "architecture" not in config:
        raise KeyError("architecture")
    pretrained = timm_settings(config)
    args = _object(config, "model_args", {})
    if wrong := sorted(_NOT_OF_A_NETWORK & args.keys()):
        raise ValueError(f"its 'model_args' hold {wrong[0]!r}, which is no argument of a network: leave it out")
    if args.get("img_size") is not None and not pretrained.get("fixed_input_size") and not _takes_any_size(args):
        # The network alone knows whether it reads others.
        size = fixed_size(config, pretrained)
        pretrained["input_size"] = [pretrained["input_size"][0], *(size or pretrained["input_size"][1:])]
    channels = int(pretrained["input_size"][0])
    if channels != 3:
        raise ValueError(f"the network reads pictures of {channels} channels, and photos have 3 (red, green, blue)")
    return "timm", Preprocess.from_timm(pretrained), int(config.get("num_features") or 0), False


def timm_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The `pretrained_cfg` of timm's config.json with an `input_size`, channels first.

    Where `model_args` say of what size a network is that reads one only, that is it, as in timm 1.0 (models/_hub.py,
    _parse_model_cfg).
    """
    args = _object(config, "model_args", {})
    # Before timm 0.9 all was on one level.
    pretrained = dict(_object(config, "pretrained_cfg", config))
    given = pretrained.get("input_size") or _TIMM_INPUT
    if not isinstance(given, list | tuple) or len(given) != 3:
        raise ValueError(f"its 'input_size' is {given!r}, and should be channels, height, width")
    channels, *size = given
    if args.get("in_chans") is not None:
        channels = args["in_chans"]
    if _takes_any_size(args):
        pretrained["fixed_input_size"] = False
    if args.get("img_size") is not None and pretrained.get("fixed_input_size"):
        asked = args["img_size"]
        size = [asked, asked] if isinstance(asked, int) else list(asked)
    pretrained["input_size"] = [channels, *size]
    return pretrained


def _object(config: Mapping[str, Any], name: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """An object in a configuration; the default where it is not there, or null."""
    found = config[name] if default is None else config.get(name)
    if found is None and default is not None:
        return default
    if not isinstance(found, dict):
        raise TypeError(f"its {name!r} is no JSON object")
    return found


def _takes_any_size(args: Mapping[str, Any]) -> bool:
    """Whether a network's arguments make it one that reads pictures of any size."""
    return bool(args.get("dynamic_img_size") or args.get("strict_img_size") is False or args.get("use_naflex"))
