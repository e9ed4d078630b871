"""The only size of pictures that a timm network reads: asked of timm once, which imports torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sightline.models.cache_folder import cache_folder, read_object, write_object

# More than anybody has models.
_KEPT: Final = 256


def fixed_size(config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of the only pictures that a network reads, px.

    None where it reads others too, or timm does not know it.

    Args:
        config: timm's config.json.
        pretrained: its `pretrained_cfg`, with an `input_size`.
    """
    told = json.dumps([version("timm"), config, pretrained], sort_keys=True)
    key = hashlib.sha256(told.encode()).hexdigest()
    kept = read_object(_kept_in())
    known = kept.get(key)
    if isinstance(known, list) and len(known) in (0, 2) and all(isinstance(side, int) for side in known):
        return (known[0], known[1]) if known else None
    size = _asked(config, pretrained)
    kept[key] = list(size or ())
    write_object(_kept_in(), dict(list(kept.items())[-_KEPT:]))  # a cache: asked again where it can't be kept
    return size


def _asked(config: Mapping[str, Any], pretrained: Mapping[str, Any]) -> tuple[int, int] | None:
    """See timm 1.0.31, data/model_config.py."""
    from sightline.models.timm_networks import TimmMaker

    maker = TimmMaker.of(config, pretrained)
    return maker.fixed_size() if maker.is_known else None


def _kept_in() -> Path:
    return cache_folder() / "timm_sizes.cache"
