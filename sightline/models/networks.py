"""Networks as open_clip and timm make them of a model's configuration: with random weights, and from no other file."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from sightline.models.configuration import TIMM_CONFIG, load_json, timm_settings
from sightline.models.resolve import Model
from sightline.models.text_files import configuration_of
from store.errors import SpaceError

Weights = dict[str, torch.Tensor]
Conversion = Callable[[Weights], Weights]
"""From weights as others named them to those of a network; the weights given are not changed."""

# Older files hold them; transformers 4.31 and later compute them.
POSITION_IDS: Final = "text.transformer.embeddings.position_ids"
_swapping: Final = threading.Lock()
# How many classes a classifier is made for where nothing says: only its names are asked for.
_CLASSES: Final = 1000


def make_joint(model: Model) -> Any:
    """open_clip's network for a model, as `open_clip.create_model` 3.3 makes it before it loads weights."""
    import open_clip

    config = configuration_of(model.folder, model.text)
    vision, text = config["vision_cfg"], config["text_cfg"]
    # Each would load weights of its own, from wherever its name leads.
    if "timm_model_name" in vision:
        vision["timm_model_pretrained"] = False
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = False
    custom = config.pop("custom_text", False) or "hf_model_name" in text
    kind: Any = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    if custom and "multimodal_cfg" in config:
        kind = open_clip.CoCa
    tower = kind(**config)
    return tower


def as_open_clip(tower: Any, weights: Weights) -> Weights:
    """Convert weights of older or other forms, as open_clip 3.3 does before it loads them (factory.load_checkpoint)."""
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
    resize_pos_embed(made, tower)
    resize_text_pos_embed(made, tower)
    return made


@dataclasses.dataclass(frozen=True, slots=True)
class TimmMaker:
    """Makes timm's networks for a model.

    Attributes:
        architecture: as the configuration names it; may have a tag.
        pretrained: timm's `pretrained_cfg`; never empty, else timm would take one of its own instead.
        arguments: of the network.
    """

    architecture: str
    pretrained: dict[str, Any]
    arguments: dict[str, Any]

    @classmethod
    def of(cls, model: Model) -> TimmMaker:
        """Read a model's configuration.

        Raises:
            SpaceError: the architecture is none of timm's.
        """
        import timm
        from timm.models import PretrainedCfg

        config = load_json(model.folder / TIMM_CONFIG)
        architecture = str(config["architecture"])
        if not timm.is_model(architecture):
            raise SpaceError(
                f"{model.folder / TIMM_CONFIG} names the architecture {architecture!r}, which timm {timm.__version__} "
                "does not have: correct the name, or install the timm that has it."
            )
        known = {field.name for field in dataclasses.fields(PretrainedCfg)}
        # Where the weights lie is not its affair.
        known -= {"url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "custom_load"}
        pretrained = {name: value for name, value in timm_settings(config).items() if name in known}
        if "num_classes" in config:
            pretrained["num_classes"] = config["num_classes"]
        arguments = dict(config.get("model_args") or {})
        arguments.pop("num_classes", None)
        return cls(architecture, pretrained, arguments)

    def make(self, *, classes: int = 0, pretrained: bool = False) -> nn.Module:
        """A network; without `classes` it gives features, not the classes of the data set it was trained on."""
        import timm

        made: nn.Module = timm.create_model(
            self.architecture,
            pretrained=pretrained,
            pretrained_cfg=dict(self.pretrained),
            num_classes=classes,
            **self.arguments,
        )
        return made

    def classifier(self, network: nn.Module) -> frozenset[str]:
        """The names of weights that only a network with a classifier has."""
        classes = max(0, int(self.pretrained.get("num_classes") or 0)) or _CLASSES
        try:
            with torch.device("meta"):
                whole = self.make(classes=classes)
        except (NotImplementedError, RuntimeError):  # it computes with numbers while it is made
            whole = self.make(classes=classes)
        named = self.pretrained.get("classifier") or ()
        declared = {
            f"{name}.{kind}" for name in ([named] if isinstance(named, str) else named) for kind in ("weight", "bias")
        }
        return frozenset((whole.state_dict().keys() | declared) - network.state_dict().keys())

    def conversion(self) -> Conversion | None:
        """Timm's conversion of weights that others named, for this architecture; None where it has none.

        timm tells it to its own loader only, which loads what fits and leaves the rest random. So the loader is replaced
        while a network is made.
        """
        from timm.models import _builder

        taken: list[tuple[nn.Module, Any]] = []

        def take(network: nn.Module, *_: Any, filter_fn: Any = None, **__: Any) -> None:
            taken.append((network, filter_fn))

        with _swapping:
            loader = _builder.load_pretrained
            _builder.load_pretrained = take
            try:
                self.make(pretrained=True)
            finally:
                _builder.load_pretrained = loader
        if not taken or taken[0][1] is None:
            return None
        network, convert = taken[0]

        def converted(weights: Weights) -> Weights:
            try:
                return dict(convert(dict(weights), network))
            except TypeError:  # older ones take one argument
                return dict(convert(dict(weights)))

        return converted


def without_wrappers(weights: Weights) -> Weights:
    """Weights under their names before a network was wrapped for training, by timm's own rule."""
    from timm.models import clean_state_dict

    return dict(clean_state_dict(weights))
