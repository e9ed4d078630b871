"""The addresses of a picture's thumbnail and preview."""

from __future__ import annotations

from typing import Final

from store.tables.catalog import PhotoRow

# Versions up to 0.2 gave out slivers of longer pictures, which browsers keep for good under the bare address.
_LONG_THUMBNAIL: Final = 3.0  # as `isLong` of the gallery
_LONG_PREVIEW: Final = 2.2


def thumbnail_address(photo: PhotoRow) -> str:
    """Return the address of the thumbnail."""
    return f"/thumb/{photo.hash.hex()}.jpg{_version(photo, _LONG_THUMBNAIL)}"


def preview_address(photo: PhotoRow) -> str:
    """Return the address of the preview."""
    return f"/preview/{photo.hash.hex()}.jpg{_version(photo, _LONG_PREVIEW)}"


def _version(photo: PhotoRow, long: float) -> str:
    shorter, longer = sorted((photo.facts["width"], photo.facts["height"]))
    return "?2" if longer > long * shorter else ""
