"""Pixels for a model, prepared the way its own configuration says. Never from constants of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.resampling import BY_TORCH, FILTERS, Part, resized

# open_clip's defaults where a configuration is silent (open_clip/constants.py, PreprocessCfg).
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
# timm's (timm/data/constants.py).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
TIMM_CROP = 0.875
# Sides whose ratio is above this are trimmed to it first. Far above the ratio of any model's input, and far enough from
# the crop's edge that the resizing filter does not reach what was trimmed.
LONG = 32

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in shares of width and height."""


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes a model's input.

    Attributes:
        size: height and width of the input, px.
        resize: `shortest` side to the size and crop the rest, `longest` and pad, or `squash` both.
        interpolation: as Pillow names it: `bicubic`, `bilinear`, `nearest`, `box`, `hamming` or `lanczos`.
        mean, std: of each channel, for pixels in 0..1.
        fill: the colour, 0..255, of what `longest` pads: a grey, or red, green and blue.
        crop: the share of the resized side that is kept (timm's crop_pct).
    """

    size: tuple[int, int]
    resize: str
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fill: int | tuple[int, int, int] = 0
    crop: float = 1.0

    def __post_init__(self) -> None:
        if self.resize not in ("shortest", "longest", "squash"):
            raise ValueError(f"resize mode {self.resize!r} is none of shortest, longest, squash")
        if self.interpolation not in FILTERS:
            raise ValueError(f"interpolation {self.interpolation!r} is none of {', '.join(FILTERS)}")
        if min(self.size) < 1 or not 0 < self.crop <= 1:
            raise ValueError(f"size {self.size} and crop {self.crop} must be positive, crop at most 1")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be positive")

    @classmethod
    def from_open_clip(cls, config: Mapping[str, Any], image_size: int | list[int]) -> Preprocess:
        """From `preprocess_cfg` of an open_clip_config.json and the vision tower's `image_size`.

        Read as open_clip 3.3 does (transform.py, image_transform): the size is the tower's, whatever `size` says;
        `random` is for training, and bicubic otherwise; so is `shortest` where the size is not square.

        Raises:
            ValueError, TypeError: a value is none that open_clip knows.
        """
        size, resize = _pair(image_size), str(config.get("resize_mode") or "shortest")
        interpolation = str(config.get("interpolation") or "bicubic")
        if interpolation not in (*BY_TORCH, "random"):
            raise ValueError(f"interpolation {interpolation!r} is none of {', '.join(BY_TORCH)}, random")
        if interpolation == "random" or (resize == "shortest" and size[0] != size[1]):
            interpolation = "bicubic"
        return cls(
            size=size,
            resize=resize,
            interpolation=interpolation,
            mean=_triple(config.get("mean") or OPENAI_MEAN),
            std=_triple(config.get("std") or OPENAI_STD),
            fill=int(config.get("fill_color") or 0),
        )

    @classmethod
    def from_timm(cls, config: Mapping[str, Any]) -> Preprocess:
        """From `pretrained_cfg` of a timm config.json, with its `input_size`.

        Read as timm 1.0 does (data/config.py, resolve_data_config; data/transforms_factory.py): where it is silent,
        ImageNet's mean and standard deviation, bicubic, and a crop of 0.875; any other `crop_mode` is `center`.

        Raises:
            KeyError, ValueError, TypeError: a value is missing, or none that timm knows.
        """
        mode = {"squash": "squash", "border": "longest"}.get(config.get("crop_mode") or "center", "shortest")
        interpolation = str(config.get("interpolation") or "bicubic")
        if interpolation == "random":
            raise ValueError("interpolation 'random' is for training; say bicubic or bilinear")
        mean = _triple(config.get("mean") or IMAGENET_MEAN)
        colour = tuple(round(255 * value) for value in mean)
        one = mode != "longest" or len(set(colour)) == 1  # nothing is padded, or with a grey
        return cls(
            size=_pair(list(config["input_size"])[1:]),
            resize=mode,
            interpolation=interpolation,
            mean=mean,
            std=_triple(config.get("std") or IMAGENET_STD),
            fill=round(255 * sum(mean) / 3) if one else (colour[0], colour[1], colour[2]),
            crop=float(config.get("crop_pct") or TIMM_CROP),
        )

    @property
    def need(self) -> int:
        """The side, px, that a picture is resized to; decoding may shrink down to twice this."""
        return math.ceil(max(self.size) / self.crop)

    def to_json(self) -> str:
        """Canonical JSON: part of a space's identity."""
        return json.dumps(asdict(self), sort_keys=True)

    def apply(self, pixels: NDArray[np.uint8], original: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Resize and crop upright RGB pixels (h, w, 3) to uint8 (3, *size), contiguous.

        The result equals open_clip's own transform to within two levels of 255, mostly one. Scaling to 0..1, mean and
        std are left to the device.

        Args:
            original: height and width of the picture that `pixels` are shrunk from, by a power of two and rounded to
                whole pixels. Their own shape is up to half a pixel off, and the crop that follows from it up to one:
                two of 28 camera photos, 2322 px high, came to 25 and 32 dB instead of 49 and 46.
        """
        height, width = pixels.shape[:2]
        factor = 1 if original is None else _power_of_two(max(original) / max(height, width))
        trimmed = self._trim(pixels)
        # In pixels of `pixels`, and not whole; where some were trimmed off, the rest is far from what is kept.
        high, wide = (
            float(side) if original is None or side != whole else full / factor
            for side, whole, full in zip(trimmed.shape[:2], (height, width), original or (0, 0), strict=True)
        )
        target = self._resized(high, wide)
        (top, above, rows), (left, before, columns) = map(_middle, target, self.size)
        part = Part(top, left, rows, columns)
        kept = resized(trimmed, target, self.interpolation, true=(high, wide), part=part).transpose(2, 0, 1)
        if kept.shape[1:] == self.size:
            return np.array(kept, order="C")
        fill = np.asarray(self.fill, np.uint8).reshape(-1, 1, 1)
        made = np.empty((3, *self.size), np.uint8)
        made[...] = fill
        made[:, above : above + rows, before : before + columns] = kept
        return made

    def seen(self, height: int, width: int) -> tuple[Box, Box]:
        """The part of an upright picture that the model is given, and where in its input that part is.

        Both are left, top, right and bottom in shares of width and height. The first is smaller than the picture where
        the rest is cropped off; the second is smaller than the input where that is padded.

        Args:
            height, width: of the upright picture, px.
        """
        kept = LONG * min(height, width) if self.resize == "shortest" else max(height, width)
        high, wide = min(height, kept), min(width, kept)
        picture: list[tuple[float, float]] = []
        given: list[tuple[float, float]] = []
        for side, whole, target, wanted in zip(
            (high, wide), (height, width), self._resized(high, wide), self.size, strict=True
        ):
            first, before, count = _middle(target, wanted)
            trimmed = max(0, whole - side) // 2
            start, stop = (trimmed + side * place / target for place in (first, first + count))
            picture.append((start / whole, stop / whole))
            given.append((before / wanted, (before + count) / wanted))
        (top, bottom), (left, right) = picture
        (above, below), (before_, after) = given
        return (left, top, right, bottom), (before_, above, after, below)

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


def _middle(side: int, wanted: int) -> tuple[int, int, int]:
    """Where the middle of a side begins, at which pixel of the wanted side it goes, and how long it is.

    Rounded as torchvision's center_crop.
    """
    if side < wanted:
        return 0, (wanted - side) // 2, side
    return round((side - wanted) / 2), 0, wanted


def _power_of_two(ratio: float) -> int:
    """The nearest one to a ratio of at least about 1."""
    return 1 << max(0, round(math.log2(ratio)))


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{value!r} is no height and width")
    return int(value[0]), int(value[1])


def _triple(value: Any) -> tuple[float, float, float]:
    if isinstance(value, int | float):
        return float(value), float(value), float(value)
    if not isinstance(value, list | tuple) or len(value) not in (1, 3):
        raise ValueError(f"{value!r} is no number for each of three colours")
    red, green, blue = value if len(value) == 3 else [value[0]] * 3
    return float(red), float(green), float(blue)
