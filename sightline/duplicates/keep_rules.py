"""Rules that suggest which version of a picture to keep, and say how the others differ from it.

They are plain functions of the facts of the photos. A person decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sightline import humanize
from sightline.humanize import count
from sightline.images.formats import RAW
from sightline.twins import shot

# As file managers and downloads name copies: `a (1).jpg`, `a - Copy.jpg`, `Copy of a.jpg`, `a copy 2.jpg`; the words
# are those of English, German, French, and Spanish or Italian.
_COPY: Final = re.compile(r"(?:^|[\W_])(?:copy|kopie|copie|copia)(?:[\W_]|\d|$)|\(\d{1,3}\)$", re.IGNORECASE)
# How much of the pixels a format preserves: 3 what the sensor saw, 2 all, 1 most, 0 only 256 colours. TIFF, WEBP, AVIF,
# HEIF, JPEG 2000 and JPEG XL can be lossless or lossy, and have the value of what they mostly are.
_FORMAT_QUALITY: Final[Mapping[str, int]] = {
    **dict.fromkeys(RAW.names, 3), "PNG": 2, "TIFF": 2, "BMP": 2, "PSD": 2, "PPM": 2, "TGA": 2, "GIF": 0,
}  # fmt: skip
_LOSSY: Final = 1


@dataclass(frozen=True, slots=True)
class Name:
    """A photo that is another name of a file. Attributes as of `Version`."""

    photo_id: int
    root: bytes
    path: bytes
    display: str


@dataclass(frozen=True, slots=True)
class Version:
    """A file of a group of duplicates, by one of its names.

    Attributes:
        photo_id: of the photo, which is a path; several of them may hold the same content.
        content_id: of the bytes.
        root: absolute path of the root, as bytes.
        path: below the root, as bytes with `/`.
        display: the path from the root's own name down, with `/`, printable.
        size: of the file, in bytes.
        mtime_ns: when the file was last written.
        facts: of the content; see `store.tables.fact_table.FACTS`.
        is_favourite: a person made it one.
        tags: those that a person gave it.
        is_aside: a person set it aside, under all its names.
        also: other photos that are the same file, such as links to it.
    """

    photo_id: int
    content_id: int
    root: bytes
    path: bytes
    display: str
    size: int
    mtime_ns: int
    facts: Mapping[str, Any]
    is_favourite: bool = False
    tags: tuple[str, ...] = ()
    is_aside: bool = False
    also: tuple[Name, ...] = ()

    @property
    def photo_ids(self) -> tuple[int, ...]:
        """The photos that are this file."""
        return (self.photo_id, *(name.photo_id for name in self.also))

    @property
    def pixels(self) -> int:
        """Width times height."""
        return int(self.facts["width"]) * int(self.facts["height"])

    @property
    def folder(self) -> str:
        """The folder of the file, printable."""
        return self.display.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The name of the file, printable."""
        return self.display.rpartition("/")[2]

    @property
    def is_named_copy(self) -> bool:
        """Whether the name of the file says that it is a copy."""
        return _COPY.search(self.name.rpartition(".")[0] or self.name) is not None


@dataclass(frozen=True, slots=True)
class _Rule:
    """A reason to prefer the photo with the lower value; `kept` and `other` word it for the two photos."""

    value: Callable[[Version], Any]
    kept: str
    other: str


# The first rule whose values differ decides. What a person said comes first, then what can't be recovered from the
# other versions: pixels, date and camera, what a lossy format dropped. The date comes before the format: a PNG without
# one, of as many pixels as a JPEG with one, was made from that JPEG. Names and dates of files only decide between
# copies of the same bytes.
_RULES: Final = (
    _Rule(lambda v: v.is_aside, "it is not marked for removal", "is marked for removal"),
    _Rule(lambda v: not (v.is_favourite or v.tags), "it is a favourite or has tags", "is no favourite and has no tags"),
    _Rule(lambda v: -v.pixels, "it has more pixels", "has fewer pixels"),
    _Rule(lambda v: -_metadata_count(v), "it has the date or the camera", "lacks the date or the camera"),
    _Rule(lambda v: -_FORMAT_QUALITY.get(v.facts["format"], _LOSSY), "its format loses less", "its format loses more"),
    _Rule(lambda v: -v.size, "its file is larger", "its file is smaller"),
    _Rule(lambda v: v.is_named_copy, "the file name isn't a copy", "its name says copy"),
    _Rule(lambda v: v.mtime_ns, "its file is older", "its file is newer"),
    _Rule(lambda v: len(v.root) + len(v.path), "its path is shorter", "its path is longer"),
    _Rule(lambda v: (v.root, v.path), "its path comes first", "its path comes later"),
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The photo of a group to keep, and the reasons.

    Attributes:
        kept: the photo to keep.
        reasons: why it is better than the others, the deciding rules in order, each once: `it has more pixels`.
        why: why each other photo is worse, by its id: `has fewer pixels`.
    """

    kept: Version
    reasons: tuple[str, ...]
    why: Mapping[int, str]


def preferred(versions: Sequence[Version]) -> list[Version]:
    """Sort photos, the best to keep first. Setting photos aside does not change the order."""
    return sorted(versions, key=lambda version: _sort_key(version)[1:])


def suggest(versions: Sequence[Version]) -> Suggestion:
    """Suggest which photo of a group to keep, independent of their order.

    A photo that is set aside is suggested only if all are, so setting aside the rest always leaves one.

    Raises:
        ValueError: there is no photo.
    """
    if not versions:
        raise ValueError("there is no photo to choose from")
    kept, *others = sorted(versions, key=_sort_key)
    deciding = {other.photo_id: _deciding_rule(kept, other) for other in others}
    reasons = dict.fromkeys(_RULES[number].kept for number in sorted(set(deciding.values())))
    return Suggestion(kept, tuple(reasons), {id_: _RULES[number].other for id_, number in deciding.items()})


def spared(versions: Sequence[Version], kept: Version) -> list[Version]:
    """Return the photos not set aside with the rest: the kept one, its twins, other favourites.

    A RAW file and its JPEG are no copies of each other: a photographer keeps both on purpose.
    """
    shot_of_kept = shot([(kept.root, kept.path)])
    return [
        v for v in versions
        if v == kept or (v.is_favourite and v.content_id != kept.content_id)
        or shot([(v.root, v.path)]).is_twin_of(shot_of_kept)
    ]  # fmt: skip


def _sort_key(version: Version) -> tuple[Any, ...]:
    return tuple(rule.value(version) for rule in _RULES)


def _deciding_rule(kept: Version, other: Version) -> int:
    """The number of the first rule whose values differ; the last always does, as paths are unique."""
    return next(number for number, rule in enumerate(_RULES) if rule.value(kept) != rule.value(other))


def _metadata_count(version: Version) -> int:
    facts = version.facts
    # Each copy may have a name of its own: a date in it is no reason.
    is_dated = facts["taken_at"] is not None and facts.get("taken_from") != "file name"
    return is_dated + bool(facts["camera_make"] or facts["camera_model"])


# -- differences ----------------------------------------------------------------------------------------------------

Fact = Literal["pixels", "bytes", "format", "date", "folder"]


def differences(kept: Version, other: Version) -> dict[Fact, str]:
    """Describe how another photo differs from the one to keep; facts that are the same are left out."""
    found: dict[Fact, str] = {}
    if (other.facts["width"], other.facts["height"]) != (kept.facts["width"], kept.facts["height"]):
        found["pixels"] = _times(other.pixels / max(1, kept.pixels))
    if other.size != kept.size:
        more = "larger" if other.size > kept.size else "smaller"
        found["bytes"] = f"{humanize.size(abs(other.size - kept.size))} {more}"
    if other.facts["format"] != kept.facts["format"]:
        found["format"] = f"not {kept.facts['format']}"
    if date := _date(kept.facts["taken_at"], other.facts["taken_at"]):
        found["date"] = date
    if other.folder != kept.folder:
        found["folder"] = f"in {other.folder}"
    return found


def _times(share: float) -> str:
    if share == 1:
        return "turned or cut otherwise"
    if share >= 2:
        return f"{share:.1f} times the pixels"
    # Rounded to 100 %, it would say that nothing differs.
    return f"{share:.0%} of the pixels".replace("%", " %") if abs(share - 1) >= 0.005 else "nearly as many pixels"


def _date(kept: str | None, other: str | None) -> str:
    if kept == other:
        return ""
    if not (date := humanize.date(other)):
        return "no date"
    if kept is None or other is None or len(kept) != len(other) or len(other) < 10:
        return f"taken {date}"  # one is known to the day, or not even that
    apart = datetime.fromisoformat(other) - datetime.fromisoformat(kept)
    return f"taken {_span(abs(apart))} {'later' if apart > timedelta() else 'earlier'}"


def _span(time: timedelta) -> str:
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if amount := int(time.total_seconds() // seconds):
            return count(amount, unit)
    return count(int(time.total_seconds()), "second")
