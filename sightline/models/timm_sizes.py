"""What a timm network reads and gives: asked of timm once, which imports torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sightline.models.cache_folder import cache_folder, read_object, write_object

if TYPE_CHECKING:
    from sightline.models.timm_networks import TimmMaker

# More than anybody has models.
_KEPT: Final = 256


def fixed_size(config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of the only pictures that a network reads, px.

    None where it reads others too, or timm does not know it.

    Args:
        config: timm's config.json.
        pretrained: its `pretrained_cfg`, with an `input_size`.
    """
    # See timm 1.0.31, data/model_config.py.
    size = _asked("", config, pretrained, lambda maker: list(maker.fixed_size() or ()), _is_size)
    return (size[0], size[1]) if size else None


def own_pool(config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> str | None:
    """How a network makes one vector of a picture's, as timm's `global_pool` names it; None where it has no such name.

    Args:
        config, pretrained: see `fixed_size`.
    """
    pool = _asked("pool", config, pretrained, lambda maker: [maker.own_pool() or ""], _is_name)
    return str(pool[0]) if pool and pool[0] else None


def _asked(
    what: str, config: Mapping[str, Any], pretrained: Mapping[str, Any], ask: Callable[[TimmMaker], list[Any]],
    is_valid: Callable[[list[Any]], bool],
) -> list[Any]:  # fmt: skip
    """An answer that was kept, or that timm gives now; empty where timm does not know the network."""
    told = json.dumps([version("timm"), config, pretrained, *([what] if what else [])], sort_keys=True)
    key = hashlib.sha256(told.encode()).hexdigest()
    kept = read_object(_kept_in())
    known = kept.get(key)
    if isinstance(known, list) and is_valid(known):
        return known
    from sightline.models.timm_networks import TimmMaker

    maker = TimmMaker.of(config, pretrained)
    kept[key] = answer = ask(maker) if maker.is_known else []
    write_object(_kept_in(), dict(list(kept.items())[-_KEPT:]))  # a cache: asked again where it can't be kept
    return answer


def _is_size(known: list[Any]) -> bool:
    return len(known) in (0, 2) and all(isinstance(side, int) for side in known)


def _is_name(known: list[Any]) -> bool:
    return len(known) < 2 and all(isinstance(name, str) for name in known)


def _kept_in() -> Path:
    return cache_folder() / "timm_sizes.cache"
