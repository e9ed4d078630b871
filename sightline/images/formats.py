"""File names that are worth opening. What a file is, its bytes decide (`sightline.images.decode`)."""

from __future__ import annotations

from typing import Final

EXTENSIONS: Final[frozenset[str]] = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib",
    ".heic", ".heics", ".heif", ".heifs", ".hif", ".avif", ".avifs", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx",
))  # fmt: skip
"""Lower case, with the dot."""
