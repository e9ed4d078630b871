"""Files that their decoders read whole: how large they may be."""

from __future__ import annotations

import os
from typing import IO, BinaryIO, Final

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
    _check(size, LARGEST if is_whole else LARGEST_OF_ALL)


def is_small(source: IO[bytes]) -> bool:
    """Whether a file may be read whole; its position stays."""
    return _size(source) <= LARGEST


def rest_of(source: IO[bytes]) -> bytes:
    """All of a file from its position on.

    Raises:
        TooLargeError: the file is too large for that.
        OSError: it can't be read.
    """
    _check(_size(source), LARGEST)
    return source.read()


def _size(source: IO[bytes]) -> int:
    at = source.tell()
    size = source.seek(0, os.SEEK_END)
    source.seek(at)
    return size


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise TooLargeError(
            "read", f"the file has {size / 1e9:,.1f} GB; the limit for its kind is {limit / 1e9:,.1f} GB"
        )
