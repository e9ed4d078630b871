"""Any Pillow picture as 8-bit RGB: what may be averaged, deep grey, transparency, and the way to sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sightline.images.transparency import ground

_USUAL_WHITES: Final = {"F": (1.0, 255.0, 65535.0), "I": (255.0, 65535.0)}  # of pictures without a fixed one
_SAME_COLOUR: Final = 4  # of 255 levels; an sRGB profile, whatever its name, moves no colour further


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow picture as 8-bit RGB, transparent parts on a ground; 16-bit and CMYK as they should look."""
    image = reducible(image)
    if image.mode == "La":
        image = image.convert("LA")  # Pillow knows no direct way
    if image.mode in ("LA", "RGBA", "RGBa"):
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, ground(image))
        canvas.paste(image, mask=image)
        return canvas
    if image.mode == "CMYK":
        transform = to_srgb(image.info.get("icc_profile"), "CMYK")
        if transform is not None:
            return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def reducible(image: Image.Image) -> Image.Image:
    """The picture in a mode whose pixels may be averaged: no palette, no key colour, 8 bits a channel."""
    if image.mode.startswith("I;16"):
        grey = _grey_from_16_bits(image)
        if isinstance(key := image.info.get("transparency"), int):
            grey.putalpha(Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8)))
        return grey
    if image.mode in ("I", "F"):
        return Image.fromarray(grey_by_range(np.asarray(image), _USUAL_WHITES[image.mode]))
    # "transparency" is a key colour or a palette's alpha; averaging would blend the key away.
    if image.mode in ("P", "PA") or (image.mode in ("1", "L", "RGB") and "transparency" in image.info):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _grey_from_16_bits(image: Image.Image) -> Image.Image:
    """Scaled by the full range; Pillow's own convert clips instead, and shows such pictures nearly white."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(258, (16,))[0]  # BitsPerSample: a TIFF may hold 12 bits in 16
    grey = eight_bits(np.asarray(image), float((1 << min(max(bits, 8), 16)) - 1))
    inverted = tags.get(262) == 0  # PhotometricInterpretation WhiteIsZero, which Pillow leaves as it is at 16 bits
    return Image.fromarray(255 - grey if inverted else grey)


def grey_by_range(values: NDArray[Any], usual: tuple[float, ...]) -> NDArray[np.uint8]:
    """Numbers that have no fixed white as grey: white is the smallest `usual` one that holds them."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64), posinf=0.0, neginf=0.0)
    return eight_bits(values, next((white for white in usual if values.max() <= white), 0.0))


def eight_bits(values: NDArray[Any], white: float) -> NDArray[np.uint8]:
    """0 to `white` as 0 to 255; stretched to what is there where that range is wrong.

    Below zero, above every usual white, or within a sixteenth of it: heights, temperatures, or 12 bits of a sensor
    stored in 16, which would be a flat near-black.
    """
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > white or (white > 255 and 0 < high - low < white / 16):
        white = max(high - low, 1e-300)
    else:
        low = 0.0
    grey = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), 256):  # in strips: the whole as float64 would be 1.6 GB at the largest
        scaled = (values[top : top + 256].astype(np.float64) - low) * (255.0 / white)
        grey[top : top + 256] = np.clip(np.rint(scaled), 0, 255)
    return grey


@lru_cache(maxsize=16)
def to_srgb(profile: object, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from an embedded ICC profile to sRGB; None if absent, broken or without effect.

    Cached by the profile's bytes: building takes 3 ms, and one camera has one profile. LittleCMS transforms may be
    used by several threads at once (its documentation, "cmsDoTransform").
    """
    if not isinstance(profile, bytes) or not profile:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(opened, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
                                               mode, "RGB")  # fmt: skip
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    if mode == "RGB":
        # Asked of the colours and not of the name: sRGB goes by "c2", "Nikon sRGB 4.0", "Built-in" and more.
        levels = np.arange(0, 256, 51, dtype=np.uint8)
        probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        moved = np.asarray(transform.apply(Image.fromarray(probe))).astype(int) - probe
        if np.abs(moved).max() <= _SAME_COLOUR:
            return None
    return transform
