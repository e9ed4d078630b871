"""Networks of timm, made of a model's configuration: with random weights, and from no other file."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn

Weights = dict[str, torch.Tensor]
Conversion = Callable[[Weights], Weights]
"""From weights as others named them to those of a network; the weights given are not changed."""

_swapping: Final = threading.Lock()
# How many classes a classifier is made for where nothing says: only its names are asked for.
_CLASSES: Final = 1000


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
    def of(cls, config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> TimmMaker:
        """From timm's config.json and its `pretrained_cfg`, which has an `input_size`."""
        from timm.models import PretrainedCfg

        # Where the weights lie is not the network's affair.
        elsewhere = {"url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "custom_load"}
        known = {field.name for field in dataclasses.fields(PretrainedCfg)} - elsewhere
        settings = {name: value for name, value in pretrained.items() if name in known}
        if "num_classes" in config:
            settings["num_classes"] = config["num_classes"]
        arguments = {name: value for name, value in (config.get("model_args") or {}).items() if name != "num_classes"}
        return cls(str(config["architecture"]), settings, arguments)

    def sized(self, size: tuple[int, int]) -> TimmMaker:
        """Makes the network for another size, where it is made for one; else the same, which reads any."""
        if self.fixed_size() is None and not hasattr(self.sketch(), "set_input_size"):
            return self
        return dataclasses.replace(self, arguments={**self.arguments, "img_size": size})

    @property
    def is_known(self) -> bool:
        """Whether timm has this architecture."""
        import timm

        return bool(timm.is_model(self.architecture))

    def make(self, *, classes: int = 0) -> nn.Module:
        """Make a network; without `classes` it gives features and has no classifier."""
        return self._made(classes)[0]

    def _made(self, classes: int = 0) -> tuple[nn.Module, Any]:
        """A network as timm makes it for trained weights, and its conversion of other names, or None.

        Some are another network then: `fbnetc_100` has another epsilon. timm tells the conversion to its own loader
        only, which loads what fits and leaves the rest random. So the loader is replaced while a network is made.
        """
        import timm
        from timm.models import _builder

        conversions: list[Any] = []

        def take(*_: Any, filter_fn: Any = None, **__: Any) -> None:
            conversions.append(filter_fn)

        with _swapping:
            loader = _builder.load_pretrained
            _builder.load_pretrained = take
            try:
                made: nn.Module = timm.create_model(
                    self.architecture,
                    pretrained=True,
                    pretrained_cfg=dict(self.pretrained),
                    num_classes=classes,
                    **self.arguments,
                )
            finally:
                _builder.load_pretrained = loader
        return made, next(iter(conversions), None)

    def fixed_size(self, network: nn.Module | None = None) -> tuple[int, int] | None:
        """Height and width of the only pictures that a network reads, px; None where it reads others too."""
        from timm.models._input import get_model_input_config

        made: Any = self.sketch() if network is None else network
        known = get_model_input_config(made)
        if not known["fixed_input_size"]:
            return None
        # timm 1.0.31 tells the configuration's size where none was asked for, and the network has its own.
        height, width = getattr(getattr(made, "patch_embed", None), "img_size", None) or known["input_size"][1:]
        return int(height), int(width)

    def own_pool(self) -> str | None:
        """How the network makes one vector of those of a picture's places, as timm's `global_pool` names it."""
        made: Any = self.sketch()
        head = getattr(made, "head", None)
        found = (getattr(head, "global_pool", None), getattr(head, "pool_type", None), getattr(made, "global_pool", ""))
        return next((name for each in found if isinstance(name := getattr(each, "pool_type", each), str)), None)

    def sketch(self, classes: int = 0) -> nn.Module:
        """A network without weights, to be asked for names and sizes."""
        try:
            with torch.device("meta"):
                return self.make(classes=classes)
        except (NotImplementedError, RuntimeError):  # it computes with numbers while it is made
            return self.make(classes=classes)

    def classifier(self, network: nn.Module) -> frozenset[str]:
        """The names of weights that only a network with a classifier has."""
        classes = max(0, int(self.pretrained.get("num_classes") or 0)) or _CLASSES
        whole = self.sketch(classes)
        named = self.pretrained.get("classifier") or ()
        declared = {
            f"{name}.{kind}" for name in ([named] if isinstance(named, str) else named) for kind in ("weight", "bias")
        }
        return frozenset((whole.state_dict().keys() | declared) - network.state_dict().keys())

    def conversion(self, network: nn.Module) -> Conversion | None:
        """The conversion of weights of other names and sizes that timm has for a network; None without one."""
        try:
            with torch.device("meta"):
                convert = self._made()[1]
        except (NotImplementedError, RuntimeError):
            convert = self._made()[1]
        if convert is None:
            return None

        def converted(weights: Weights) -> Weights:
            try:
                return dict(convert(dict(weights), network))
            except TypeError:  # older ones take one argument
                return dict(convert(dict(weights)))

        return converted


def set_pool(network: Any, pool: str) -> None:
    """Have a network without a classifier pool otherwise; where its last norm is stays as it was made.

    Raises:
        AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError: it has no such pooling.
    """
    network.reset_classifier(0, global_pool=pool)


def without_wrappers(weights: Weights) -> Weights:
    """Weights under their names before a network was wrapped for training, by timm's own rule."""
    from timm.models import clean_state_dict

    return dict(clean_state_dict(weights))
