"""Pictures as the viewer takes them, for its dialog and for a slideshow."""

from __future__ import annotations

from typing import Final

from search_ui.components.viewer import Picture
from search_ui.parts.picture_addresses import preview_address, thumbnail_address
from sightline.humanize import file_name
from store.tables.catalog import PhotoRow
from store.tables.tiles import Box

# A picture whose longer side is at most this long has no preview: its thumbnail shows all there is.
_THUMBNAIL_SIDE: Final = 512


def viewer_picture(
    content_id: int, photo: PhotoRow | None, *, position: str = "", is_favourite: bool = False,
    found: Box | None = None, part: Box | None = None,
) -> Picture:  # fmt: skip
    """Return a picture for the viewer; without addresses where it is not there any more.

    `found` is the part that it was found by, `part` the one that all of its words were found in; None for the whole.
    """
    if photo is None:
        return {
            "id": content_id, "name": "", "small": "", "large": "", "tiles": "", "width": 1, "height": 1,
            "colour": "", "position": position, "favourite": False, "found": None, "part": "",
        }  # fmt: skip
    width, height, colour = photo.facts["width"], photo.facts["height"], photo.facts.get("colour")
    return {
        "id": content_id,
        "name": file_name(photo),
        "small": thumbnail_address(photo),
        "large": preview_address(photo) if max(width, height) > _THUMBNAIL_SIDE else "",
        "tiles": f"/tile/{photo.hash.hex()}",
        "width": width,
        "height": height,
        "colour": "" if colour is None else f"#{colour:06x}",
        "position": position,
        "favourite": is_favourite,
        "found": found,
        "part": "" if part is None else ",".join(f"{share:.4f}" for share in part),
    }
