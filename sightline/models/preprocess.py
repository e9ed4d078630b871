"""Pixels for a model, prepared the way its own configuration says. Never from constants of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

# open_clip's defaults where a configuration is silent (open_clip/constants.py, PreprocessCfg).
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
# Sides whose ratio is above this are trimmed to it first. Far above the ratio of any model's input, and far enough from
# the crop's edge that the resizing filter does not reach what was trimmed.
LONG = 32
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes a model's input.

    Attributes:
        size: height and width of the input, px.
        resize: `shortest` side to the size and crop the rest, `longest` and pad, or `squash` both.
        interpolation: `bicubic` or `bilinear`, antialiased.
        mean, std: of each channel, for pixels in 0..1.
        fill: the colour, 0..255, of what `longest` pads.
        crop: the share of the resized side that is kept (timm's crop_pct).
    """

    size: tuple[int, int]
    resize: str
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fill: int = 0
    crop: float = 1.0

    def __post_init__(self) -> None:
        if self.resize not in ("shortest", "longest", "squash"):
            raise ValueError(f"resize mode {self.resize!r} is none of shortest, longest, squash")
        if self.interpolation not in ("bicubic", "bilinear"):
            raise ValueError(f"interpolation {self.interpolation!r} is neither bicubic nor bilinear")
        if min(self.size) < 1 or not 0 < self.crop <= 1:
            raise ValueError(f"size {self.size} and crop {self.crop} must be positive, crop at most 1")

    @classmethod
    def from_open_clip(cls, config: Mapping[str, Any], image_size: int | list[int]) -> Preprocess:
        """From `preprocess_cfg` of an open_clip_config.json and the vision tower's `image_size`.

        Raises:
            ValueError, TypeError: a value is none that open_clip knows.
        """
        return cls(
            size=_pair(image_size),
            resize=str(config.get("resize_mode") or "shortest"),
            interpolation=str(config.get("interpolation") or "bicubic"),
            mean=_triple(config.get("mean") or OPENAI_MEAN),
            std=_triple(config.get("std") or OPENAI_STD),
            fill=int(config.get("fill_color") or 0),
        )

    @classmethod
    def from_timm(cls, config: Mapping[str, Any]) -> Preprocess:
        """From `pretrained_cfg` of a timm config.json.

        Raises:
            KeyError, ValueError, TypeError: a value is missing, or none that timm knows.
        """
        mode = {"center": "shortest", "squash": "squash", "border": "longest"}[config.get("crop_mode") or "center"]
        return cls(
            size=_pair(list(config["input_size"])[1:]),
            resize=mode,
            interpolation=str(config.get("interpolation") or "bicubic"),
            mean=_triple(config["mean"]),
            std=_triple(config["std"]),
            fill=round(255 * sum(_triple(config["mean"])) / 3),
            crop=float(config.get("crop_pct") or 0.875),  # timm.data.DEFAULT_CROP_PCT
        )

    @property
    def need(self) -> int:
        """The side, px, that a picture is resized to; decoding may shrink down to twice this."""
        return math.ceil(max(self.size) / self.crop)

    def to_json(self) -> str:
        """Canonical JSON: part of a space's identity."""
        return json.dumps(asdict(self), sort_keys=True)

    def apply(self, pixels: NDArray[np.uint8], original: tuple[int, int] | None = None) -> torch.Tensor:
        """Resize and crop upright RGB pixels (h, w, 3) to a uint8 tensor (3, *size).

        The result equals open_clip's own transform to within two levels of 255, mostly one: torch's antialiased uint8
        kernel is Pillow's algorithm, at twice the speed. Scaling to 0..1, mean and std are left to the device.

        Args:
            original: height and width of the picture that `pixels` are shrunk from, by a power of two and rounded to
                whole pixels. Their own shape is up to half a pixel off, and the crop that follows from it up to one:
                two of 28 camera photos, 2322 px high, came to 25 and 32 dB instead of 49 and 46.
        """
        import torch

        height, width = pixels.shape[:2]
        factor = 1 if original is None else _power_of_two(max(original) / max(height, width))
        trimmed = self._trim(pixels)
        # In pixels of `pixels`, and not whole; where some were trimmed off, the rest is far from what is kept.
        true = [
            float(side) if original is None or side != whole else full / factor
            for side, whole, full in zip(trimmed.shape[:2], (height, width), original or (0, 0), strict=True)
        ]
        # The batch axis goes on first: torch then sees its channels-last layout and runs its fast kernel on it.
        tensor = torch.from_numpy(np.require(trimmed, requirements=["C", "W"]))[None].permute(0, 3, 1, 2)
        target = self._resized(true[0], true[1])
        if target != tuple(tensor.shape[2:]):
            # What torch.nn.functional.interpolate calls; it takes a size or a scale, and here they are not the same.
            bicubic = self.interpolation == "bicubic"
            name = torch.ops.aten._upsample_bicubic2d_aa if bicubic else torch.ops.aten._upsample_bilinear2d_aa
            tensor = name(tensor, list(target), False, target[0] / true[0], target[1] / true[1])
        return self._cropped(tensor)[0].contiguous()

    def _cropped(self, tensor: torch.Tensor) -> torch.Tensor:
        """The middle of (1, 3, h, w), filled up where it is smaller; rounded as torchvision's center_crop."""
        import torch

        (height, width), (high, wide) = self.size, tensor.shape[2:]
        if high < height or wide < width:
            top, left = max(0, height - high) // 2, max(0, width - wide) // 2
            below, right = max(0, height - high) - top, max(0, width - wide) - left
            tensor = torch.nn.functional.pad(tensor, [left, right, top, below], value=self.fill)
            high, wide = tensor.shape[2:]
        top, left = round((high - height) / 2), round((wide - width) / 2)
        return tensor[:, :, top : top + height, left : left + width]

    def _trim(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The middle of a very long picture: resizing the rest takes gigabytes, and it is cropped off anyway."""
        height, width = pixels.shape[:2]
        if self.resize != "shortest" or max(height, width) <= LONG * min(height, width):
            return pixels
        kept = LONG * min(height, width)
        top, left = (max(0, side - kept) // 2 for side in (height, width))
        return pixels[top : top + kept, left : left + kept]

    def _resized(self, height: float, width: float) -> tuple[int, int]:
        wanted_height, wanted_width = (math.floor(side / self.crop) for side in self.size)
        if self.resize == "squash":
            return wanted_height, wanted_width
        if self.resize == "shortest" and wanted_height == wanted_width:
            # torchvision's Resize to a number: the longer side is cut to an integer, not rounded.
            short, long = sorted((height, width))
            longer = int(wanted_height * long / short)
            return (longer, wanted_height) if height > width else (wanted_height, longer)
        ratios = height / wanted_height, width / wanted_width
        ratio = max(ratios) if self.resize == "longest" else min(ratios)
        return max(1, round(height / ratio)), max(1, round(width / ratio))


def _power_of_two(ratio: float) -> int:
    """The nearest one to a ratio of at least about 1."""
    return 1 << max(0, round(math.log2(ratio)))


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    height, width = value
    return int(height), int(width)


def _triple(value: Any) -> tuple[float, float, float]:
    if isinstance(value, int | float):
        return float(value), float(value), float(value)
    red, green, blue = value
    return float(red), float(green), float(blue)
