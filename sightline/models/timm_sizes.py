"""What a timm network reads and gives: asked of timm once, which imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from sightline.models.cache_folder import answered

if TYPE_CHECKING:
    from sightline.models.timm_networks import TimmMaker

_KEPT_IN: Final = "timm_sizes.cache"


def fixed_size(config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of the only pictures that a network reads, px.

    None where it reads others too, or timm does not know it.

    Args:
        config: timm's config.json.
        pretrained: its `pretrained_cfg`, with an `input_size`.
    """

    def ask() -> list[Any]:
        return list(
            _of_timm(config, pretrained, lambda maker: maker.fixed_size()) or ()
        )  # see its data/model_config.py

    size = answered(_KEPT_IN, [version("timm"), config, pretrained], ask, _is_size)
    return (size[0], size[1]) if size else None


def own_pool(config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> str:
    """How a network pools, as timm's `global_pool` names it; "" where it has no name for it.

    Args:
        config, pretrained: see `fixed_size`.
    """

    def ask() -> list[Any]:
        return [_of_timm(config, pretrained, lambda maker: maker.own_pool()) or ""]

    return str(answered(_KEPT_IN, ["pool", version("timm"), config, pretrained], ask, _is_name)[0])


def _of_timm(config: Mapping[str, Any], pretrained: Mapping[str, Any], ask: Callable[[TimmMaker], Any]) -> Any:
    from sightline.models.timm_networks import TimmMaker

    maker = TimmMaker.of(config, pretrained)
    return ask(maker) if maker.is_known else None


def _is_size(known: list[Any]) -> bool:
    return len(known) in (0, 2) and all(isinstance(side, int) for side in known)


def _is_name(known: list[Any]) -> bool:
    return len(known) == 1 and isinstance(known[0], str)
