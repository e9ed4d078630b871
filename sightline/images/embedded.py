"""The small picture that a camera puts into its JPEG.

Of a photograph that was cut short it is often what is left.
"""

from __future__ import annotations

import io
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

# Pixels of a side. Cameras write 160; a file may claim what fills the memory.
_LARGEST_SIDE: Final = 1024
# EXIF 2.32, section 4.6.3: where in the first part of a JPEG file its thumbnail lies, and how long it is.
_OFFSET, _LENGTH = 0x0201, 0x0202
_HEADER: Final = b"Exif\x00\x00"


def thumbnail(source: BinaryIO) -> NDArray[np.uint8] | None:
    """A JPEG file's EXIF thumbnail, upright: RGB (h, w, 3) uint8; None where there is none."""
    try:
        source.seek(0)
        with Image.open(source, formats=("JPEG",)) as image:
            exif, data = image.getexif(), image.info.get("exif", b"").removeprefix(_HEADER)
            where = exif.get_ifd(ExifTags.IFD.IFD1)
            start, length = int(where[_OFFSET]), int(where[_LENGTH])
        with Image.open(io.BytesIO(data[start : start + length]), formats=("JPEG",)) as small:
            if max(small.size) > _LARGEST_SIDE:
                return None
            picture = small.convert("RGB")
        picture.getexif()[ExifTags.Base.Orientation] = exif.get(ExifTags.Base.Orientation, 1)
        return np.asarray(ImageOps.exif_transpose(picture))
    except Exception:  # noqa: BLE001 - a file that is made to be wrong has Pillow raise anything, and these are wrong
        return None
