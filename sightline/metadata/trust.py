"""Which source is believed about which fact. docs/facts.md gives the reasons; a test keeps both alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sightline.metadata.dates import Date
from sightline.metadata.said import NOWHERE, Address, Said

SIDECAR: Final = "sidecar"
EXIF: Final = "EXIF"
XMP: Final = "XMP"
IPTC: Final = "IPTC"
CONTAINER: Final = "container"
FILE_NAME: Final = "file name"

_BY_CAMERA: Final = (EXIF, XMP, SIDECAR)
_BY_PEOPLE: Final = (SIDECAR, XMP, IPTC, EXIF, CONTAINER)

ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "camera": _BY_CAMERA,
    "lens": _BY_CAMERA,
    "iso": _BY_CAMERA,
    "aperture": _BY_CAMERA,
    "exposure": _BY_CAMERA,
    "focal": _BY_CAMERA,
    "position": (SIDECAR, EXIF, XMP),
    "address": (SIDECAR, XMP, IPTC),
    "rating": (SIDECAR, XMP, EXIF),
    "colour_label": (SIDECAR, XMP),
    "title": _BY_PEOPLE,
    "caption": _BY_PEOPLE,
    "keywords": _BY_PEOPLE,
    "people": (SIDECAR, XMP),
}
"""Sources of each fact but the date, the most trusted first."""

DATES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "original": (
        (SIDECAR, "original"), (SIDECAR, "dated"), (EXIF, "original"), (XMP, "original"), (IPTC, "original"),
        (XMP, "dated"),
    ),
    "digitised": ((SIDECAR, "digitised"), (EXIF, "digitised"), (XMP, "digitised"), (IPTC, "digitised")),
    "created": ((SIDECAR, "created"), (XMP, "created"), (CONTAINER, "created")),
    "modified": ((EXIF, "modified"), (XMP, "modified"), (CONTAINER, "modified")),
    "container": ((CONTAINER, "container"),),
    "file name": ((FILE_NAME, "file name"),),
}  # fmt: skip
"""What told when it was taken (`Facts.taken_from`), the most trusted first; of each the sources and kinds of dates."""

_EDITS: Final = ("modified", "container")
"""Dates that may be those of an edit or a conversion: not used where a better tag is there and can't be read."""

_MOST_WORDS: Final = 500

_FIRST_WORD: Final = re.compile(r"([^ _-]+)[ _-]+(.+)")
# What cameras and programs put into ImageDescription of every picture; other tools copy it into XMP and IPTC.
_FILLER: Final = re.compile(
    r"""
    (?: (?:olympus|minolta|konica\ minolta|pentax|samsung|sanyo|kodak|casio|ricoh|sony|epson|polaroid|leica)
        (?:\ imaging)? (?:\ digital)? (?:\ still)? \ (?:camera|image|pictures?|dsc|action\ cam) )
    | digital\ (?:still\ )?camera
    | (?:minolta|konica|samsung|sony|lead|vivitar|hp|camera|image|photo|picture|jpeg|dsc|default)
    | sony\ dsc | exif[_ ]jpeg(?:_picture)? | jpeg[_ ]encoder.* | dcim [\\/] .* | dcf\ ?\d\.\d | <digimax.*> | <kenox.*>
    # Programs for images of microscopes keep how the samples lie there.
    | \{"shape":\ .* | ImageJ=.* | (?:<\?xml\ .*?>\s*)?(?:<!--.*?-->\s*)?<(?:\w+:)?OME[\ >].* | SCANIMAGE.*
    | AppleMark | ascii\ +exif | <unknown> | file\ written\ by\ adobe\ .* | creator:\ gd-jpeg.*
    | untitled | no\ (?:title|description|comment) | binary\ comment
    | created\ (?:with|by)\ (?:the\ )?gimp
    # Huawei, Honor.
    | (?:cof|dav|hdr|hdrpl|rhdr|mde|sdr|edf|nor|oznor|ozedf|fznor|ptr|gti|btf|rbt|maro|burst)(?:_[a-z]+)?
    """,
    re.I | re.X,
)


def chosen(sources: Mapping[str, list[Said]], name_date: Date | None) -> dict[str, Any]:
    """The facts that sources say together, by the names of `Facts`; none where there is no source.

    `sources` are by the names in `ORDER`; of sidecars there may be several. `name_date` is that of the file's name.
    """
    if not sources and name_date is None:
        return {}

    def first(fact: str, attribute: str = "") -> Any:
        values = (getattr(said, attribute or fact) for said in _of(sources, fact))
        return next((value for value in values if value is not None), None)

    make, model = _camera(sources)
    position = first("position")
    rating = first("rating")
    taken_at, taken_from, taken_offset = _taken(sources, name_date)
    town, region, country = _address(sources)
    return {
        "taken_at": taken_at,
        "taken_from": taken_from,
        "taken_offset": taken_offset,
        "camera_make": make,
        "camera_model": _without_make(model, make),
        "lens": first("lens") or first("lens", "unnamed_lens"),
        **{name: first(name) for name in ("iso", "aperture", "exposure", "focal", "colour_label")},
        "latitude": position[0] if position else None,
        "longitude": position[1] if position else None,
        "altitude": position[2] if position else None,
        "town": town,
        "region": region,
        "country": country,
        "rating": rating if rating is not None and rating >= 1 else None,  # 0: unrated; -1: rejected
        "title": _written(sources, "title", make, model),
        "caption": _written(sources, "caption", make, model),
        "keywords": _without_doubles(_all(sources, "keywords")),
        "people": tuple(dict.fromkeys(_all(sources, "people")))[:_MOST_WORDS],
    }


def _of(sources: Mapping[str, list[Said]], fact: str) -> list[Said]:
    return [said for name in ORDER[fact] for said in sources.get(name, ())]


def _all(sources: Mapping[str, list[Said]], fact: str) -> list[str]:
    """The words of all sources; those of the sidecars alone, if they have any.

    A program that keeps a sidecar writes all that it knows into it, and what a person took away is not there.
    """
    beside = [word for said in sources.get(SIDECAR, ()) for word in getattr(said, fact)]
    return beside or [word for said in _of(sources, fact) for word in getattr(said, fact)]


def _taken(sources: Mapping[str, list[Said]], name_date: Date | None) -> tuple[str | None, str | None, int | None]:
    """The date, what told it, and its offset."""
    is_unsure = False
    for taken_from, ranks in DATES.items():
        if is_unsure and taken_from in _EDITS:
            continue
        dates = [
            date for source, kind in ranks for said in sources.get(source, ()) for date in said.dates.get(kind, ())
        ]
        if taken_from == FILE_NAME and name_date is not None:
            dates.append(name_date)
        text, offset = None, None
        for date in dates:
            if date.text is None:
                is_unsure = True
            elif text is None or (date.text.startswith(text) and (date.text != text or offset is None)):
                text, offset = date.text, date.offset  # the first, or what says the same more precisely
        if text is not None:
            return text, taken_from, offset
    return None, None, None


def _camera(sources: Mapping[str, list[Said]]) -> tuple[str | None, str | None]:
    """Make and model by the first source that has either."""
    found = ((said.camera_make, said.camera_model) for said in _of(sources, "camera"))
    return next((pair for pair in found if any(pair)), (None, None))


def _without_make(model: str | None, make: str | None) -> str | None:
    """Remove leading words of the make: "KODAK Z1012" by "EASTMAN KODAK COMPANY" becomes "Z1012"."""
    if model is None or make is None:
        return model
    known = set(make.casefold().split())
    rest = model
    while (split := _FIRST_WORD.fullmatch(rest)) is not None and split[1].casefold() in known:
        rest = split[2]
    return rest


def _address(sources: Mapping[str, list[Said]]) -> Address:
    """Town, region and country by the first source that has any of them: parts of two addresses make none."""
    return next((said.address for said in _of(sources, "address") if any(said.address)), NOWHERE)


def _written(sources: Mapping[str, list[Said]], fact: str, make: str | None, model: str | None) -> str | None:
    """The first title or caption that is none of a camera's or program's own."""
    cameras = {make, model, f"{make} {model}"}
    texts: Iterable[str | None] = (getattr(said, fact) for said in _of(sources, fact))
    return next((text for text in texts if text and text not in cameras and not _FILLER.fullmatch(text)), None)


def _without_doubles(words: Iterable[str]) -> tuple[str, ...]:
    """Keywords in order, without other spellings of one, and without those that are levels of another."""
    keys: dict[str, str] = {}
    for word in words:
        levels = [" ".join(level.split()) for level in word.split("|")]
        clean = "|".join(level for level in levels if level)
        if clean and not clean.startswith("_Digikam_Internal_Tags_"):
            keys.setdefault(clean.casefold(), clean)
    within = set[str]()
    for key in keys:
        levels = key.split("|")
        if len(levels) > 1:
            within.update(levels)
            within.update("|".join(levels[:count]) for count in range(2, len(levels)))
    return tuple(word for key, word in keys.items() if key not in within)[:_MOST_WORDS]
