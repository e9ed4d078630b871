"""The facts of a picture: size, type, when, where, with which camera, and what people wrote.

Metadata is text written by strangers. What is broken in it is a missing fact, never an error, and no string leaves
here with control characters in it. docs/facts.md says which source is believed about what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from PIL import Image

from sightline.metadata.blocks import Blocks, blocks_of
from sightline.metadata.exif import exif_said
from sightline.metadata.file_names import date_in_name
from sightline.metadata.iptc import iptc_said
from sightline.metadata.said import Said
from sightline.metadata.trust import CONTAINER, EXIF, IPTC, SIDECAR, XMP, chosen
from sightline.metadata.xmp_said import xmp_said

TURNED_BY_PLUGIN: Final = frozenset({"HEIF", "JXL", "PSD", "TIFF"})
"""Formats whose pixels come upright from their readers: turning them by EXIF again would be once too often."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file says about its picture. Sizes are pixels of the original, upright as displayed.

    `taken_at` is the camera's wall clock, "YYYY-MM-DDTHH:MM:SS", or as much of it as is known, from "YYYY" on;
    `taken_from` says what told it; `taken_offset` is minutes east of UTC. `iso` is the sensitivity, `aperture` the
    f-number, `exposure` in seconds, `focal` the focal length in millimetres. `latitude` and
    `longitude` are WGS84 degrees, north and east positive, both there or neither; `altitude` metres above the sea.
    `orientation` is the file's own EXIF value, 1 to 8, already accounted for in width and height. `rating` is 1
    to 5 stars, `colour_label` a name such as Red, `keywords` have their levels separated by "|", `people` are names.
    """

    width: int
    height: int
    format: str
    taken_at: str | None = None
    taken_from: str | None = None
    taken_offset: int | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    iso: int | None = None
    aperture: float | None = None
    exposure: float | None = None
    focal: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    town: str | None = None
    region: str | None = None
    country: str | None = None
    orientation: int = 1
    rating: int | None = None
    colour_label: str | None = None
    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a file's bytes and tells of its picture.

    `name` is the file's own name, without folders. `sidecars` are its XMP sidecars, the most trusted first.
    """

    name: str = ""
    sidecars: tuple[bytes, ...] = ()


NOTHING_BESIDE: Final = Beside()


def read_facts(image: Image.Image, source: BinaryIO, beside: Beside = NOTHING_BESIDE) -> Facts:
    """Read the facts of an opened picture from its file, before its pixels are loaded or drafted.

    Before, because loading a TIFF forgets its orientation and a draft forgets the original size. `source` is the file
    that the picture was opened from; its position stays. Damaged metadata raises nothing.

    Whoever changes what is read here raises `store.tables.fact_table.FACTS_VERSION`: the next run of the indexer then
    reads the headers of known pictures again.

    Raises:
        OSError: the file can't be read.
    """
    width, height = image.size
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    info: Mapping[Any, Any] = image.info
    at = source.tell()
    try:
        blocks = blocks_of(kind, source, info)
        written = blocks.exif and blocks.exif.orientation
        if kind == "HEIF":  # whose plugin has set the one in EXIF to 1
            written = info.get("original_orientation")
        orientation = written if isinstance(written, int) and 1 <= written <= 8 else 1
        if orientation >= 5 and kind not in TURNED_BY_PLUGIN:
            width, height = height, width
        return facts_of(width, height, kind, blocks, beside, orientation)
    finally:
        source.seek(at)


def facts_of(
    width: int, height: int, kind: str, blocks: Blocks, beside: Beside = NOTHING_BESIDE, orientation: int = 1
) -> Facts:
    """The facts by blocks of metadata. Sizes are upright, `kind` is the format, as `Facts` has them."""
    sources: dict[str, list[Said]] = {}
    if beside.sidecars:
        sources[SIDECAR] = [xmp_said((packet,)) for packet in beside.sidecars]
    if blocks.exif is not None:
        sources[EXIF] = [exif_said(blocks.exif)]
    if blocks.xmp:
        sources[XMP] = [xmp_said(blocks.xmp)]
    if blocks.iptc:
        sources[IPTC] = [iptc_said(blocks.iptc)]
    if blocks.container is not None:
        sources[CONTAINER] = [blocks.container]
    return Facts(width, height, kind, orientation=orientation, **chosen(sources, date_in_name(beside.name)))
