"""Pictures for the tests of decoding, and how far two of them are apart."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import pillow_heif
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

# It writes HEIC; the product reads it by pi-heif, which has no encoder.
pillow_heif.register_heif_opener()

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How to store a picture so that this EXIF orientation shows it upright."""


@cache
def photo(width: int, height: int) -> Image.Image:
    """A picture with a photograph's spectrum: colour noise in octaves, each half as strong as the one before."""
    rng = np.random.default_rng(7)
    total = np.zeros((height, width, 3))
    for octave in range(2, 9):
        cells = 1 << octave
        grid = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += (np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) - 127.5) / (1 << (octave - 2))
    total += np.linspace(-40, 40, width)[None, :, None]
    return Image.fromarray(np.clip(127.5 + total, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(orientation: int) -> bytes:
    """EXIF with an orientation and a place; as bytes, because some encoders lose parts of an Exif object."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (1.0, 2.0, 3.0), 3: "E", 4: (4.0, 5.0, 6.0)})
    return exif.tobytes()


def final(pixels: NDArray[np.uint8], side: int = 224) -> NDArray[np.float64]:
    """The resize that follows in the pipeline, without the crop."""
    height, width, _ = pixels.shape
    size = (round(height * side / min(height, width)), round(width * side / min(height, width)))
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(planes, size, mode="bicubic", antialias=True)
    return small[0].permute(1, 2, 0).double().numpy()


def decibels(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((a - b) ** 2).mean())))


def distance(pixels: NDArray[np.uint8], expected: Image.Image | NDArray[np.uint8]) -> float:
    """Mean absolute difference in levels of 255."""
    target = np.asarray(expected)
    assert pixels.shape == target.shape
    return float(np.abs(pixels.astype(int) - target.astype(int)).mean())


def swapped_profile() -> bytes:
    """An sRGB profile whose red and green are exchanged: far from sRGB, and easy to see."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
