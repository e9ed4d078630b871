"""What a packet of XMP says.

Properties: XMP Specification Part 2; Exif 3.0 for XMP; IPTC Photo Metadata 2023.1; MWG Guidelines 2.0 (regions,
hierarchies); digiKam, Lightroom, darktable and Windows for their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sightline.metadata.exif import aperture_of, exposure_of, focal_of, iso_of
from sightline.metadata.gps import degrees_in, position
from sightline.metadata.said import (
    NOWHERE,
    Address,
    Position,
    Said,
    lens_name,
    range_of_lens,
    stars,
    stars_of_percent,
)
from sightline.metadata.text import MAX_CAPTION, clean_text, number_in
from sightline.metadata.xmp import Value, first, properties, structures, texts

_DARKTABLE_COLOURS: Final = ("Red", "Yellow", "Green", "Blue", "Purple")
_ISO: Final = (
    "exif:ISOSpeedRatings", "exifEX:PhotographicSensitivity", "exifEX:RecommendedExposureIndex",
    "exifEX:StandardOutputSensitivity",
)  # fmt: skip
_DATES: Final = (
    ("original", "exif:DateTimeOriginal"),
    ("dated", "photoshop:DateCreated"),
    ("digitised", "exif:DateTimeDigitized"),
    ("created", "xmp:CreateDate"),
    ("modified", "xmp:ModifyDate"),
    ("modified", "tiff:DateTime"),
)

_Properties = Mapping[str, Value]


def xmp_said(packets: tuple[bytes, ...]) -> Said:
    """What packets say that belong together: the main one, and its extension."""
    found: dict[str, Value] = {}
    for packet in packets:
        found = {**properties(packet), **found}
    if not found:
        return Said()
    said = Said(
        camera_make=_text(found, "tiff:Make"),
        camera_model=_text(found, "tiff:Model"),
        lens=next(
            (
                lens
                for name in ("exifEX:LensModel", "aux:Lens", "MicrosoftPhoto:LensModel")
                if (lens := lens_name(_text(found, name)))
            ),
            None,
        ),
        unnamed_lens=range_of_lens(_numbers(found, "exifEX:LensSpecification"))
        or range_of_lens(_numbers(found, "aux:LensInfo")),
        iso=next((iso for name in _ISO if (iso := iso_of(_number(found, name))) not in (None, 65535)), None),
        aperture=aperture_of(_number(found, "exif:FNumber"), _number(found, "exif:ApertureValue")),
        exposure=exposure_of(_number(found, "exif:ExposureTime"), _number(found, "exif:ShutterSpeedValue")),
        focal=focal_of(_number(found, "exif:FocalLength")),
        position=_position(found),
        address=_address(found),
        rating=_rating(found),
        colour_label=_colour_label(found),
        title=_text(found, "dc:title"),
        caption=_text(found, "dc:description", MAX_CAPTION),
        keywords=_keywords(found),
        people=_people(found),
    )
    for kind, name in _DATES:
        said.add_date(kind, _text(found, name))
    return said


def _text(found: _Properties, name: str, limit: int = 200) -> str | None:
    return clean_text(first(found.get(name)), limit)


def _number(found: _Properties, name: str) -> float | None:
    return number_in(first(found.get(name)))


def _numbers(found: _Properties, name: str) -> tuple[float | None, ...]:
    """Numbers of an array, or of one text with spaces between them."""
    return tuple(number_in(part) for text in texts(found.get(name)) for part in text.split())


def _position(found: _Properties) -> Position | None:
    def degrees(name: str, letters: str, limit: float) -> float | None:
        return degrees_in(_text(found, name), _text(found, f"{name}Ref"), letters, limit)

    latitude = degrees("exif:GPSLatitude", "NS", 90.0)
    longitude = degrees("exif:GPSLongitude", "EW", 180.0)
    below = (first(found.get("exif:GPSAltitudeRef")) or "").strip() in ("1", "3")
    return position(latitude, longitude, _number(found, "exif:GPSAltitude"), below)


def _address(found: _Properties) -> Address:
    """The address: by Photoshop's fields, else the place shown, else where the camera was."""
    address = tuple(_text(found, f"photoshop:{name}") for name in ("City", "State", "Country"))
    if not any(address):
        for place in (
            *structures(found.get("Iptc4xmpExt:LocationShown")),
            *structures(found.get("Iptc4xmpExt:LocationCreated")),
        ):
            address = tuple(_text(place, f"Iptc4xmpExt:{name}") for name in ("City", "ProvinceState", "CountryName"))
            if any(address):
                break
    return (address[0], address[1], address[2]) if any(address) else NOWHERE


def _rating(found: _Properties) -> int | None:
    rating = stars(_number(found, "xmp:Rating"))
    return stars_of_percent(_number(found, "MicrosoftPhoto:Rating")) if rating is None else rating


def _colour_label(found: _Properties) -> str | None:
    if label := _text(found, "xmp:Label"):
        return label
    colour = first(found.get("darktable:colorlabels")) or ""
    return _DARKTABLE_COLOURS[int(colour)] if colour.isdecimal() and int(colour) < len(_DARKTABLE_COLOURS) else None


def _keywords(found: _Properties) -> tuple[str, ...]:
    """Keywords with levels first; those of digiKam and Windows have their levels separated by "/"."""
    levels = [
        *texts(found.get("lr:hierarchicalSubject")),
        *(
            text.replace("/", "|")
            for name in ("digiKam:TagsList", "MicrosoftPhoto:LastKeywordXMP")
            for text in texts(found.get(name))
        ),
    ]
    return tuple(word for text in (*levels, *texts(found.get("dc:subject"))) if (word := clean_text(text)) is not None)


def _people(found: _Properties) -> tuple[str, ...]:
    names: list[Value | None] = []
    for regions in structures(found.get("mwg-rs:Regions")):
        for region in structures(regions.get("mwg-rs:RegionList")):
            is_face = (first(region.get("mwg-rs:Type")) or "").strip().casefold() == "face"
            names.append(region.get("mwg-rs:Name") if is_face else None)
    for regions in structures(found.get("MP:RegionInfo")):
        names += [region.get("MPReg:PersonDisplayName") for region in structures(regions.get("MPRI:Regions"))]
    for person in structures(found.get("Iptc4xmpExt:PersonInImageWDetails")):
        names.append(first(person.get("Iptc4xmpExt:PersonName")))
    names += texts(found.get("Iptc4xmpExt:PersonInImage"))
    return tuple(name for value in names if (name := clean_text(first(value))) is not None)
