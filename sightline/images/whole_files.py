"""Files that their decoders read whole: how large they may be."""

from __future__ import annotations

from typing import BinaryIO, Final

from sightline.images.errors import TooLargeError

LARGEST: Final = 512 * 2**20
"""Bytes of a file that is read whole: a JPEG of 200 megapixels at the best quality has a quarter of it."""

LARGEST_OF_ALL: Final = 16 * 2**30
"""Bytes of any file: a TIFF or PSB of 200 megapixels with layers may have some GB."""

# What begins like this is read whole, by its decoder or here: JPEG, WebP, HEIF and AVIF, JPEG XL.
_WHOLE: Final = ((0, b"\xff\xd8\xff"), (8, b"WEBP"), (4, b"ftyp"), (4, b"JXL "), (0, b"\xff\x0a"))


def check_file(source: BinaryIO, size: int) -> None:
    """Refuse a file of so many bytes that is too large to be read, before it is; its position stays.

    Raises:
        TooLargeError: it is; the reason names the limit.
        OSError: it can't be read.
    """
    at = source.tell()
    if size <= LARGEST:
        return
    source.seek(0)
    head = source.read(16)
    source.seek(at)
    is_whole = any(head[start : start + len(mark)] == mark for start, mark in _WHOLE)
    limit = LARGEST if is_whole else LARGEST_OF_ALL
    if size > limit:
        raise TooLargeError(
            "read", f"the file has {size / 1e9:,.1f} GB; the limit for its kind is {limit / 1e9:,.1f} GB"
        )
