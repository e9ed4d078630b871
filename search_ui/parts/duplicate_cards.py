"""Turns groups of duplicates into the cards that the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from search_ui.components.groups import Card, Fact, Picture, Place
from search_ui.parts.picture_addresses import preview_address, thumbnail_address
from sightline.duplicates.groups import Group
from sightline.duplicates.keep_rules import Fact as Differing
from sightline.duplicates.keep_rules import Version, differences
from sightline.humanize import count, date, size
from store.paths import display, to_bytes, to_path

# At most so many of one group, of one picture in it, and other names of one file: nobody looks through more. The
# exported list has all.
MAX_PICTURES: Final = 40
MAX_PLACES: Final = 20
MAX_NAMES: Final = 3


def card(group: Group, *, are_copies: bool = True) -> Card:
    """Return the card of a group: the pictures, best first, each with all its places.

    Of a group that holds no copies, such as a burst, it tells no bytes to free, and sets nothing aside in one click.
    """
    held: dict[int, list[Version]] = {}
    for version in (group.suggestion.kept, *group.versions):
        places = held.setdefault(version.content_id, [])
        if version not in places:
            places.append(version)
    # By what they are worth, whatever is set aside: no picture may jump away under the pointer.
    order = list(dict.fromkeys(version.content_id for version in group.versions))
    pictures = [_picture(group, held[id_]) for id_ in order[:MAX_PICTURES]]
    hidden = len(order) - len(pictures)
    is_lost = all(version.is_aside for version in group.versions)
    photos = count(len(group.versions), "photo")
    versions = f", {count(len(order), 'version' if are_copies else 'frame')}" if len(order) > 1 else ""
    freed = f", {size(group.freeable)} could be freed" if are_copies else ""
    return {
        "number": group.number,
        "kept": group.suggestion.kept.photo_id,
        "title": f"Group {group.number:,}: {photos}{versions}{freed}",
        "keep": f"Suggested: “{group.suggestion.kept.name}”, because {_sentence(group.suggestion.reasons[:3])}.",
        "lost": "All photos in this group are marked for removal: nothing of it would be left." if is_lost else "",
        "rest": len(group.rest) if are_copies else 0,
        "pictures": pictures,
        "more": f"{count(hidden, 'more picture')} in this group; the exported list has them all." if hidden else "",
    }


def _sentence(reasons: Sequence[str]) -> str:
    """Join as `a`, `a and b`, `a, b and c`."""
    return " and ".join([part for part in (", ".join(reasons[:-1]), *reasons[-1:]) if part])


def _picture(group: Group, places: Sequence[Version]) -> Picture:
    photo = group.pictures[places[0].content_id]
    kept = group.suggestion.kept
    places = sorted(places, key=group.versions.index)
    differing = {} if places[0].content_id == kept.content_id else differences(kept, places[0])
    hidden = len(places) - MAX_PLACES
    return {
        "src": thumbnail_address(photo),
        "large": preview_address(photo),
        "name": places[0].name,
        "ratio": photo.facts["width"] / max(1, photo.facts["height"]),
        "facts": _facts(places[0], differing),
        "places": [_place(group, version, is_one=len(places) == 1) for version in places[:MAX_PLACES]],
        "more": f"and {count(hidden, 'more place')}" if hidden > 0 else "",
    }


def _place(group: Group, version: Version, *, is_one: bool) -> Place:
    kept = group.suggestion.kept
    return {
        "id": version.photo_id,
        "path": display(to_bytes(to_path(version.root, version.path))),
        "where": version.folder if is_one else version.display,
        "differs": is_one and version.folder != kept.folder,
        "note": ", ".join(_notes(version, is_one=is_one)),
        "is_kept": version == kept,
        "is_aside": version.is_aside,
        "is_rest": version.photo_id in group.rest,
    }


def _notes(version: Version, *, is_one: bool) -> list[str]:
    """When the file was written, where the places differ by it, and what else it is called."""
    notes = [] if is_one else [f"modified {_day(datetime.fromtimestamp(version.mtime_ns / 1e9))}"]
    notes += [f"the same file as {name.display}" for name in version.also[:MAX_NAMES]]
    hidden = len(version.also) - MAX_NAMES
    return [*notes, f"and {count(hidden, 'more name')} of it"] if hidden > 0 else notes


def _facts(version: Version, differing: Mapping[Differing, str]) -> list[Fact]:
    facts = version.facts
    return [
        {"text": f"{facts['width']} x {facts['height']} px", "differs": _differences(differing, "pixels")},
        {"text": f"{facts['format']}, {size(version.size)}", "differs": _differences(differing, "format", "bytes")},
        *_date(facts["taken_at"], _differences(differing, "date")),
    ]


def _differences(differing: Mapping[Differing, str], *about: Differing) -> list[str]:
    return [differing[fact] for fact in about if fact in differing]


def _date(taken_at: str | None, differs: list[str]) -> list[Fact]:
    text = date(taken_at)
    if not text and not differs:
        return []
    time = (taken_at or "")[11:16]
    return [{"text": f"{text}, {time}" if time else text, "differs": differs}]


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"
