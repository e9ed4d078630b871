"""How much each patch of a picture speaks for a text, by the kind of image tower."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from sightline.models.encoder import Encoder
from sightline.where.errors import UnknownTowerError
from sightline.where.values import AttentionValues
from store.arrays import Floats

# Of a deep network its last layers alone, where what a patch shows has become what words name: a quarter of them, and
# two at least. Measured on the demo model: docs/decisions/where-in-the-picture.md.
_SHARE: Final = 4
_LEAST: Final = 2
# A patch whose vector is so many times as long as the median is an outlier. Those that Darcet et al. found are about
# ten times as long, and two patches in a hundred; what is drawn in the demo pictures reaches 2.4.
_LONG: Final = 4.0
# Where more are so long, they are no outliers.
_MOST: Final = 0.1
_MIN_COSINE: Final = 0.999


def patch_map(encoder: Encoder, pixels: NDArray[np.uint8], vector: Floats) -> Floats:
    """How much each patch of a picture speaks for a text: float32 (rows, columns), none below 0.

    Of vision transformers: what a patch gave the score by its values in the last layers; see `sightline.where.values`.
    Registers and class tokens are cut. Of convolutions: gradient times activation of the last map, summed over its
    channels (HiResCAM, Draelos and Carin, 2020), which is exact where a linear head follows its mean.

    Args:
        encoder: of a space with words, in float32 as torch runs it: packed weights have no gradients.
        pixels: as `Preprocess.apply` makes them, uint8 (3, *preprocess.size).
        vector: what the score is taken with, float32 (dim,): a text's, less what all texts share.

    Raises:
        UnknownTowerError: the tower is of a kind whose patches can't be told.
    """
    tower: Any = encoder.module
    visual: nn.Module = tower.visual
    direction = torch.as_tensor(vector, device=encoder.device)
    picture = encoder.normalised(torch.as_tensor(pixels)[None])
    with torch.enable_grad():
        if hasattr(getattr(visual, "trunk", visual), "num_prefix_tokens") or not hasattr(visual, "trunk"):
            shares = _of_tokens(encoder, visual, picture, direction)
        else:
            shares = _of_map(encoder, visual, picture, direction)
    made: Floats = shares.clamp(min=0).cpu().numpy()
    return made


def _score(features: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    return functional.normalize(features.float(), dim=-1)[0] @ direction


# -- vision transformers, and the attention that pools a ResNet of CLIP ----------------------------------------------


def _of_tokens(encoder: Encoder, visual: Any, picture: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    blocks = _blocks(visual)
    recorded = AttentionValues(skip=blocks - max(_LEAST, math.ceil(blocks / _SHARE)) if blocks > _LEAST else 0)
    with recorded:
        # One way for all of these: it tells the last block's patches by place. Not normalised: CoCa's can't be.
        made = visual.forward_intermediates(picture, indices=1)
    patches = made["image_intermediates"][-1][0]
    rows, columns = patches.shape[-2:]
    before = _prefix(visual)
    shares = recorded.shares(_score(made["image_features"], direction), before + rows * columns)
    if not shares:
        raise UnknownTowerError(encoder.model.name, _name(visual), "none of its layers tells what a patch gave it")
    by_place = torch.stack(shares).sum(0)[before:].reshape(rows, columns).float()
    return without_outliers(by_place, patches.detach().float().norm(dim=0)) if blocks else by_place


def _blocks(visual: Any) -> int:
    """How many blocks with an attention each a tower has; 0 where only its pool has one."""
    if hasattr(visual, "trunk"):
        return len(getattr(visual.trunk, "blocks", ()))
    return len(visual.transformer.resblocks) if hasattr(visual, "transformer") else 0


def _prefix(visual: Any) -> int:
    """How many tokens stand before the patches: class token, registers, a ResNet's mean."""
    return int(visual.trunk.num_prefix_tokens) if hasattr(visual, "trunk") else 1


def without_outliers(shares: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Give outlying patches what the patches around them have, in the median.

    Large vision transformers without registers keep what concerns the whole picture in a few patches of the background,
    whose vectors become many times as long as the others (Darcet et al., "Vision Transformers Need Registers", 2024).
    What is read there does not belong to that place.

    Args:
        shares: (rows, columns).
        lengths: of the patches' vectors, (rows, columns).
    """
    outliers = lengths > _LONG * lengths.median()
    if not outliers.any() or outliers.float().mean() > _MOST:
        return shares
    known = torch.where(outliers, torch.nan, shares)
    around = functional.unfold(
        functional.pad(known, (1, 1, 1, 1), value=math.nan)[None, None], kernel_size=3
    )[0].nanmedian(dim=0).values.reshape(shares.shape)  # fmt: skip
    return torch.where(outliers, around.nan_to_num(0.0), shares)


# -- convolutions ----------------------------------------------------------------------------------------------------


def _of_map(encoder: Encoder, visual: Any, picture: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    trunk = visual.trunk
    with torch.no_grad():
        found = trunk.forward_features(picture)
        expected = visual(picture)
    if found.ndim != 4 or hasattr(visual.head, "pool"):  # a pool that looks at places by attention
        raise UnknownTowerError(encoder.model.name, _name(visual), "its vector is not the mean of a map of the picture")
    found = found.detach().requires_grad_()
    features = visual.head(trunk.forward_head(found))
    if functional.cosine_similarity(features, expected).item() < _MIN_COSINE:
        raise UnknownTowerError(encoder.model.name, _name(visual), "its vector is not made of its last map alone")
    (gradient,) = torch.autograd.grad(_score(features, direction), found)
    channels = -1 if getattr(trunk, "output_fmt", "NCHW") == "NHWC" else 1
    shares: torch.Tensor = (gradient * found).sum(channels)[0].detach().float()
    return shares


def _name(visual: Any) -> str:
    return type(getattr(visual, "trunk", visual)).__name__
