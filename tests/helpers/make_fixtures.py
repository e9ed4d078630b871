"""Draw the awkward files of tests/fixtures/awkward again: `python tests/helpers/make_fixtures.py`.

Each is small and each is a real way in which a picture in somebody's folder is not a plain sRGB JPEG. The bytes depend
on the versions of the encoders; what the files say does not.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import ExifTags, Image

AWKWARD = Path(__file__).parents[1] / "fixtures" / "awkward"


def scene(width: int = 160, height: int = 120) -> Image.Image:
    """A landscape with a sun at the upper left: every turn and mirroring of it looks different."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = x / width, y / height
    sky = np.stack([110 + 90 * y, 160 + 50 * y, 235 - 30 * y], axis=-1)
    hills = 0.62 + 0.1 * np.sin(7 * x) + 0.04 * np.sin(23 * x + 1)
    land = np.stack([60 + 60 * x, 120 - 30 * x, 50 + 20 * y], axis=-1)
    picture = np.where((y > hills)[..., None], land, sky)
    sun = (x - 0.22) ** 2 + ((y - 0.25) * height / width) ** 2 < 0.09**2
    picture[sun] = (250, 225, 120)
    return Image.fromarray(picture.astype(np.uint8))


def exif(**tags: Any) -> Image.Exif:
    """EXIF with the given main tags, by their names in ExifTags.Base."""
    table = Image.Exif()
    for name, value in tags.items():
        table[ExifTags.Base[name]] = value
    return table


def save(picture: Image.Image, name: str, kind: str, **options: Any) -> bytes:
    """Write `name`, encoded as `kind` whatever the extension says; also give the bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    (AWKWARD / name).write_bytes(buffer.getvalue())
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds ten bytes of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    )


def make_jpegs(picture: Image.Image) -> None:
    save(picture.transpose(Image.Transpose.ROTATE_90), "rotated.jpg", "JPEG", exif=exif(Orientation=6), quality=88)
    where = exif(Make="Sightline", Model="Sightline Pinhole 1")
    where.get_ifd(ExifTags.IFD.Exif).update(
        {ExifTags.Base.DateTimeOriginal: "2024:07:15 18:30:05", ExifTags.Base.OffsetTimeOriginal: "-03:00"}
    )
    where.get_ifd(ExifTags.IFD.GPSInfo).update(
        {1: "S", 2: (22.0, 57.0, 6.4), 3: "W", 4: (43.0, 12.0, 37.8), 5: b"\x00", 6: 380.5}
    )
    save(picture, "gps.jpg", "JPEG", exif=where, quality=88)
    save(picture.convert("CMYK"), "cmyk.jpg", "JPEG", quality=88)
    whole = save(picture, "jpeg_named.png", "JPEG", quality=88)
    (AWKWARD / "cut_short.jpg").write_bytes(whole[: len(whole) // 2])
    (AWKWARD / "empty.jpg").write_bytes(b"")
    (AWKWARD / "text.jpg").write_bytes(b"This is a note, not a picture.\n")


def make_others(picture: Image.Image) -> None:
    grey = np.asarray(picture.convert("L")).astype(np.uint16)
    save(Image.fromarray(grey * 257), "grey16.png", "PNG")
    cut_out = picture.copy()
    height, width = grey.shape
    y, x = np.mgrid[0:height, 0:width]
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 2.2) ** 2
    cut_out.putalpha(Image.fromarray((inside * 255).astype(np.uint8)))
    save(cut_out, "alpha.png", "PNG")
    frames = [picture.quantize(32), picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).quantize(32)]
    save(frames[0], "palette.gif", "GIF", save_all=True, append_images=frames[1:], duration=200)
    save(
        picture, "two_pages.tif", "TIFF", compression="tiff_adobe_deflate", save_all=True,
        append_images=[Image.new("RGB", picture.size, "red")],
    )  # fmt: skip
    save(picture, "photo.heic", "HEIF", quality=70)
    save(picture, "photo.avif", "AVIF", quality=70)
    save(picture, "photo.jp2", "JPEG2000", quality_mode="dB", quality_layers=[38])
    (AWKWARD / "bomb.png").write_bytes(png_header(60_000, 60_000))


if __name__ == "__main__":
    pillow_heif.register_heif_opener()
    AWKWARD.mkdir(parents=True, exist_ok=True)
    make_jpegs(scene())
    make_others(scene())
